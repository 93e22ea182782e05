// SPDX-License-Identifier: BSD-3-Clause
// Which Host is answered, and which Accept wants OpenMetrics.

#include "gw/web/headers.h"

#include <criterion/criterion.h>
#include <string.h>

static char *names[] = {"gateway.example", "postern"};

Test(web_headers, a_host_is_an_address_localhost_or_a_name_of_ours)
{
	static const char *const good[] = {"127.0.0.1", "127.0.0.1:9683", "10.9.8.7:1", "[::1]",
		"[2001:db8::1]:9683", "localhost", "LOCALHOST:80", "gateway.example",
		"Gateway.Example:9683", "postern"};
	static const char *const bad[] = {"", ":80", "evil.example", "localhost.evil.example",
		"localhost.", "evil.localhost", "127.0.0.1.evil.example", "127.1", "0x7f.0.0.1",
		"2130706433", "::1", "[::1", "[::1]x", "[::1]:", "[localhost]", "[127.0.0.1]",
		"127.0.0.1:", "127.0.0.1:80:80", "127.0.0.1:8a", "127.0.0.1:123456", "127.0.0.1 ",
		" localhost", "localhost@evil.example", "gateway.example.evil", "gateway.exampl",
		"xpostern", "[]", "[fe80::1%lo]"};
	char longest[300];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_expect(web_host_allowed(good[i], names, 2), "%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(web_host_allowed(bad[i], names, 2), "%s", bad[i]);
	cr_expect_not(web_host_allowed("gateway.example", NULL, 0));
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = 0;
	cr_expect_not(web_host_allowed(longest, names, 2));
}

Test(web_headers, openmetrics_is_for_who_wants_it)
{
	static const char *const want[] = {"application/openmetrics-text",
		"application/openmetrics-text; version=1.0.0; charset=utf-8",
		"Application/OpenMetrics-Text;Version=1.0.0",
		"application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
		"version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		"text/plain;q=0.3 , application/openmetrics-text ; q=0.3",
		"text/plain;version=0.0.4;q=0.2,application/openmetrics-text;q=0.201"};
	static const char *const do_not[] = {"", "*/*", "text/plain", "text/html,*/*;q=0.8",
		"application/openmetrics-text;q=0", "application/openmetrics-text;q=0.000",
		"application/openmetrics-text;q=0.2,text/plain;q=0.3",
		"application/openmetrics-text;version=0.0.1",
		"application/openmetrics-text;version=2.0.0", "application/openmetrics-textual",
		"xapplication/openmetrics-text", "application/openmetrics-text;q=x",
		"application/openmetrics-text;q=", "application/openmetrics-text;q=1.5",
		",;,;=,q=1"};

	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		cr_expect(web_wants_openmetrics(want[i]), "%s", want[i]);
	for (size_t i = 0; i < sizeof(do_not) / sizeof(do_not[0]); i++)
		cr_expect_not(web_wants_openmetrics(do_not[i]), "%s", do_not[i]);
	cr_expect_not(web_wants_openmetrics(NULL));
}
