// SPDX-License-Identifier: BSD-3-Clause
// HTTP answer to CoAP answer: the tables of docs/http.md, row by row.

#include "gw/map/error_codes.h"
#include "gw/map/response.h"
#include "tests/unit/gw/map/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

// RFC 8613 appendix C.7: the plaintext byte by byte.
Test(map_response, rfc8613_c7)
{
	static const uint8_t want[] = {
		0x45, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x20, 0x57, 0x6f, 0x72, 0x6c, 0x64, 0x21};
	struct map_etags *etags = map_etags_create(map_bed_etag_key);
	struct http_reply reply;
	struct map_request msg;
	uint8_t body[TEXT_BODY_MAX], out[64], code;
	struct map_response mapping = {.server = &map_bed_server,
		.etags = etags,
		.now = MAP_BED_NOW,
		.max_age_max = MAP_BED_MAX_AGE,
		.out = out,
		.room = sizeof(out)};
	size_t n = text_request("GET host=localhost path=tv1", &code, body);

	cr_assert_eq(map_request_parse(&msg, &map_bed_route, code, body, n), HTTP_ERR_none);
	http_reply_init(&reply);
	http_reply_status(&reply, 200);
	cr_assert_eq(http_reply_header(&reply, "Cache-Control: max-age=60", 25), HTTP_ERR_none);
	reply.body = (const uint8_t *)"Hello World!";
	reply.body_len = 12;
	cr_assert_eq(map_response_build(&reply, &msg, &mapping), HTTP_ERR_none);
	cr_expect_arr_eq(out, want, sizeof(want));
	cr_expect_eq(mapping.len, sizeof(want));
	map_etags_free(etags);
}

// RFC 7252 section 10.1.
Test(map_response, success_by_method)
{
	static const struct map_bed_row rows[] = {
		{"GET", "200#x", "2.05 max-age=0 |x"},
		{"GET", "200", "2.05 max-age=0"},
		{"GET", "201#x", "2.05 max-age=0 |x"},
		{"GET", "202#x", "2.05 max-age=0 |x"},
		{"GET", "203#x", "2.05 max-age=0 |x"},
		{"GET", "204#x", "2.05 max-age=0"},
		{"GET", "205#x", "2.05 max-age=0"},
		{"GET", "226#x", "2.05 max-age=0 |x"},
		{"FETCH |q", "200#x", "2.05 max-age=0 |x"},
		{"FETCH |q", "204", "2.05 max-age=0"},
		{"POST |q", "200#x", "2.04 |x"},
		{"POST |q", "201#x", "2.01 |x"},
		{"POST |q", "202", "2.04"},
		{"POST |q", "204", "2.04"},
		{"POST |q", "200|Cache-Control: max-age=5", "2.04"},
		{"PUT |q", "200#x", "2.04 |x"},
		{"PUT |q", "201", "2.01"},
		{"PUT |q", "204", "2.04"},
		{"DELETE", "200#x", "2.02 |x"},
		{"DELETE", "202", "2.02"},
		{"DELETE", "204", "2.02"},
		{"DELETE", "404#gone", "2.02"},
		{"DELETE", "410", "2.02"},
		{"PATCH |q", "200", "2.04"},
		{"PATCH |q", "201", "2.01"},
		{"iPATCH |q", "204", "2.04"},
	};

	CHECK(rows);
}

Test(map_response, statuses)
{
	static const struct {
		int first, last;
		const char *code;
	} rows[] = {
		{100, 199, "5.02"}, // 1xx that are final: 101
		{206, 206, "2.04"}, // of a POST: it was performed
		{300, 399, "5.02"},
		{400, 400, "4.00"},
		{401, 401, "4.01"},
		{402, 402, "4.00"},
		{403, 403, "4.03"},
		{404, 404, "4.04"},
		{405, 405, "4.05"},
		{406, 406, "4.06"},
		{407, 407, "5.02"},
		{408, 408, "5.04"},
		{409, 409, "4.09"},
		{410, 410, "4.04"},
		{411, 411, "4.00"},
		{412, 412, "4.12"},
		{413, 413, "4.13"},
		{414, 414, "4.00"},
		{415, 415, "4.15"},
		{416, 418, "4.00"},
		{421, 421, "5.02"},
		{422, 422, "4.22"},
		{423, 424, "4.00"}, // unknown ones count as 400
		{425, 425, "4.01"},
		{426, 428, "4.00"},
		{429, 429, "4.29"},
		{430, 450, "4.00"},
		{451, 451, "4.03"},
		{452, 499, "4.00"},
		{500, 500, "5.00"},
		{501, 501, "5.01"},
		{502, 502, "5.02"},
		{503, 503, "5.03"},
		{504, 504, "5.04"},
		{505, 505, "5.02"},
		{506, 510, "5.00"},
		{511, 511, "5.02"},
		{512, 599, "5.00"}, // unknown ones count as 500
		{600, 999, "5.02"},
	};
	struct map_bed bed = map_bed_create();
	char http[8];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int status = rows[i].first; status <= rows[i].last; status++) {
			sprintf(http, "%d", status);
			const char *answer = map_bed_answer(&bed, "POST |q", http);
			cr_expect(!strncmp(answer, rows[i].code, 4), "%d is %s", status, answer);
		}
	}
	map_etags_free(bed.etags);
}

