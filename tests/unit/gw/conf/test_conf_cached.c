// SPDX-License-Identifier: BSD-3-Clause
// Which routes store answers, where their home is, and whose changes count.

#include "gw/conf/cached.h"

#include <criterion/criterion.h>
#include <string.h>

static struct conf *load(const char *upstream, const char *routes)
{
	struct conf *conf;
	char text[4096];

	snprintf(text, sizeof(text),
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		"workers: {loops: 4}\n"
		"upstreams: {up: {servers: [\"http://a:1\"]%s}, other: {servers: "
		"[\"http://b:1\"]}}\n"
		"routes: [%s]\n",
		upstream, routes);
	cr_assert_eq(conf_parse("f", text, strlen(text), &conf, stderr), 0);
	return conf;
}

Test(conf_cached, what_stores_and_what_changes)
{
	struct conf *conf = load("",
		"{path: /a/*, methods: [GET], to: up, cache: shared},"
		"{path: /a/*, methods: [PUT], to: other},"
		"{path: /a/b, methods: [FETCH], to: up},"
		"{path: /a/b, methods: [POST], to: up},"
		"{path: /b, to: up},"
		"{path: /c, to: up, cache: {scope: private, default: 5s}},"
		"{path: /*/d, methods: [DELETE], to: up}");
	const struct conf_route *r = conf->routes;

	cr_expect_eq(r[0].cache.scope, CONF_CACHE_SHARED);
	cr_expect(r[0].cache.id && !r[0].invalidates);
	cr_expect(!r[1].cache.id && r[1].invalidates);
	cr_expect(!r[2].cache.id && !r[2].invalidates);
	cr_expect(!r[3].cache.id && r[3].invalidates);
	cr_expect(!r[4].cache.id && !r[4].invalidates && !r[4].home);
	cr_expect_eq(r[5].cache.scope, CONF_CACHE_PRIVATE);
	cr_expect_eq(r[5].cache.default_ms, 5000);
	cr_expect(r[5].cache.id && r[5].invalidates && r[5].cache.id != r[0].cache.id);
	cr_expect(!r[6].cache.id && r[6].invalidates);
	cr_expect(r[0].home >= 1 && r[0].home <= 4);
	cr_expect_eq(r[1].home, r[0].home, "all of a path have one home");
	cr_expect_eq(r[3].home, r[0].home);
	conf_free(conf);
}

// What an answer follows from is in the id; what it does not follow from is not.
Test(conf_cached, ids)
{
	static const struct {
		const char *upstream, *route;
		bool same;
	} others[] = {
		{"", "{path: /a, to: up, cache: shared}", true},
		{"",
			"{path: /a, to: up, cache: shared, methods: [GET], timeout: 1s, priority: "
			"low}",
			true},
		{", timeout: 7s", "{path: /a, to: up, cache: shared}", true},
		{"", "{path: /b, to: up, cache: shared}", false},
		{"", "{path: /a, to: other, cache: shared}", false},
		{"", "{path: /a, to: up, cache: private}", false},
		{"", "{path: /a, to: up, cache: {scope: shared, default: 1s}}", false},
		{"", "{path: /a, to: up, cache: shared, strip: 1}", false},
		{"", "{path: /a, to: up, cache: shared, prefix: /x}", false},
		{"", "{path: /a, to: up, cache: shared, host: x.example}", false},
		{"", "{path: /a, to: up, cache: shared, fetch: query}", false},
		{"", "{path: /a, to: up, cache: shared, translate: cbor-json}", false},
		{"", "{path: /a, to: up, cache: shared, status: {404: 4.00}}", false},
		{"", "{path: /a, to: up, cache: shared, headers: {X-A: b}}", false},
		{", headers: {X-A: b}", "{path: /a, to: up, cache: shared}", false},
		{", max_age: 5s", "{path: /a, to: up, cache: shared}", false},
	};
	struct conf *first = load("", "{path: /a, to: up, cache: shared}");

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct conf *other = load(others[i].upstream, others[i].route);

		cr_expect_eq(first->routes[0].cache.id == other->routes[0].cache.id, others[i].same,
			"%s %s", others[i].upstream, others[i].route);
		conf_free(other);
	}
	conf_free(first);
}

