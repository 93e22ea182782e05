// SPDX-License-Identifier: BSD-3-Clause
// What people type: URIs, options, formats, numbers.

#include "gw/tools/coap/formats.h"
#include "gw/tools/coap/number.h"
#include "gw/tools/coap/printable.h"
#include "gw/tools/coap/uri.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The options as "3=host 11=a", values in words.
static void expect_uri(const char *text, const char *host, uint16_t port, const char *want)
{
	char got[4096] = "", *at = got, words[OPTION_TEXT_LEN];
	struct option_list options = {0};
	struct error f = {.code = 0};
	struct uri uri;

	cr_assert_eq(uri_parse(&uri, text, &options, &f), 0, "%s: %s", text, f.text);
	cr_expect_str_eq(uri.host, host);
	cr_expect_eq(uri.port, port);
	for (size_t i = 0; i < options.count; i++)
		at += sprintf(at, "%s%u=%s", i ? " " : "", options.at[i].number,
			option_text(words, &options.at[i]));
	cr_expect_str_eq(got, want, "%s: %s", text, got);
	option_list_free(&options);
}

static void expect_bad_uri(const char *text)
{
	struct option_list options = {0};
	struct error f = {.code = 0};
	struct uri uri;

	cr_expect_eq(uri_parse(&uri, text, &options, &f), -EINVAL, "%s", text);
	cr_expect_neq(f.text[0], 0);
	option_list_free(&options);
}

Test(client_words, uris_become_options)
{
	expect_uri("coap://10.0.0.1/t/temp", "10.0.0.1", 5683, "11=\"t\" 11=\"temp\"");
	expect_uri("coap://10.0.0.1", "10.0.0.1", 5683, "");
	expect_uri("coap://10.0.0.1/", "10.0.0.1", 5683, "");
	expect_uri("10.0.0.1:61616/a", "10.0.0.1", 61616, "11=\"a\"");
	expect_uri("COAP://Gateway.Example/a", "gateway.example", 5683,
		"3=\"gateway.example\" 11=\"a\"");
	expect_uri("coap://[2001:db8::1]:5690/a?b=c&d", "2001:db8::1", 5690,
		"11=\"a\" 15=\"b=c\" 15=\"d\"");
	expect_uri("coap://[fe80::1%25eth0]/a", "fe80::1%eth0", 5683, "11=\"a\"");
	expect_uri("coap://[fe80::1%eth0]/a", "fe80::1%eth0", 5683, "11=\"a\"");
	expect_uri("coap://h?q", "h", 5683, "3=\"h\" 15=\"q\"");
	expect_uri("coap://h:/a", "h", 5683, "3=\"h\" 11=\"a\"");
}

Test(client_words, percent_signs_are_decoded_after_the_uri_is_cut)
{
	expect_uri("coap://1.2.3.4/a%2Fb/c%20d?x%26y=%3d", "1.2.3.4", 5683,
		"11=\"a/b\" 11=\"c d\" 15=\"x&y==\"");
	expect_uri("coap://1.2.3.4/%C3%A4/a//b/", "1.2.3.4", 5683,
		"11=\"\xc3\xa4\" 11=\"a\" 11=\"\" 11=\"b\" 11=\"\"");
	expect_uri("coap://1.2.3.4/%00", "1.2.3.4", 5683, "11=\"\\x00\"");
}

Test(client_words, uris_that_cannot_be_are_refused)
{
	char longest[600] = "coap://h/";

	expect_bad_uri("coaps://h/a");
	expect_bad_uri("http://h/a");
	expect_bad_uri("coap://");
	expect_bad_uri("coap:///a");
	expect_bad_uri("coap://h/a#b");
	expect_bad_uri("coap://u@h/a");
	expect_bad_uri("coap://h:0/a");
	expect_bad_uri("coap://h:65536/a");
	expect_bad_uri("coap://h:x/a");
	expect_bad_uri("coap://[::1/a");
	expect_bad_uri("coap://[::1]x/a");
	expect_bad_uri("coap://h/%");
	expect_bad_uri("coap://h/%4");
	expect_bad_uri("coap://h/%zz");
	expect_bad_uri("coap://h%00/a");
	expect_bad_uri("coap://h/a/../b");
	expect_bad_uri("coap://h/%2e%2e/b");
	expect_bad_uri("coap://h/./b");
	memset(longest + 9, 'x', 256);
	expect_bad_uri(longest);
}