// What a route says of a status goes before the table, for all methods; what goes with a code
// follows the code.
Test(map_response, statuses_of_a_route)
{
	static struct conf_status statuses[] = {{.status = 404, .code = COAP_BAD_REQUEST},
		{.status = 418, .code = COAP_FORBIDDEN},
		{.status = 500, .code = COAP_SERVICE_UNAVAILABLE},
		{.status = 503, .code = COAP_INTERNAL_SERVER_ERROR},
		{.status = 413, .code = COAP_BAD_REQUEST}, {.status = 307, .code = COAP_NOT_FOUND},
		{.status = 600, .code = COAP_NOT_FOUND}};
	static const struct conf_route route = {
		.prefix = "", .statuses = statuses, .status_count = 7};
	static const struct map_bed_row rows[] = {
		{"GET", "404#why", "4.00 max-age=0 |why"},
		{"DELETE", "404", "4.00 max-age=0"},
		{"DELETE", "410", "2.02"},
		{"POST |q", "418", "4.03 max-age=0"},
		{"POST |q", "400", "4.00 max-age=0"},
		{"GET", "500|Retry-After: 7", "5.03 max-age=7"},
		{"GET", "503|Retry-After: 7", "5.00 max-age=0"},
		{"PUT |q", "413|Upload-Limit: max-size=9", "4.00 max-age=0"},
		{"GET", "307|Location: /x", "4.04 max-age=0"},
		{"GET", "302|Location: /x", "5.02 max-age=0 |backend redirects"},
		{"GET", "200#x", "2.05 max-age=0 |x"},
	};
	struct map_bed bed = map_bed_create();

	bed.route = &route;
	map_bed_check(bed, rows, sizeof(rows) / sizeof(rows[0]));
}

// A method that changes something was performed if the backend says so. Whatever is wrong with the
// body, the device is told its success, and that alone.
Test(map_response, performed)
{
	static const char *const bodies[] = {
		"|Content-Type: application/json|Content-Encoding: gzip#x",
		"|Content-Encoding: br#x",
		"|Content-Type: application/oscore#x",
		"|Content-Type: application/coap-payload;cf=10001#x",
		"|Content-Type: application/json#x", // with Accept: 60
		"#this is longer than the room that there is",
		"|Content-Type: application/cbor#this is longer than the room that there is",
	};
	static const struct {
		const char *method, *status, *answer;
	} rows[] = {
		{"POST", "200", "2.04"},
		{"POST", "201", "2.01"},
		{"POST", "206", "2.04"},
		{"PUT", "200", "2.04"},
		{"PUT", "201", "2.01"},
		{"DELETE", "200", "2.02"},
		{"PATCH", "200", "2.04"},
		{"iPATCH", "200", "2.04"},
	};
	struct map_bed bed = map_bed_create();

	bed.room = 24;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		char coap[64], http[256];

		for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
			bool body = strcmp(rows[r].method, "DELETE");

			snprintf(coap, sizeof(coap), "%s accept=60%s", rows[r].method,
				body ? " |q" : "");
			snprintf(http, sizeof(http), "%s%s", rows[r].status, bodies[i]);
			const char *answer = map_bed_answer(&bed, coap, http);
			cr_expect_str_eq(answer, rows[r].answer, "%s %s: %s", coap, http, answer);
			cr_expect(bed.body_dropped, "%s %s", coap, http);
		}
		// Nothing was changed by these.
		snprintf(http, sizeof(http), "200%s", bodies[i]);
		cr_expect_neq(*map_bed_answer(&bed, "GET accept=60", http), '2', "%s", http);
		cr_expect_neq(*map_bed_answer(&bed, "FETCH accept=60 |q", http), '2', "%s", http);
	}
	// Options that do not fit go, too.
	EXPECT("POST |q", "201|Location: /a-path-that-is-longer-than-all-the-room#body", "2.01");
	cr_expect(bed.body_dropped);
	EXPECT("POST |q", "201|Location: /a-path-that-is-longer-than-all-the-room", "2.01");
	cr_expect_not(bed.body_dropped);
	EXPECT("POST |q", "201|Location: /a#more-than-there-is-room-for", "2.01 lpath=a");
	EXPECT("POST |q", "200#fits", "2.04 |fits");
	cr_expect_not(bed.body_dropped);
	map_etags_free(bed.etags);
}

// The worker puts a value into the Echo that is empty. What the backend says besides is left out.
Test(map_response, too_early_asks_for_an_echo)
{
	static const struct map_bed_row rows[] = {
		{"PUT |q", "425|Content-Type: text/plain#too early", "4.01 max-age=0 echo="},
		{"GET", "425", "4.01 max-age=0 echo="},
		{"GET", "401#who are you?", "4.01 max-age=0 |who are you?"},
	};
	struct map_bed bed = map_bed_create();

	CHECK(rows);
	bed.room = 5;
	cr_expect_str_eq(map_bed_answer(&bed, "GET", "425"), "4.01 max-age=0 echo=");
	map_etags_free(bed.etags);
}

