// SPDX-License-Identifier: BSD-3-Clause
// Who the gateway is for EDHOC: one file or several, and what is wrong with them.

#include "gw/conf/conf.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

// Parses a file with this in its third line. Returns what is wrong with it; *conf is NULL then.
static const char *load(const char *edhoc, struct conf **conf)
{
	static char said[2048];
	char text[2048];
	FILE *errors = fmemopen(said, sizeof(said), "w");

	said[0] = 0;
	*conf = NULL;
	snprintf(text, sizeof(text),
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		"routes: [{path: /a, to: \"builtin:echo\"}]\n"
		"edhoc: {%s}\n",
		edhoc);
	const int rc = conf_parse("f", text, strlen(text), conf, errors);

	fclose(errors);
	cr_assert_eq(!rc, *conf != NULL);
	return said;
}

Test(conf_edhoc, one_identity_is_a_list_of_one)
{
	struct conf *conf;

	cr_expect_str_eq(load("identity: /a", &conf), "");
	cr_assert_eq(conf->edhoc.identity_count, 1);
	cr_expect_str_eq(conf->edhoc.identity[0], "/a");
	cr_expect_eq(conf_line(conf, &conf->edhoc.identity[0]), 3);
	conf_free(conf);
	cr_expect_str_eq(load("identity: [\"credential:new.json\", /a]", &conf), "");
	cr_assert_eq(conf->edhoc.identity_count, 2);
	cr_expect_str_eq(conf->edhoc.identity[0], "credential:new.json");
	cr_expect_str_eq(conf->edhoc.identity[1], "/a");
	conf_free(conf);
	cr_expect_str_eq(load("methods: [3]", &conf), "");
	cr_expect_eq(conf->edhoc.identity_count, 0);
	conf_free(conf);
}

#define WHAT                                                                                \
	"must be the absolute path of a file, or credential: and the name of a credential " \
	"of the unit, at most 1024 bytes"

// None leads out of the directory of the unit's credentials.
Test(conf_edhoc, an_identity_is_a_path_or_a_credential)
{
	static const struct {
		const char *edhoc, *said;
	} rows[] = {
		{"identity: edhoc.json", "f:3:19: edhoc.identity: " WHAT ", not \"edhoc.json\"\n"},
		{"identity: /", "f:3:19: edhoc.identity: " WHAT ", not \"/\"\n"},
		{"identity: [/a, \"credential:\"]",
			"f:3:24: edhoc.identity[1]: " WHAT ", not \"credential:\"\n"},
		{"identity: \"credential:../kek\"",
			"f:3:19: edhoc.identity: " WHAT ", not \"credential:../kek\"\n"},
		{"identity: \"credential:..\"",
			"f:3:19: edhoc.identity: " WHAT ", not \"credential:..\"\n"},
		{"identity: []", "f:3:19: edhoc.identity: is empty; it needs at least one entry\n"},
		{"identity: ",
			"f:3:19: edhoc.identity: has no value; it must be one entry, or a list of "
			"1 to 8 entries\n"},
		{"identity: {a: b}",
			"f:3:19: edhoc.identity: must be one entry, or a list of 1 to 8 entries, "
			"not a map\n"},
		{"identity: [/1, /2, /3, /4, /5, /6, /7, /8, /9]",
			"f:3:19: edhoc.identity: has 9 entries; there can be at most 8\n"},
	};
	struct conf *conf;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_str_eq(load(rows[i].edhoc, &conf), rows[i].said, "%s: %s", rows[i].edhoc,
			load(rows[i].edhoc, &conf));
}