static void expect_option(const char *words, uint16_t number, const char *hex)
{
	struct option_list options = {0};
	struct error f = {.code = 0};
	char got[256];

	cr_assert_eq(option_add_words(&options, words, &f), 0, "%s: %s", words, f.text);
	cr_assert_eq(options.count, 1);
	cr_expect_eq(options.at[0].number, number);
	cr_expect_str_eq(hex_format(got, options.at[0].value, options.at[0].len), hex, "%s", words);
	option_list_free(&options);
}

Test(client_words, options_by_name_and_number)
{
	expect_option("max-age=300", 14, "012c");
	expect_option("Max-Age=0", 14, "");
	expect_option("hop-limit=0x00", 16, "00");
	expect_option("etag=0x0102", 4, "0102");
	expect_option("etag=ab", 4, "6162");
	expect_option("if-none-match", 5, "");
	expect_option("uri-path=..", 11, "2e2e");
	expect_option("uri-query=a=b", 15, "613d62");
	expect_option("content-format=json", 12, "32");
	expect_option("accept=60", 17, "3c");
	expect_option("block2=3/0/64", 23, "32");
	expect_option("block1=0/1/1024", 27, "0e");
	expect_option("2049=0xff", 2049, "ff");
	expect_option("65535=text", 65535, "74657874");
	expect_option("65535", 65535, "");
}

Test(client_words, options_that_cannot_be_are_refused)
{
	static const char *const bad[] = {"", "no-such=1", "65536=1", "max-age=x", "max-age=-1",
		"max-age=4294967296", "etag=0x1", "etag=0xzz", "if-none-match=1", "accept=nothing",
		"block2=1", "block2=0/2/64", "block2=0/0/48", "block2=0/0/2048", "block2=0/0/64x"};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct option_list options = {0};
		struct error f = {.code = 0};

		cr_expect_eq(option_add_words(&options, bad[i], &f), -EINVAL, "%s", bad[i]);
		cr_expect_neq(f.text[0], 0);
		option_list_free(&options);
	}
}

Test(client_words, options_are_sorted_and_equal_ones_keep_their_order)
{
	struct option_list options = {0};
	struct error f;
	char order[16] = "", *at = order;

	cr_assert_eq(option_add(&options, 15, "a", 1, &f), 0);
	cr_assert_eq(option_add(&options, 11, "b", 1, &f), 0);
	cr_assert_eq(option_add(&options, 60000, "c", 1, &f), 0);
	cr_assert_eq(option_add(&options, 11, "d", 1, &f), 0);
	cr_assert_eq(option_add(&options, 3, "e", 1, &f), 0);
	for (size_t i = 0; i < options.count; i++)
		*at++ = (char)options.at[i].value[0];
	cr_expect_str_eq(order, "ebdac");
	option_remove(&options, 11);
	cr_expect_eq(options.count, 3);
	cr_expect_not(option_has(&options, 11));
	cr_expect(option_has(&options, 15));
	option_list_free(&options);
}

Test(client_words, values_are_shown_printable)
{
	char text[OPTION_TEXT_LEN];
	static uint8_t many[2000];
	struct coap_option path = {11, 5, (const uint8_t *)"a\x1b[\"\x7f"};
	// A control of ISO 6429 (CSI) as UTF-8 and as a byte; a letter with a continuation byte
	// that looks like one; a cut letter.
	struct coap_option controls = {11, 8, (const uint8_t *)"\xc2\x9b\x9b\xc3\x9b\xc2\xa0\xe2"};
	struct coap_option long_path = {11, sizeof(many), many};
	struct coap_option long_etag = {4, sizeof(many), many};
	struct coap_option block = {23, 1, (const uint8_t *)"\x3a"};

	cr_expect_str_eq(option_text(text, &path), "\"a\\x1b[\\x22\\x7f\"");
	cr_expect_str_eq(option_text(text, &controls), "\"\\xc2\\x9b\\x9b\xc3\x9b\xc2\xa0\\xe2\"");
	cr_expect_lt(strlen(option_text(text, &long_path)), OPTION_TEXT_LEN);
	cr_expect_lt(strlen(option_text(text, &long_etag)), OPTION_TEXT_LEN);
	cr_expect_str_eq(option_text(text, &block), "3/1/64");
}