// RFC 7252 section 5.5.2: errors carry a diagnostic, which is UTF-8 and has no Content-Format.
Test(map_response, diagnostics)
{
	static const struct map_bed_row rows[] = {
		{"GET", "400|Content-Type: text/plain#bad thing", "4.00 max-age=0 |bad thing"},
		{"GET", "400|Content-Type: application/problem+json#{}", "4.00 max-age=0 |{}"},
		{"GET", "400#bad thing", "4.00 max-age=0 |bad thing"},
		{"GET", "404|Content-Type: text/html#<html>", "4.04 max-age=0"},
		{"GET", "404|Content-Type: application/xhtml+xml#<html>", "4.04 max-age=0"},
		{"GET", "400|Content-Type: image/png#\x89PNG", "4.00 max-age=0"},
		{"GET", "400|Content-Encoding: gzip#abc", "4.00 max-age=0"},
		{"GET", "400|Content-Type: application/concise-problem-details+cbor#\xa0",
			"4.00 cf=257 max-age=0 |\xa0"},
		{"GET", "413|Upload-Limit: max-size=2048", "4.13 max-age=0 size1=2048"},
		{"GET", "413|Upload-Limit: min-size=1, max-size=2048", "4.13 max-age=0 size1=2048"},
		{"GET", "413|Upload-Limit: max-size=-1", "4.13 max-age=0"},
		{"GET", "413", "4.13 max-age=0"},
	};

	CHECK(rows);
}

// An answer is whole or an error; only a diagnostic is cut, and never inside a character.
Test(map_response, room)
{
	struct map_bed bed = map_bed_create();

	bed.room = 9;
	cr_expect_str_eq(map_bed_answer(&bed, "POST |q", "200#1234567"), "2.04 |1234567");
	cr_expect_str_eq(map_bed_answer(&bed, "POST |q", "200#12345678"), "2.04");
	cr_expect_str_eq(map_bed_answer(&bed, "GET", "200#12345678"), "5.00 max-age=0 |answe");
	cr_expect_eq(bed.error, HTTP_ERR_no_room);
	bed.room = 10;
	cr_expect_str_eq(
		map_bed_answer(&bed, "GET", "400#123456\xc3\xa9"), "4.00 max-age=0 |123456");
	cr_expect_str_eq(map_bed_answer(&bed, "GET", "400#12345\xc3\xa9"), "4.00 max-age=0 |12345");
	cr_expect_str_eq(
		map_bed_answer(&bed, "GET", "400#1234\xc3\xa9"), "4.00 max-age=0 |1234\xc3\xa9");
	cr_expect_str_eq(
		map_bed_answer(&bed, "GET",
			"400|Content-Type: application/concise-problem-details+cbor#123456789"),
		"4.00 max-age=0");
	for (bed.room = 1; bed.room < 40; bed.room++) {
		const char *answer = map_bed_answer(&bed, "POST path=abc |q",
			"201|Location: /abc/defg?hi|ETag: \"0102\"|Content-Type: "
			"text/plain#payload");
		const char *want = bed.room < 16 ? "2.01"
			: bed.room < 25          ? "2.01 etag=0102 lpath=abc lpath=defg lquery=hi"
						 : "2.01 etag=0102 lpath=abc lpath=defg cf=0"
						   " lquery=hi |payload";
		cr_expect_str_eq(answer, want, "%zu: %s", bed.room, answer);
		cr_expect_eq(bed.body_dropped, bed.room < 25);
		cr_expect(!strncmp(map_bed_answer(&bed, "GET", "404#not found"), "4.04", 4));
		cr_expect(!strncmp(map_bed_answer(&bed, "GET", "302"), "5.02", 4));
	}
	map_etags_free(bed.etags);
}

// Errors of the gateway's own, in any room.
Test(map_response, error_answers)
{
	uint8_t out[64];

	for (int error = 1; error < HTTP_ERROR_COUNT; error++) {
		for (size_t room = 1; room <= sizeof(out); room++) {
			uint16_t len = map_error_write(error, 7, out, room);

			cr_assert(len >= 1 && len <= room);
			cr_assert_eq(out[0], map_error_codes[error].code);
			cr_assert_geq(COAP_CODE_CLASS(out[0]), 4, "%s", http_error_name(error));
			cr_assert_str_neq(text_answer(out, len), "malformed");
		}
	}
	uint16_t len = map_error_write(HTTP_ERR_timeout, 0, out, sizeof(out));
	cr_expect_str_eq(text_answer(out, len), "5.04 max-age=0 |backend too slow");
	len = map_error_write(HTTP_ERR_queue_full, 60, out, sizeof(out));
	cr_expect_str_eq(text_answer(out, len), "5.03 |busy");
}
