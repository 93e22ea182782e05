// SPDX-License-Identifier: BSD-3-Clause

#include "gw/map/passthrough.h"

#include "dataplane/coap/message.h"
#include "gw/map/error_codes.h"

#include <string.h>
#include <strings.h>

#define TYPE "application/oscore"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// Base64url without padding (RFC 4648 section 5).
static void base64url_put(struct http_text *text, const uint8_t *bytes, size_t len)
{
	unsigned bits = 0, count = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | bytes[i];
		for (count += 8; count >= 6; count -= 6)
			http_text_char(text, digits[bits >> (count - 6) & 63]);
	}
	if (count)
		http_text_char(text, digits[bits << (6 - count) & 63]);
}

// The same back. false: another character, a length that no bytes have, or bits behind the last
// byte that are not 0.
static bool base64url_read(const char *text, uint8_t *bytes, size_t room, size_t *len)
{
	unsigned bits = 0, count = 0;

	for (*len = 0; *text; text++) {
		const char *digit = memchr(digits, *text, sizeof(digits) - 1);

		if (!digit)
			return false;
		bits = (bits << 6 | (unsigned)(digit - digits)) & 0xffff;
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		if (*len == room)
			return false;
		bytes[(*len)++] = (uint8_t)(bits >> count);
	}
	return count < 6 && !(bits & ((1u << count) - 1));
}

bool map_pass_option_read(const char *text, uint8_t value[MAP_PASS_OPTION_MAX], uint8_t *len)
{
	size_t read;

	if (!base64url_read(text, value, MAP_PASS_OPTION_MAX, &read) || !read)
		return false;
	if (read == 1 && !value[0])
		read = 0;
	*len = (uint8_t)read;
	return true;
}

enum http_error map_pass_request(
	struct http_request *req, const struct conf_route *route, const uint8_t *body, size_t len)
{
	struct coap_body message;
	char *start;

	if (coap_body_parse(&message, body, len) != COAP_OK || !message.oscore || !message.payload)
		return HTTP_ERR_bad_request;
	req->method = "POST";
	req->idempotent = false; // whether it is inside, nobody here can say
	req->has_body = true;
	req->body = message.payload;
	req->body_len = message.payload_len;
	req->header_count = 0;
	http_text_init(&req->text, req->room, HTTP_TARGET_MAX);
	start = req->text.at;
	http_text_str(&req->text, route->prefix);
	req->path = http_text_end(&req->text, &start);
	req->query = "";
	if (!req->path)
		return HTTP_ERR_too_long;
	http_text_init(&req->text, req->room + HTTP_TARGET_MAX, HTTP_HEADER_ROOM);
	http_header_add(req, "Content-Type", TYPE);
	http_header_add(req, "Accept-Encoding", "identity");
	start = http_header_start(req, "OSCORE");
	if (message.oscore_len)
		base64url_put(&req->text, message.oscore, message.oscore_len);
	else
		http_text_str(&req->text, "AA");
	http_header_end(req, start);
	return req->text.failed ? HTTP_ERR_too_long : HTTP_ERR_none;
}

// With or without parameters, which it has none of.
static bool is_oscore(const char *type)
{
	const size_t len = sizeof(TYPE) - 1;

	return type && !strncasecmp(type, TYPE, len) &&
		(!type[len] || type[len] == ';' || type[len] == ' ' || type[len] == '\t');
}

enum http_error map_pass_response(
	const struct http_reply *reply, uint8_t *out, size_t room, uint16_t *len)
{
	const char *coding = reply->field[HTTP_FIELD_CONTENT_ENCODING];
	const char *field = reply->field[HTTP_FIELD_OSCORE];
	uint8_t value[MAP_PASS_OPTION_MAX], value_len;
	struct coap_writer writer;

	if (reply->status != 200 || !field || !is_oscore(reply->field[HTTP_FIELD_CONTENT_TYPE]) ||
		(coding && strcasecmp(coding, "identity") != 0) || !reply->body_len ||
		!map_pass_option_read(field, value, &value_len))
		return HTTP_ERR_not_oscore;
	if (reply->body_cut)
		return HTTP_ERR_no_room;
	coap_writer_init(&writer, out, room);
	coap_write_code(&writer, COAP_CHANGED);
	coap_write_option(&writer, COAP_OPT_OSCORE, value, value_len);
	coap_write_payload(&writer, reply->body, reply->body_len);
	*len = (uint16_t)coap_writer_len(&writer);
	return *len ? HTTP_ERR_none : HTTP_ERR_no_room;
}

uint16_t map_pass_error_write(enum http_error error, uint32_t max_age, uint8_t *out, size_t room)
{
	uint8_t code = map_error_codes[error].code;
	struct coap_writer writer;

	if (code != COAP_SERVICE_UNAVAILABLE && code != COAP_GATEWAY_TIMEOUT)
		code = COAP_BAD_GATEWAY;
	coap_writer_init(&writer, out, room);
	coap_write_code(&writer, code);
	coap_write_option_uint(&writer, COAP_OPT_MAX_AGE, max_age);
	const size_t len = coap_writer_len(&writer);

	if (len)
		return (uint16_t)len;
	out[0] = code;
	return 1;
}
