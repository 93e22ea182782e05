// SPDX-License-Identifier: BSD-3-Clause
// The list of routes: what stands in it, what a policy leaves of it, and what filters do.

#include "gw/map/core.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char file[] =
	"ports: [{name: p, tap: t, addresses: [192.0.2.1/24]}]\n"
	"routes:\n"
	"  - {path: /.well-known/core, to: builtin:core}\n"
	"  - {path: /t/*, methods: [POST], to: builtin:echo, rt: temp.c temp.f, if: core.s,\n"
	"     description: Readings, content_formats: [60, 112]}\n"
	"  - {path: /dns, methods: [FETCH], to: builtin:echo, rt: core.dns, content_formats: "
	"[553]}\n"
	"  - {path: /hidden, to: builtin:echo, listed: false}\n"
	"  - {path: /d/*/state, to: builtin:echo}\n"
	"  - {path: '/a%20b/,', to: builtin:echo}\n"
	"  - {path: /, to: builtin:echo, description: Ünï}\n"
	"policies:\n"
	"  meters: {allow: [{path: /t/kitchen, methods: [POST, GET]}, {path: /dns}]}\n"
	"  readers: {allow: [{path: /*, methods: [GET]}]}\n"
	"  all: {allow: [{path: /*}]}\n"
	"  nothing: {allow: []}\n";

#define T "</t>;rt=\"temp.c temp.f\";if=\"core.s\";title=\"Readings\";ct=\"60 112\";osc"
#define KITCHEN \
	"</t/kitchen>;rt=\"temp.c temp.f\";if=\"core.s\";title=\"Readings\";ct=\"60 112\";osc"
#define DNS  "</dns>;rt=\"core.dns\";ct=553;osc"
#define AB   "</a%20b/,>;osc"
#define ROOT "</>;title=\"\u00dcn\u00ef\";osc"

static struct conf *conf;

static void init(void)
{
	cr_assert_eq(conf_parse("f", file, sizeof(file) - 1, &conf, stderr), 0);
}

static void fini(void)
{
	conf_free(conf);
}

TestSuite(map_core, .init = init, .fini = fini);

// policy: a number in the file, -1: none. queries: ended by NULL.
static const char *list(int policy, size_t room, const char *const *queries)
{
	static char text[4096];
	uint8_t bytes[1024];
	struct coap_writer writer;
	struct coap_body request;
	struct http_text out;

	coap_writer_init(&writer, bytes, sizeof(bytes));
	for (; *queries; queries++)
		coap_write_option(
			&writer, COAP_OPT_URI_QUERY, (const uint8_t *)*queries, strlen(*queries));
	cr_assert_eq(coap_body_parse(&request, bytes, coap_writer_len(&writer)), COAP_OK);
	http_text_init(&out, text, room);
	if (!map_core_write(&out, conf, policy < 0 ? NULL : &conf->policies[policy], &request))
		return "too many";
	*out.at = 0;
	return text;
}

#define LIST(policy, ...) list(policy, 4000, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

Test(map_core, all_routes_with_a_path_of_their_own)
{
	cr_expect_str_eq(LIST(-1), T "," DNS "," AB "," ROOT);
}

Test(map_core, a_policy_leaves_what_it_allows)
{
	cr_expect_str_eq(LIST(0), KITCHEN "," DNS);
	cr_expect_str_eq(LIST(1), AB "," ROOT);
	cr_expect_str_eq(LIST(2), T "," DNS "," AB "," ROOT);
	cr_expect_str_eq(LIST(3), "");
}

