// SPDX-License-Identifier: BSD-3-Clause
// Single values of a configuration: units, URLs, path patterns, addresses.

#include "gw/conf/mistakes.h"
#include "gw/conf/path.h"
#include "gw/conf/schema.h"
#include "gw/conf/units.h"
#include "gw/conf/url.h"
#include "gw/conf/value.h"

#include <criterion/criterion.h>
#include <string.h>

#define REFUSED UINT64_MAX

static uint64_t number_of(enum conf_type type, const char *text)
{
	struct conf_key key = {.type = type, .size = 8, .max = UINT64_C(1) << 40};
	char why[CONF_WHY_MAX];
	uint64_t value = 0;

	return conf_value_parse(&key, text, &value, why) == CONF_OK ? value : REFUSED;
}

Test(conf_value, quantities_are_whole_numbers_with_a_unit)
{
	static const struct {
		enum conf_type type;
		const char *text;
		uint64_t value;
	} cases[] = {
		{CONF_DURATION, "200ms", 200},
		{CONF_DURATION, "3s", 3000},
		{CONF_DURATION, "2m", 120000},
		{CONF_DURATION, "1h", 3600000},
		{CONF_DURATION, "0ms", 0},
		{CONF_DURATION, "200", REFUSED},
		{CONF_DURATION, "200 ms", REFUSED},
		{CONF_DURATION, "1d", REFUSED},
		{CONF_DURATION, "ms", REFUSED},
		{CONF_DURATION, "1s1ms", REFUSED},
		{CONF_SIZE, "1B", 1},
		{CONF_SIZE, "64KB", 65536},
		{CONF_SIZE, "64MB", 67108864},
		{CONF_SIZE, "2GB", UINT64_C(2147483648)},
		{CONF_SIZE, "64", REFUSED},
		{CONF_SIZE, "64K", REFUSED},
		{CONF_SIZE, "64mb", REFUSED},
		{CONF_PERCENT, "20%", 20},
		{CONF_PERCENT, "20", REFUSED},
		{CONF_PERCENT, "20 %", REFUSED},
		{CONF_INT, "0", 0},
		{CONF_INT, "00", REFUSED},
		{CONF_INT, "1e3", REFUSED},
		{CONF_INT, "+1", REFUSED},
		{CONF_INT, "", REFUSED},
		{CONF_MODE, "0660", 0660},
		{CONF_MODE, "600", 0600},
		{CONF_MODE, "0680", REFUSED},
		{CONF_MODE, "66", REFUSED},
		{CONF_BOOL, "true", 1},
		{CONF_BOOL, "yes", 1},
		{CONF_BOOL, "false", 0},
		{CONF_BOOL, "no", 0},
		{CONF_BOOL, "True", REFUSED},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(number_of(cases[i].type, cases[i].text), cases[i].value, "%s",
			cases[i].text);
}

Test(conf_value, each_width_of_a_number_is_stored_alone)
{
	for (size_t size = 1; size <= 8; size *= 2) {
		uint8_t room[16];
		memset(room, 0xaa, sizeof(room));
		conf_uint_store(room, size, 0x12);
		for (size_t i = size; i < sizeof(room); i++)
			cr_expect_eq(room[i], 0xaa, "%zu of %zu", i, size);
		cr_expect_eq(room[0], 0x12);
	}
}

Test(conf_value, quantities_are_written_in_their_largest_unit)
{
	static const struct {
		uint64_t value;
		const char *duration, *size;
	} cases[] = {
		{0, "0ms", "0B"},
		{1, "1ms", "1B"},
		{1500, "1500ms", "1500B"},
		{3600000, "1h", "3600000B"},
		{3661000, "3661s", "3661000B"},
		{65536, "65536ms", "64KB"},
		{1 << 30, "1073741824ms", "1GB"},
	};
	char text[32];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		conf_duration_format(cases[i].value, text, sizeof(text));
		cr_expect_str_eq(text, cases[i].duration);
		conf_size_format(cases[i].value, text, sizeof(text));
		cr_expect_str_eq(text, cases[i].size);
	}
}

