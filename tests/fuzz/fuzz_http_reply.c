// SPDX-License-Identifier: BSD-3-Clause
// HTTP answers to CoAP: whatever a backend says, the device gets a well-formed plaintext that fits,
// with the options of the table in docs/http.md, and success only if the backend said so.
//
// The input is: a byte that picks the route, a byte of room (in steps of 8), the method, a byte of
// length, so many bytes of options and payload of the request; then three digits of status, header
// lines, an empty line and the body.

#include "gw/map/error_codes.h"
#include "gw/map/response.h"
#include "gw/map/translate.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define NOW 784111777 // Sun, 06 Nov 1994 08:49:37 GMT

static const struct conf_route routes[] = {
	{.prefix = ""},
	{.prefix = "", .fetch = CONF_FETCH_QUERY},
	{.prefix = "/v1", .strip = 1},
	{.prefix = "", .fetch = CONF_FETCH_QUERY, .translate = CONF_TRANSLATE_CBOR_JSON},
};
static const struct conf_server servers[] = {
	{.authority = "b:8080", .origin = "http://b:8080", .base = ""},
	{.authority = "b", .origin = "https://b", .base = "/base"},
};

static const uint16_t allowed[] = {COAP_OPT_ETAG, COAP_OPT_LOCATION_PATH, COAP_OPT_CONTENT_FORMAT,
	COAP_OPT_MAX_AGE, COAP_OPT_LOCATION_QUERY, COAP_OPT_SIZE1};

// An Echo without a value is the worker's to fill in.
static void option_check(const struct coap_option *option, uint8_t code, int status)
{
	bool known = false;

	if (option->number == COAP_OPT_ECHO) {
		FUZZ_CHECK(!option->len && code == COAP_UNAUTHORIZED && status == 425);
		return;
	}
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		known |= option->number == allowed[i];
	FUZZ_CHECK(known && coap_option_len_ok(option->number, option->len));
}

static void answer_check(const uint8_t *out, uint16_t len, const struct map_request *msg,
	int status, enum http_error error)
{
	struct coap_option_iter iter;
	struct coap_option option;
	struct coap_body body;
	unsigned class = COAP_CODE_CLASS(out[0]);
	bool gone = msg->code == COAP_DELETE && (status == 404 || status == 410);

	FUZZ_CHECK(coap_body_parse(&body, out + 1, len - 1u) == COAP_OK);
	coap_option_iter_init(&iter, &body);
	while (coap_option_next(&iter, &option))
		option_check(&option, out[0], status);
	FUZZ_CHECK(class == 2 || class == 4 || class == 5);
	FUZZ_CHECK(class != 2 || status / 100 == 2 || status == 304 || gone);
	FUZZ_CHECK(!error || out[0] == map_error_codes[error].code);
}

// Header lines up to an empty one; false if one is refused. Each is a copy that ends where it ends.
static bool headers_take(struct http_reply *reply, const uint8_t **at, const uint8_t *end)
{
	bool good = true;

	while (good && *at < end) {
		const uint8_t *line = *at, *feed = memchr(line, '\n', (size_t)(end - line));
		size_t len = (size_t)((feed ? feed : end) - line);

		*at = feed ? feed + 1 : end;
		if (!len)
			break;
		char *copy = malloc(len);
		memcpy(copy, line, len);
		good = http_reply_header(reply, copy, len) == HTTP_ERR_none;
		free(copy);
	}
	return good;
}

static void reply_map(const struct map_request *msg, const uint8_t *at, const uint8_t *end,
	const struct conf_server *server, size_t room)
{
	static const uint8_t key[MAP_ETAG_KEY_LEN];
	static struct map_etags *etags;
	static struct http_reply reply;
	int status = 0;

	if (!etags)
		etags = map_etags_create(key);
	for (unsigned i = 0; i < 3 && at < end; i++)
		status = status * 10 + *at++ % 10;
	http_reply_init(&reply);
	http_reply_status(&reply, status);
	if (!headers_take(&reply, &at, end))
		return;
	reply.body_len = (size_t)(end - at) < room ? (size_t)(end - at) : room;
	reply.body_cut = reply.body_len < (size_t)(end - at);
	uint8_t *body = malloc(reply.body_len), *out = malloc(room), *scratch = malloc(room);
	if (reply.body_len)
		memcpy(body, at, reply.body_len);
	reply.body = body;
	struct map_response mapping = {.server = server,
		.etags = etags,
		.now = NOW,
		.retry_s = 7,
		.max_age_max = 86400,
		.out = out,
		.room = room,
		.scratch = scratch,
		.scratch_room = room};
	enum http_error error = map_response_build(&reply, msg, &mapping);
	FUZZ_CHECK(error < HTTP_ERROR_COUNT && mapping.len >= 1 && mapping.len <= room);
	FUZZ_CHECK(!error || status < 200 || status > 299 || msg->method->safe);
	answer_check(out, mapping.len, msg, status, error);
	free(body);
	free(out);
	free(scratch);
}

static unsigned segments_count(const struct coap_body *body)
{
	struct coap_option_iter iter;
	struct coap_option option;
	unsigned n = 0;

	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option))
		n += option.number == COAP_OPT_URI_PATH;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct map_request msg;

	if (len < 4 || len - 4 < data[3])
		return 0;
	const struct conf_route *route = &routes[data[0] % (sizeof(routes) / sizeof(routes[0]))];
	if (map_request_parse(&msg, route, data[2], data + 4, data[3]) != HTTP_ERR_none)
		return 0;
	// What the worker has seen to: it picked the route by them.
	if (segments_count(&msg.body) < route->strip)
		return 0;
	// A request that is refused there has no answer.
	static uint8_t json[MAP_JSON_ROOM];
	if (map_request_translate(&msg, json, sizeof(json)) != HTTP_ERR_none)
		return 0;
	reply_map(&msg, data + 4 + data[3], data + len, &servers[data[0] >> 7],
		1 + (size_t)data[1] * 8);
	return 0;
}
