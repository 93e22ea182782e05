// SPDX-License-Identifier: BSD-3-Clause
// What a service answers to a message that is passed through: the header field up to a line feed,
// and the body behind it. A field that is taken is the one spelling of its bytes; what becomes of
// the answer is 2.04 with these bytes and this body, or nothing.

#include "dataplane/coap/message.h"
#include "gw/map/passthrough.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define ROOM 1152

// The field that a request with this option has.
static const char *field_of(struct http_request *req, const uint8_t *value, uint8_t len)
{
	static const struct conf_route route = {.prefix = ""};
	static const char start[] = "OSCORE: ";
	uint8_t message[MAP_PASS_OPTION_MAX + 16];
	struct coap_writer writer;

	coap_writer_init(&writer, message, sizeof(message));
	coap_write_option(&writer, COAP_OPT_OSCORE, value, len);
	coap_write_payload(&writer, "x", 1);
	FUZZ_CHECK(
		map_pass_request(req, &route, message, coap_writer_len(&writer)) == HTTP_ERR_none);
	for (unsigned i = 0; i < req->header_count; i++)
		if (!strncmp(req->header[i].line, start, sizeof(start) - 1))
			return req->header[i].line + sizeof(start) - 1;
	abort();
}

static void answer_check(const char *field, const uint8_t *body, size_t len, bool taken,
	const uint8_t *value, uint8_t value_len)
{
	struct http_reply reply;
	struct coap_body answer;
	uint8_t out[ROOM];
	uint16_t out_len = 0;

	http_reply_init(&reply);
	http_reply_status(&reply, 200);
	FUZZ_CHECK(!http_reply_field(&reply, "content-type", 12, "application/oscore", 18));
	if (http_reply_field(&reply, "OSCORE", 6, field, strlen(field)))
		return; // controls, or too long
	reply.body = body;
	reply.body_len = len;
	const enum http_error error = map_pass_response(&reply, out, sizeof(out), &out_len);

	FUZZ_CHECK(taken || error == HTTP_ERR_not_oscore);
	if (error)
		return;
	FUZZ_CHECK(len && out_len && out_len <= sizeof(out) && out[0] == COAP_CHANGED);
	FUZZ_CHECK(coap_body_parse(&answer, out + 1, out_len - 1u) == COAP_OK);
	FUZZ_CHECK(answer.option_count == 1 && answer.oscore && answer.oscore_len == value_len);
	FUZZ_CHECK(!value_len || !memcmp(answer.oscore, value, value_len));
	FUZZ_CHECK(answer.payload_len == len && !memcmp(answer.payload, body, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct http_request req;
	uint8_t value[MAP_PASS_OPTION_MAX], value_len = 0;
	const uint8_t *end = len ? memchr(data, '\n', len) : NULL;
	const size_t field_len = end ? (size_t)(end - data) : len;
	char *field = malloc(field_len + 1);

	if (field_len)
		memcpy(field, data, field_len);
	field[field_len] = 0;
	const bool taken = map_pass_option_read(field, value, &value_len);

	if (taken)
		FUZZ_CHECK(!strcmp(field_of(&req, value, value_len), field));
	if (end)
		answer_check(field, end + 1, len - field_len - 1, taken, value, value_len);
	free(field);
	return 0;
}