Test(conf_cached, patterns_that_meet)
{
	static const struct {
		const char *a, *b;
		bool meet;
	} rows[] = {
		{"/a", "/a", true},
		{"/a", "/b", false},
		{"/a", "/a/b", false},
		{"/a/*", "/a", true},
		{"/a/*", "/a/b/c", true},
		{"/a/*", "/b", false},
		{"/a/*/c", "/a/b/c", true},
		{"/a/*/c", "/a/b/d", false},
		{"/a/*/c", "/*/b/c", true},
		{"/a/*", "/*/b", true},
		{"/*", "/a/b", true},
		{"/a/b/*", "/a", false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char routes[256];

		snprintf(routes, sizeof(routes),
			"{path: %s, to: up, methods: [GET]}, {path: %s, to: up, methods: [PUT]}",
			rows[i].a, rows[i].b);
		struct conf *conf = load("", routes);

		cr_expect_eq(conf_patterns_meet(&conf->routes[0].path, &conf->routes[1].path),
			rows[i].meet, "%s %s", rows[i].a, rows[i].b);
		cr_expect_eq(conf_patterns_meet(&conf->routes[1].path, &conf->routes[0].path),
			rows[i].meet, "%s %s", rows[i].b, rows[i].a);
		conf_free(conf);
	}
}

// What is wrong with routes of this upstream; "" if nothing is.
static const char *mistakes(const char *routes)
{
	static char said[1024];
	char text[1024];
	struct conf *conf;
	FILE *errors = fmemopen(said, sizeof(said), "w");

	said[0] = 0;
	snprintf(text, sizeof(text),
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		"upstreams: {up: {servers: [\"http://a:1\"]}}\nroutes: [%s]\n",
		routes);
	if (!conf_parse("f", text, strlen(text), &conf, errors))
		conf_free(conf);
	fclose(errors);
	return said;
}

Test(conf_cached, what_can_be_streamed)
{
	cr_expect_str_eq(
		mistakes("{path: /a, to: up, cache: shared, observe: {stream: {format: 0}}}, "
			 "{path: /b, to: up, cache: shared, observe: {poll: 5s, stream: "
			 "{format: 50, event: x, max: 3, quiet: 10s}}}"),
		"");
	cr_expect_str_eq(mistakes("{path: /a, to: up, cache: shared, observe: {stream: {}}}"),
		"f:3:54: routes[0].observe.stream: needs the key format\n");
	cr_expect(strstr(
		mistakes("{path: /a, to: up, cache: private, observe: {stream: {format: 0}}}"),
		"routes[0].observe.stream: needs cache: shared, else there is one for each "
		"device\n"));
	cr_expect(strstr(mistakes("{path: /a, to: up, methods: [FETCH], cache: shared, "
				  "observe: {stream: {format: 0}}}"),
		"routes[0].observe.stream: has no use without GET, which is what is streamed\n"));
	cr_expect(strstr(mistakes("{path: /a, to: up, cache: shared, translate: cbor-json, "
				  "observe: {stream: {format: 0}}}"),
		"routes[0].observe.stream: its events are not translated, so that it has no use "
		"with translate\n"));
	cr_expect(strstr(mistakes("{path: /a, to: up, methods: [GET], cache: shared, "
				  "observe: {stream: {format: 0}}}, "
				  "{path: /a, to: up, methods: [FETCH], cache: shared, "
				  "observe: {stream: {format: 0, event: x}}}"),
		"observe: must be the same for all routes of the path that take GET or FETCH"));
}

Test(conf_cached, what_can_be_observed)
{
	cr_expect_str_eq(mistakes("{path: /a, to: up, cache: shared, observe: {poll: 5s}}, "
				  "{path: /b, to: up, cache: private, observe: {}}"),
		"");
	cr_expect_str_eq(mistakes("{path: /a, to: up, observe: {}}"),
		"f:3:29: routes[0].observe: needs cache, too\n");
	cr_expect_str_eq(mistakes("{path: /a, to: up, cache: private, observe: {poll: 5s}}"),
		"f:3:45: routes[0].observe.poll: needs cache: shared, else it is asked for each "
		"device\n");
	cr_expect_str_eq(mistakes("{path: /a, to: up, cache: private, observe: {push: true}}"),
		"f:3:45: routes[0].observe.push: needs push.listen, where services push\n");
	cr_expect_str_eq(
		mistakes("{path: /a, to: up, methods: [FETCH], cache: shared, observe: {push: "
			 "true}}]\npush: {listen: /p}\npolicies: {p: {allow: []}}\n#"),
		"f:3:62: routes[0].observe.push: has no use without GET, which is what is "
		"pushed\n");
	cr_expect_str_eq(mistakes("{path: /a, to: up, cache: shared, observe: {strem: 50}}"),
		"f:3:54: routes[0].observe.strem: unknown key; did you mean stream?\n");
	cr_expect_str_eq(mistakes("{path: /a, to: up, methods: [GET], cache: shared, observe: {}}, "
				  "{path: /a, to: up, methods: [FETCH], cache: shared}"),
		"f:3:60: routes[0].observe: must be the same for all routes of the path that take "
		"GET or FETCH, see line 3\n");
}

Test(conf_cached, where_is_pushed)
{
	static const struct {
		const char *push, *said;
	} rows[] = {
		{"listen: /run/p.sock", ""},
		{"listen: /run/p.sock, token: /t", ""},
		{"listen: \"127.0.0.1:9684\"", ""},
		{"listen: \"127.9.0.1:9684\"", ""},
		{"listen: \"[::1]:9684\"", ""},
		{"listen: \"192.0.2.1:9684\", token: /t", ""},
		{"listen: \"[::]:9684\", token: /t", ""},
		{"listen: \"192.0.2.1:9684\"",
			"f:4:16: push.listen: needs push.token beyond loopback and a UNIX "
			"socket\n"},
		{"listen: \"0.0.0.0:9684\"",
			"f:4:16: push.listen: needs push.token beyond loopback and a UNIX "
			"socket\n"},
		{"listen: \"[::]:9684\"",
			"f:4:16: push.listen: needs push.token beyond loopback and a UNIX "
			"socket\n"},
		{"listen: \"[::ffff:127.0.0.1]:9684\"",
			"f:4:16: push.listen: needs push.token beyond loopback and a UNIX "
			"socket\n"},
		{"token: /t", ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];

		snprintf(text, sizeof(text), "{path: /a, to: up}]\npush: {%s}\n#", rows[i].push);
		cr_expect_str_eq(
			mistakes(text), rows[i].said, "%s: %s", rows[i].push, mistakes(text));
	}
}