Test(map_core, filters)
{
	cr_expect_str_eq(LIST(-1, "href=/t"), T);
	cr_expect_str_eq(LIST(-1, "href=/t*"), T);
	cr_expect_str_eq(LIST(-1, "href=/a b/,"), AB);
	cr_expect_str_eq(LIST(-1, "href=/"), ROOT);
	cr_expect_str_eq(LIST(-1, "href=*"), T "," DNS "," AB "," ROOT);
	cr_expect_str_eq(LIST(-1, "href=/nowhere"), "");
	cr_expect_str_eq(LIST(0, "href=/t/*"), KITCHEN);
	cr_expect_str_eq(LIST(-1, "rt=temp.f"), T);
	cr_expect_str_eq(LIST(-1, "rt=temp"), "");
	cr_expect_str_eq(LIST(-1, "rt=temp*"), T);
	cr_expect_str_eq(LIST(-1, "rt=core.dns"), DNS);
	cr_expect_str_eq(LIST(-1, "rt=*"), T "," DNS);
	cr_expect_str_eq(LIST(-1, "rt"), T "," DNS);
	cr_expect_str_eq(LIST(-1, "rt="), "");
	cr_expect_str_eq(LIST(-1, "if=core.s"), T);
	cr_expect_str_eq(LIST(-1, "ct=112"), T);
	cr_expect_str_eq(LIST(-1, "ct=11"), "");
	cr_expect_str_eq(LIST(-1, "ct=5*"), DNS);
	cr_expect_str_eq(LIST(-1, "title=Read*"), T);
	cr_expect_str_eq(LIST(-1, "osc"), T "," DNS "," AB "," ROOT);
	cr_expect_str_eq(LIST(-1, "obs"), "");
	cr_expect_str_eq(LIST(-1, "unknown=*"), "");
	cr_expect_str_eq(LIST(-1, ""), "");
	cr_expect_str_eq(LIST(-1, "rt=*", "ct=553"), DNS, "all of them");
}

// All routes are compared with each filter, in a thread that serves others, too.
#define EDHOC_APART                                                                               \
	"</.well-known/edhoc>;rt=\"core.edhoc\";ed-method=1;ed-method=3;ed-csuite=2;ed-cred-t=1;" \
	"ed-cred-t=2;ed-idcred-t=4;ed-idcred-t=14;ed-idcred-t=33;ed-idcred-t=34;ed-r"
#define EDHOC EDHOC_APART ";ed-comb-req"

Test(map_core, edhoc_stands_first_where_it_is_served)
{
	conf->edhoc.offered_methods = 1 << 1 | 1 << 3;
	conf->edhoc.offered_suites = 1 << 2;
	cr_expect_str_eq(LIST(-1), EDHOC "," T "," DNS "," AB "," ROOT);
	cr_expect_str_eq(LIST(3), EDHOC, "whatever a policy says: it is outside of OSCORE");
	cr_expect_str_eq(LIST(-1, "rt=core.edhoc"), EDHOC);
	cr_expect_str_eq(LIST(-1, "rt=core.*"), EDHOC "," DNS);
	cr_expect_str_eq(LIST(-1, "href=/.well-known/edhoc"), EDHOC);
	cr_expect_str_eq(LIST(-1, "ed-csuite=2", "ed-method=3"), EDHOC);
	cr_expect_str_eq(LIST(-1, "ed-csuite=0"), "");
	cr_expect_str_eq(LIST(-1, "ed-method=2"), "");
	cr_expect_str_eq(LIST(-1, "ed-idcred-t=34"), EDHOC);
	cr_expect_str_eq(LIST(-1, "ed-comb-req"), EDHOC);
	cr_expect_str_eq(LIST(-1, "ed-i"), "", "the gateway is Responder only");
	cr_expect_str_eq(LIST(-1, "rt=temp.c"), T);
	conf->edhoc.message_4 = true;
	cr_expect_str_eq(LIST(-1, "ed-comb-req"), "", "which has no place for message_4");
	cr_expect_str_eq(LIST(-1, "rt=core.edhoc"), EDHOC_APART);
	conf->edhoc.message_4 = false;
	cr_expect_str_eq(list(-1, sizeof(EDHOC) - 2, (const char *const[]){NULL}), "");
}

Test(map_core, filters_are_few)
{
	cr_expect_str_eq(LIST(-1, "ct=553", "rt", "rt", "rt", "rt", "rt", "rt", "rt"), DNS);
	cr_expect_str_eq(
		LIST(-1, "ct=553", "rt", "rt", "rt", "rt", "rt", "rt", "rt", "rt"), "too many");
}

Test(map_core, whole_links_only)
{
	const char *const none[] = {NULL};

	for (size_t room = 1; room < sizeof(T "," DNS); room++) {
		const char *text = list(-1, room, none);

		cr_expect(!*text || !strcmp(text, T) || !strcmp(text, T "," DNS), "%zu: %s", room,
			text);
	}
}
