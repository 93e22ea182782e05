// SPDX-License-Identifier: BSD-3-Clause
// Protected messages as HTTP, and back (RFC 8613 section 11).

#include "dataplane/coap/message.h"
#include "gw/map/passthrough.h"
#include "tests/unit/gw/map/text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define ROOM 1152

// Method, path and headers, with | between them.
static const char *request_of(const char *line, const struct conf_route *route)
{
	static char text[4096];
	static struct http_request req;
	uint8_t body[TEXT_BODY_MAX], code;
	const size_t len = text_request(line, &code, body);
	const enum http_error error = map_pass_request(&req, route, body, len);

	if (error)
		return http_error_name(error);
	int at = snprintf(text, sizeof(text), "%s %s%s", req.method, req.path, req.query);

	for (unsigned i = 0; i < req.header_count; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, "|%s", req.header[i].line);
	snprintf(text + at, sizeof(text) - (size_t)at, "#%.*s", (int)req.body_len, req.body);
	cr_expect(req.has_body);
	cr_expect_not(req.idempotent, "nobody knows");
	return text;
}

#define HEADERS "Content-Type: application/oscore|Accept-Encoding: identity|OSCORE: "

// Section 11.5 and 11.6, and the option of section 6.3.
Test(map_passthrough, requests)
{
	static const struct conf_route route = {.prefix = "/oscore"}, bare = {.prefix = ""};

	cr_expect_str_eq(
		request_of("POST 9=0925 |ciphertext", &bare), "POST |" HEADERS "CSU#ciphertext");
	cr_expect_str_eq(request_of("FETCH 9=091405 |ciphertext", &route),
		"POST /oscore|" HEADERS "CRQF#ciphertext");
	cr_expect_str_eq(request_of("POST 9= |x", &route), "POST /oscore|" HEADERS "AA#x");
	cr_expect_str_eq(
		request_of("POST 9=1905034461 |x", &route), "POST /oscore|" HEADERS "GQUDRGE#x");
	// Nothing outside OSCORE goes along.
	cr_expect_str_eq(request_of("POST 3=61 9=0925 path=a query=b 252=0102 |x", &route),
		"POST /oscore|" HEADERS "CSU#x");
	cr_expect_str_eq(request_of("POST path=a |x", &route), "bad_request");
	cr_expect_str_eq(request_of("POST 9=0925", &route), "bad_request");
}

// "2.04 0105 sealed": code, the OSCORE option's value, payload.
static const char *message_text(const uint8_t *out, size_t len)
{
	static char text[2 * ROOM];
	struct coap_body body;
	int at = snprintf(text, sizeof(text), "%u.%02u ", out[0] >> 5, out[0] & 31);

	cr_assert_eq(coap_body_parse(&body, out + 1, len - 1), COAP_OK);
	cr_assert_not_null(body.oscore);
	cr_expect_eq(body.option_count, 1);
	for (unsigned i = 0; i < body.oscore_len; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, "%02x", body.oscore[i]);
	snprintf(text + at, sizeof(text) - (size_t)at, " %.*s", body.payload_len, body.payload);
	return text;
}

// Renders what a service answers: status, type, the field, body.
static const char *answer_of(
	int status, const char *type, const char *field, const char *body, size_t room)
{
	struct http_reply reply;
	uint8_t out[ROOM];
	uint16_t len = 0;

	http_reply_init(&reply);
	http_reply_status(&reply, status);
	if (type)
		cr_assert_eq(http_reply_field(&reply, "Content-Type", 12, type, strlen(type)),
			HTTP_ERR_none);
	if (field)
		cr_assert_eq(
			http_reply_field(&reply, "oscore", 6, field, strlen(field)), HTTP_ERR_none);
	reply.body = (const uint8_t *)body;
	reply.body_len = strlen(body);
	const enum http_error error = map_pass_response(&reply, out, room, &len);

	return error ? http_error_name(error) : message_text(out, len);
}

#define TYPE "application/oscore"

Test(map_passthrough, answers)
{
	cr_expect_str_eq(answer_of(200, TYPE, "AA", "sealed", ROOM), "2.04  sealed");
	cr_expect_str_eq(answer_of(200, TYPE, "AQU", "sealed", ROOM), "2.04 0105 sealed");
	cr_expect_str_eq(answer_of(200, "Application/OSCORE", "AQU", "s", ROOM), "2.04 0105 s");
	cr_expect_str_eq(answer_of(200, TYPE "; v=1", "AQU", "s", ROOM), "2.04 0105 s");
}