Test(conf_value, urls_are_split)
{
	static const struct {
		const char *text, *host, *authority, *origin, *base, *unix_path;
		uint16_t port;
	} cases[] = {
		{"http://10.0.0.5", "10.0.0.5", "10.0.0.5", "http://10.0.0.5", "", NULL, 80},
		{"http://h:80/", "h", "h", "http://h", "", NULL, 80},
		{"http://h:443", "h", "h:443", "http://h:443", "", NULL, 443},
		{"https://h:443", "h", "h", "https://h", "", NULL, 443},
		{"https://a-b.example:8443/base", "a-b.example", "a-b.example:8443",
			"https://a-b.example:8443", "/base", NULL, 8443},
		{"https://h/a/b%20c/", "h", "h", "https://h", "/a/b%20c", NULL, 443},
		{"http://[2001:db8::1]", "2001:db8::1", "[2001:db8::1]", "http://[2001:db8::1]", "",
			NULL, 80},
		{"http://[::1]:8080/x", "::1", "[::1]:8080", "http://[::1]:8080", "/x", NULL, 8080},
		{"http+unix:/run/app.sock", "localhost", "localhost", "http://localhost", "",
			"/run/app.sock", 0},
		{"h2c://h/x", "h", "h", "http://h", "/x", NULL, 80},
		{"h2c://h:443", "h", "h:443", "http://h:443", "", NULL, 443},
		{"h2://h", "h", "h", "https://h", "", NULL, 443},
		{"h2://h:80", "h", "h:80", "https://h:80", "", NULL, 80},
		{"h2c+unix:/run/app.sock", "localhost", "localhost", "http://localhost", "",
			"/run/app.sock", 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_server server = {0};
		char why[CONF_WHY_MAX] = "";
		cr_assert_eq(conf_url_parse(cases[i].text, &server, why), CONF_OK, "%s: %s",
			cases[i].text, why);
		cr_expect_str_eq(server.text, cases[i].text);
		cr_expect_str_eq(server.host, cases[i].host);
		cr_expect_str_eq(server.authority, cases[i].authority);
		cr_expect_str_eq(server.origin, cases[i].origin);
		cr_expect_str_eq(server.base, cases[i].base);
		cr_expect_eq(server.port, cases[i].port);
		bool https = !strncmp(cases[i].origin, "https", 5);
		cr_expect_eq(server.scheme, https ? CONF_HTTPS : CONF_HTTP);
		cr_expect_eq(server.http2, !strncmp(cases[i].text, "h2", 2));
		if (cases[i].unix_path)
			cr_expect_str_eq(server.unix_path, cases[i].unix_path);
		else
			cr_expect_null(server.unix_path);
		conf_url_free(&server);
	}
}

Test(conf_value, urls_that_could_mislead_are_refused)
{
	static const char *const cases[] = {
		"",
		"h",
		"h:80",
		"http:",
		"http:/h",
		"http://",
		"http://:80",
		"HTTP://h",
		"ftp://h",
		"http://u@h",
		"http://u:p@h",
		"http://h?q",
		"http://h/#f",
		"http://h:",
		"http://h:0",
		"http://h:080",
		"http://h:65536",
		"http://h:8a",
		"http://h:80:80",
		"http://[::1",
		"http://::1",
		"http://[10.0.0.1]",
		"http://[fe80::1%25eth0]",
		"http://[]",
		"http://10.1",
		"http://1.2.3.256",
		"http://127",
		"http://-h",
		"http://h-",
		"http://a..b",
		"http://.h",
		"http://a b",
		"http://h/a b",
		"http://h/../x",
		"http://h/a//b",
		"http://h/a%2fb",
		"http://h/%zz",
		"http://h/%0d%0ax",
		"http://h//",
		"http://h/a*",
		"http://h/\xc3\xa9",
		"h2c:",
		"h2c:/h",
		"h2c://",
		"h2://u@h",
		"H2C://h",
		"h3://h",
		"h2+unix:/app.sock",
		"h2c+unix:app.sock",
		"http+unix:",
		"http+unix:app.sock",
		"http+unix:/",
		"http+unix:///app.sock",
		"http+unix:/0123456789012345678901234567890123456789012345678901234567890123456789"
		"01234567890123456789012345678901234567",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_server server = {0};
		char why[CONF_WHY_MAX] = "";
		cr_expect_eq(conf_url_parse(cases[i], &server, why), CONF_BAD, "%s", cases[i]);
		cr_expect(why[0], "%s: no reason", cases[i]);
		cr_expect_null(server.host);
	}
}

// Writes a pattern as its decoded segments, "." for any and "..." for any rest.
static const char *pattern_text(const struct conf_pattern *pattern, char *buf, size_t room)
{
	size_t len = 0;

	buf[0] = 0;
	for (size_t i = 0; i < pattern->count; i++)
		len += snprintf(buf + len, room - len, "[%s]",
			pattern->segments[i].any ? "." : pattern->segments[i].text);
	snprintf(buf + len, room - len, "%s", pattern->rest ? "..." : "");
	return buf;
}

Test(conf_value, patterns_are_lists_of_decoded_segments)
{
	static const struct {
		const char *text, *segments;
	} cases[] = {
		{"/", ""},
		{"/*", "..."},
		{"/t", "[t]"},
		{"/t/", "[t][]"},
		{"/t/*", "[t]..."},
		{"/*/b", "[.][b]"},
		{"/*/*", "[.]..."},
		{"/*/", "[.][]"},
		{"/a%20b/%2A/%c3%a9", "[a b][*][\xc3\xa9]"},
		{"/\xc3\xa9", "[\xc3\xa9]"},
		{"/...", "[...]"},
		{"/a;b", "[a;b]"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_pattern pattern;
		char why[CONF_WHY_MAX] = "", text[256];
		cr_assert_eq(conf_pattern_parse(cases[i].text, &pattern, why), CONF_OK, "%s: %s",
			cases[i].text, why);
		cr_expect_str_eq(pattern_text(&pattern, text, sizeof(text)), cases[i].segments);
		cr_expect_str_eq(pattern.text, cases[i].text);
		conf_pattern_free(&pattern);
	}
}

// The rules for the segments of a device's path hold for patterns too: such a path is answered
// with 4.00 and never comes to a route.
Test(conf_value, patterns_that_no_request_can_match_are_refused)
{
	static const char *const cases[] = {
		"",
		"t",
		"t/*",
		"//",
		"/a//b",
		"/./a",
		"/a/..",
		"/a/..;x/b",
		"/.;",
		"/;x",
		"/a%2fb",
		"/a%5Cb",
		"/%00",
		"/%7f",
		"/%1",
		"/%",
		"/%gg",
		"/a*",
		"/*a/b",
		"/**",
		"/a b",
		"/a?b",
		"/a#b",
		"/a\\b",
		"/%ff",
		"/%c0%80",
		"/%ed%a0%80",
		"/%f4%90%80%80",
		"/%e2%82",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_pattern pattern;
		char why[CONF_WHY_MAX] = "";
		cr_expect_eq(conf_pattern_parse(cases[i], &pattern, why), CONF_BAD, "%s", cases[i]);
		cr_expect(why[0], "%s: no reason", cases[i]);
	}

	char deep[2 * CONF_SEGMENTS_MAX + 3] = "";
	char why[CONF_WHY_MAX];
	struct conf_pattern pattern;
	for (unsigned i = 0; i < CONF_SEGMENTS_MAX; i++)
		memcpy(deep + 2 * i, "/a", 3);
	cr_assert_eq(conf_pattern_parse(deep, &pattern, why), CONF_OK);
	conf_pattern_free(&pattern);
	memcpy(deep + 2 * CONF_SEGMENTS_MAX, "/*", 3);
	cr_assert_eq(conf_pattern_parse(deep, &pattern, why), CONF_OK);
	cr_expect_eq(pattern.count, CONF_SEGMENTS_MAX);
	conf_pattern_free(&pattern);
	memcpy(deep + 2 * CONF_SEGMENTS_MAX, "/a", 3);
	cr_expect_eq(conf_pattern_parse(deep, &pattern, why), CONF_BAD);
}

Test(conf_value, prefixes_keep_address_and_length)
{
	struct conf_prefix prefix = {0};
	char why[CONF_WHY_MAX];

	cr_assert_eq(conf_prefix_parse("192.0.2.1/24", &prefix, why), CONF_OK);
	cr_expect_eq(prefix.family, AF_INET);
	cr_expect_eq(prefix.len, 24);
	cr_expect_arr_eq(prefix.addr, ((uint8_t[]){192, 0, 2, 1}), 4);
	// A link of two (RFC 3021) and a single host have no network or broadcast address.
	cr_expect_eq(conf_prefix_parse("192.0.2.0/31", &prefix, why), CONF_OK);
	cr_expect_eq(conf_prefix_parse("192.0.2.255/32", &prefix, why), CONF_OK);
	cr_assert_eq(conf_prefix_parse("2001:db8::1/64", &prefix, why), CONF_OK);
	cr_expect_eq(prefix.family, AF_INET6);
	cr_expect_eq(prefix.len, 64);
	cr_expect_arr_eq(prefix.addr, ((uint8_t[]){0x20, 1, 0xd, 0xb8, [15] = 1}), 16);
	cr_expect_eq(conf_prefix_parse("fe80::1/64", &prefix, why), CONF_OK);
}

Test(conf_value, quoted_text_is_fit_for_a_terminal)
{
	char buf[CONF_QUOTE_MAX], text[200];

	cr_expect_str_eq(conf_quote(buf, "a\x1b[31m\x7f\xc2\x9b\xc3\xa9"), "a?[31m??\xc3\xa9");
	// Cut behind a whole character, wherever the room ends.
	for (size_t shift = 0; shift < 4; shift++) {
		memset(text, 'a', shift);
		for (size_t i = shift; i + 2 < sizeof(text); i += 2)
			memcpy(text + i, "\xc3\xa9", 3);
		conf_quote(buf, text);
		size_t len = strlen(buf);
		cr_expect_lt(len, CONF_QUOTE_MAX);
		cr_expect_str_eq(buf + len - 3, "...");
		cr_expect_eq((uint8_t)buf[len - 4], 0xa9, "shift %zu", shift);
	}
}

Test(conf_value, the_nearest_name_is_one_or_two_slips_away)
{
	static const char *const names[] = {"ports", "upstreams", "tls", NULL};

	cr_expect_str_eq(conf_nearest("port", names, sizeof(names[0])), "ports");
	cr_expect_str_eq(conf_nearest("prots", names, sizeof(names[0])), "ports");
	cr_expect_str_eq(conf_nearest("upsteams", names, sizeof(names[0])), "upstreams");
	cr_expect_str_eq(conf_nearest("tsl", names, sizeof(names[0])), "tls");
	cr_expect_null(conf_nearest("t", names, sizeof(names[0])));
	cr_expect_null(conf_nearest("routes", names, sizeof(names[0])));
	cr_expect_null(
		conf_nearest("upstreams_upstreams_upstreams_upstreams", names, sizeof(names[0])));
}