// Nothing that a peer sends moves a terminal's cursor, or turns what is read around.
Test(client_words, what_goes_to_a_terminal_is_no_command)
{
	static const struct {
		const char *bytes, *seen;
	} cases[] = {
		{"a\tb\nc", "a\tb\nc"},
		{"\x1b[2J\r\a\x7f", "\\x1b[2J\\x0d\\x07\\x7f"},
		{"\xc2\x9b"
		 "2J",
			"\\xc2\\x9b2J"},
		{"\x9b"
		 "2J",
			"\\x9b2J"},
		{"gr\xc3\xbc\xc3\x9f\xc2\xa0", "gr\xc3\xbc\xc3\x9f\xc2\xa0"},
		{"\xe2\x80\xae"
		 "exe\xe2\x81\xa6\xd8\x9c",
			"\\xe2\\x80\\xaeexe\\xe2\\x81\\xa6\\xd8\\x9c"},
		{"\xe2\x80\x8f\xe2\x80\xa8\xe2\x81\xa9",
			"\\xe2\\x80\\x8f\\xe2\\x80\\xa8\\xe2\\x81\\xa9"},
		{"\xe2\x80\x93\xe2\x82\xac\xe2\x81\xaa", "\xe2\x80\x93\xe2\x82\xac\xe2\x81\xaa"},
		{"cut \xe2\x82", "cut \\xe2\\x82"},
	};
	char text[OPTION_TEXT_LEN];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *seen = NULL;
		size_t len;
		FILE *out = open_memstream(&seen, &len);

		printable_write(out, (const uint8_t *)cases[i].bytes, strlen(cases[i].bytes));
		fclose(out);
		cr_expect_str_eq(seen, cases[i].seen);
		free(seen);
	}
	struct coap_option turned = {11, 4,
		(const uint8_t *)"\xe2\x80\xae"
				 "a"};

	cr_expect_str_eq(option_text(text, &turned), "\"\\xe2\\x80\\xaea\"");
}

Test(client_words, formats)
{
	static const struct {
		const char *text;
		uint16_t number;
	} good[] = {{"json", 50}, {"application/json", 50}, {"CBOR", 60}, {"text/plain", 0},
		{"plain", 0}, {"50", 50}, {"65535", 65535}, {"senml+cbor", 112},
		{"octet-stream", 42}};
	uint16_t number;

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_assert(format_parse(good[i].text, &number), "%s", good[i].text);
		cr_expect_eq(number, good[i].number);
	}
	cr_expect_not(format_parse("", &number));
	cr_expect_not(format_parse("jsonx", &number));
	cr_expect_not(format_parse("65536", &number));
	for (size_t i = 0; format_at(i, &number); i++)
		cr_expect_str_eq(format_name(number), format_at(i, &number));
}

Test(client_words, numbers_and_times)
{
	uint64_t value;
	unsigned ms;
	uint8_t bytes[2];

	cr_expect(number_parse("18446744073709551615", UINT64_MAX, &value) && value == UINT64_MAX);
	cr_expect_not(number_parse("18446744073709551616", UINT64_MAX, &value));
	cr_expect_not(number_parse("10", 9, &value));
	cr_expect(number_parse("5", 5, &value));
	cr_expect_not(number_parse("6", 5, &value));
	cr_expect_not(number_parse("+1", 9, &value));
	cr_expect_not(number_parse(" 1", 9, &value));
	cr_expect_not(number_parse("", 9, &value));
	cr_expect(seconds_parse("2", &ms) && ms == 2000);
	cr_expect(seconds_parse("0.25", &ms) && ms == 250);
	cr_expect(seconds_parse("1.5", &ms) && ms == 1500);
	cr_expect(seconds_parse("0.005", &ms) && ms == 5);
	cr_expect_not(seconds_parse(".", &ms));
	cr_expect_not(seconds_parse("1.", &ms));
	cr_expect_not(seconds_parse("1.0001", &ms));
	cr_expect_not(seconds_parse("-1", &ms));
	cr_expect_not(seconds_parse("99999999999999999999", &ms));
	cr_expect_eq(hex_parse("00fF", bytes, 2), 2);
	cr_expect_eq(hex_parse("00ff00", bytes, 2), -1);
	cr_expect_eq(hex_parse("0", bytes, 2), -1);
	cr_expect_eq(hex_parse("0x", bytes, 2), -1);
	cr_expect_eq(hex_parse("", bytes, 2), 0);
}