Test(map_passthrough, what_is_none)
{
	static const struct {
		int status;
		const char *type, *field, *body;
	} none[] = {
		{201, TYPE, "AA", "sealed"},
		{204, TYPE, "AA", ""},
		{400, TYPE, "AA", "sealed"},
		{500, TYPE, "AA", "sealed"},
		{200, TYPE, NULL, "sealed"},
		{200, NULL, "AA", "sealed"},
		{200, "text/plain", "AA", "sealed"},
		{200, TYPE "-x", "AA", "sealed"},
		{200, TYPE, "AA", ""},
		{200, TYPE, "", "sealed"},
		{200, TYPE, "A", "sealed"},
		{200, TYPE, "AB", "sealed"},
		{200, TYPE, "AA==", "sealed"},
		{200, TYPE, "A+", "sealed"},
		{200, TYPE, "AQ U", "sealed"},
		{200, TYPE, "AQUAA", "sealed"},
		{200, TYPE, "AA, AA", "sealed"},
	};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		cr_expect_str_eq(
			answer_of(none[i].status, none[i].type, none[i].field, none[i].body, ROOM),
			"not_oscore", "row %zu", i);
	cr_expect_str_eq(answer_of(200, TYPE, "AA", "sealed", 9), "2.04  sealed");
	cr_expect_str_eq(answer_of(200, TYPE, "AA", "sealed", 8), "no_room");
}

Test(map_passthrough, a_second_field_makes_none_of_both)
{
	struct http_reply reply;
	uint8_t out[ROOM];
	uint16_t len = 0;

	http_reply_init(&reply);
	http_reply_status(&reply, 200);
	cr_assert_eq(
		http_reply_header(&reply, "Content-Type: " TYPE, 14 + strlen(TYPE)), HTTP_ERR_none);
	cr_assert_eq(http_reply_header(&reply, "OSCORE: AA", 10), HTTP_ERR_none);
	reply.body = (const uint8_t *)"s";
	reply.body_len = 1;
	cr_expect_eq(map_pass_response(&reply, out, sizeof(out), &len), HTTP_ERR_none);
	cr_assert_eq(http_reply_header(&reply, "OSCORE: AA", 10), HTTP_ERR_none);
	cr_expect_eq(map_pass_response(&reply, out, sizeof(out), &len), HTTP_ERR_not_oscore);
}

Test(map_passthrough, a_body_that_was_cut_is_none)
{
	struct http_reply reply;
	uint8_t out[ROOM];
	uint16_t len = 0;

	http_reply_init(&reply);
	http_reply_status(&reply, 200);
	cr_assert_eq(
		http_reply_header(&reply, "Content-Type: " TYPE, 14 + strlen(TYPE)), HTTP_ERR_none);
	cr_assert_eq(http_reply_header(&reply, "OSCORE: AA", 10), HTTP_ERR_none);
	reply.body = (const uint8_t *)"s";
	reply.body_len = 1;
	reply.body_cut = true;
	cr_expect_eq(map_pass_response(&reply, out, sizeof(out), &len), HTTP_ERR_no_room);
}

Test(map_passthrough, errors_have_no_words)
{
	static const struct {
		enum http_error error;
		const char *answer;
	} errors[] = {
		{HTTP_ERR_not_oscore, "5.02 max-age=0"},
		{HTTP_ERR_no_room, "5.02 max-age=0"},
		{HTTP_ERR_body_too_large, "5.02 max-age=0"},
		{HTTP_ERR_connect, "5.02 max-age=0"},
		{HTTP_ERR_bad_request, "5.02 max-age=0"},
		{HTTP_ERR_no_route, "5.02 max-age=0"},
		{HTTP_ERR_timeout, "5.04 max-age=0"},
		{HTTP_ERR_queue_full, "5.03 max-age=0"},
		{HTTP_ERR_stopping, "5.03 max-age=0"},
	};
	uint8_t out[16];

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		cr_expect_str_eq(
			text_answer(
				out, map_pass_error_write(errors[i].error, 0, out, sizeof(out))),
			errors[i].answer);
	cr_expect_str_eq(text_answer(out, map_pass_error_write(HTTP_ERR_no_server, 7, out, 16)),
		"5.03 max-age=7");
	cr_expect_str_eq(
		text_answer(out, map_pass_error_write(HTTP_ERR_no_server, 7, out, 1)), "5.03");
}
