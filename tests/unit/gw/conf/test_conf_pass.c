// SPDX-License-Identifier: BSD-3-Clause
// What is passed through: names, what they are called, and what is wrong with them.

#include "gw/conf/conf.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define HEX "must be hex, two digits a byte"

static const char head[] = "ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
			   "upstreams: {vault: {servers: [\"http://a:1\"], timeout: 7s}, "
			   "other: {servers: [\"http://b:1\"]}}\n"
			   "routes: [{path: /a, to: vault}]\n";

// What is wrong with these entries, each on a line of its own from the fifth on; "" if nothing is.
// *conf is NULL then.
static const char *load(const char *entries, struct conf **conf)
{
	static char said[2048];
	char text[2048];
	FILE *errors = fmemopen(said, sizeof(said), "w");

	said[0] = 0;
	*conf = NULL;
	snprintf(text, sizeof(text), "%spassthrough:\n%s", head, entries);
	const int rc = conf_parse("f", text, strlen(text), conf, errors);

	fclose(errors);
	cr_assert_eq(!rc, *conf != NULL);
	return said;
}

static void expect(const char *entries, const char *wanted)
{
	struct conf *conf;

	cr_expect_str_eq(load(entries, &conf), wanted, "%s", entries);
	if (conf)
		conf_free(conf);
}

Test(conf_pass, what_an_entry_is)
{
	static const uint8_t kid[] = {0x0a, 0xb0}, context[] = {0x37, 0xcb, 0xf3};
	struct conf *conf;

	cr_assert_str_eq(load("- {kid: \"0aB0\", to: vault}\n"
			      "- {kid: \"\", to: other, timeout: 3s}\n"
			      "- {kid: \"0ab1\", kid_context: \"37CBf3\", to: vault, path: /m}\n"
			      "- {kid: \"0ab1\", kid_context: \"\", to: other}\n",
				 &conf),
		"");
	const struct conf_pass *pass = conf->passes;

	cr_assert_eq(conf->pass_count, 4);
	cr_expect(pass[0].kid_len == 2 && !memcmp(pass[0].kid_bytes, kid, 2));
	cr_expect_null(pass[0].kid_context, "any");
	cr_expect_str_eq(pass[0].route.path.text, "passthrough:0ab0");
	cr_expect_eq(pass[0].route.upstream, &conf->upstreams[0]);
	cr_expect_eq(pass[0].route.timeout_ms, 7000, "the upstream's");
	cr_expect_eq(pass[1].kid_len, 0, "a kid may be empty");
	cr_expect_str_eq(pass[1].route.path.text, "passthrough:");
	cr_expect_eq(pass[1].route.upstream, &conf->upstreams[1]);
	cr_expect_eq(pass[1].route.timeout_ms, 3000);
	cr_expect(pass[2].kid_context_len == 3 && !memcmp(pass[2].kid_context_bytes, context, 3));
	cr_expect_str_eq(pass[2].route.path.text, "passthrough:0ab1/37cbf3");
	cr_expect_not_null(pass[3].kid_context, "an empty kid context is one");
	cr_expect_str_eq(pass[3].route.path.text, "passthrough:0ab1/");
	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < i; k++)
			cr_expect_neq(pass[i].route.id, pass[k].route.id);
	conf_free(conf);
}

Test(conf_pass, a_message_is_of_one_entry)
{
	expect("- {kid: \"0a\", to: vault}\n- {kid: \"0b\", to: vault}\n- {kid: \"0A\", to: "
	       "other}\n",
		"f:7:9: passthrough[2].kid: its messages are those of line 5 already\n");
	// One without kid context has them all, whichever comes first.
	expect("- {kid: \"0a\", to: vault}\n- {kid: \"0a\", kid_context: \"01\", to: vault}\n",
		"f:6:9: passthrough[1].kid: its messages are those of line 5 already\n");
	expect("- {kid: \"0a\", kid_context: \"01\", to: vault}\n- {kid: \"0a\", to: vault}\n",
		"f:6:9: passthrough[1].kid: its messages are those of line 5 already\n");
	expect("- {kid: \"0a\", kid_context: \"\", to: vault}\n- {kid: \"0a\", to: vault}\n",
		"f:6:9: passthrough[1].kid: its messages are those of line 5 already\n");
	expect("- {kid: \"0a\", kid_context: \"ab\", to: vault}\n- {kid: \"0a\", kid_context: "
	       "\"AB\", to: vault}\n",
		"f:6:9: passthrough[1].kid: its messages are those of line 5 already\n");
	// None of these is another's beginning.
	expect("- {kid: \"0a\", to: vault}\n- {kid: \"0a00\", to: vault}\n- {kid: \"\", to: "
	       "vault}\n",
		"");
	expect("- {kid: \"0a\", kid_context: \"\", to: vault}\n- {kid: \"0a\", kid_context: "
	       "\"00\", to: vault}\n"
	       "- {kid: \"0a\", kid_context: \"0000\", to: vault}\n",
		"");
}

Test(conf_pass, mistakes)
{
	expect("- {kid: \"0a\", to: valt}\n",
		"f:5:19: passthrough[0].to: there is no upstream \"valt\"; did you mean vault?\n");
	expect("- {kid: \"0a\", to: \"builtin:echo\"}\n",
		"f:5:19: passthrough[0].to: there is no upstream \"builtin:echo\"\n");
	expect("- {to: vault}\n", "f:5:3: passthrough[0]: needs the key kid\n");
	expect("- {kid: \"0a\"}\n", "f:5:3: passthrough[0]: needs the key to\n");
	expect("- {kid: \"0\", to: vault}\n- {kid: \"0x\", to: vault}\n",
		"f:5:9: passthrough[0].kid: " HEX ", at most 14 digits, not \"0\"\n"
		"f:6:9: passthrough[1].kid: " HEX ", at most 14 digits, not \"0x\"\n");
	expect("- {kid: \"0102030405060708\", to: vault}\n",
		"f:5:9: passthrough[0].kid: " HEX
		", at most 14 digits, not \"0102030405060708\"\n");
	expect("- {kid: \"0a\", kid_context: \"0\", to: vault}\n",
		"f:5:28: passthrough[0].kid_context: " HEX ", at most 510 digits, not \"0\"\n");
	expect("- {kid: \"0a\", to: vault, max_in_flight: 0}\n",
		"f:5:41: passthrough[0].max_in_flight: must be a whole number, 1 to 65535, not "
		"\"0\"\n");
	expect("- {kid: \"0a\", to: vault, rate: 0}\n",
		"f:5:32: passthrough[0].rate: must be a whole number, 1 to 1000000, not \"0\"\n");
	expect("- {kid: \"0a\", to: vault, echo: never}\n",
		"f:5:32: passthrough[0].echo: must be always or large, not \"never\"\n");
	expect("- {kid: \"0a\", to: vault, methods: [GET]}\n",
		"f:5:26: passthrough[0].methods: unknown key\n");
	// Those whose kid has a mistake do not have one name.
	expect("- {kid: \"zz\", to: vault}\n- {kid: \"zz\", to: vault}\n",
		"f:5:9: passthrough[0].kid: " HEX ", at most 14 digits, not \"zz\"\n"
		"f:6:9: passthrough[1].kid: " HEX ", at most 14 digits, not \"zz\"\n");
}
