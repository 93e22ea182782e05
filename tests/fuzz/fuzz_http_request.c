// SPDX-License-Identifier: BSD-3-Clause
// CoAP requests to HTTP: whatever a device sends, the request line has the segments that it named
// and nothing else, and no header is there but those of the table in docs/http.md.
//
// The input is a byte that picks the route, the code, then options and payload.

#include "gw/map/request.h"
#include "gw/map/translate.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const struct conf_route routes[] = {
	{.prefix = ""},
	{.prefix = "", .fetch = CONF_FETCH_QUERY},
	{.prefix = "/v1", .strip = 1, .idempotency = CONF_IDEMPOTENCY_HONOURED},
	{.prefix = "", .translate = CONF_TRANSLATE_CBOR_JSON},
};

static const char *const from_coap[] = {"Content-Type", "Content-Encoding", "Accept",
	"Accept-Encoding", "If-Match", "If-None-Match", NULL};
static const char *const from_us[] = {
	"Device-Id", "Oscore-Context", "Forwarded", "traceparent", "Idempotency-Key", NULL};

static bool is_one_of(const char *const *names, const char *name, size_t len)
{
	for (; *names; names++)
		if (strlen(*names) == len && !memcmp(*names, name, len))
			return true;
	return false;
}

static void text_check(const char *text, bool spaces)
{
	for (; *text; text++)
		FUZZ_CHECK(*text > ' ' ? *text < 0x7f : spaces && *text == ' ');
}

static uint8_t hex_digit(char c)
{
	FUZZ_CHECK((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'));
	return (uint8_t)(c <= '9' ? c - '0' : c - 'A' + 10);
}

// Takes a percent-encoded part, up to one of the separators, which must say what the option says.
static const char *part_check(const char *at, const char *ends, const struct coap_option *option)
{
	size_t n = 0;

	for (; *at && !strchr(ends, *at); at++, n++) {
		uint8_t c = (uint8_t)*at;

		if (c == '%') {
			c = (uint8_t)(hex_digit(at[1]) << 4 | hex_digit(at[2]));
			at += 2;
		}
		FUZZ_CHECK(n < option->len && option->value[n] == c);
	}
	FUZZ_CHECK(n == option->len);
	return at;
}

// Options of a number, from the skip-th on, are the parts of text behind these separators.
static void parts_check(const char *text, const struct coap_body *body, uint16_t number,
	unsigned skip, char first, char next)
{
	const char ends[] = {next, 0};
	struct coap_option_iter iter;
	struct coap_option option;
	char separator = first;

	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option)) {
		if (option.number != number || (skip && skip--))
			continue;
		FUZZ_CHECK(*text == separator);
		text = part_check(text + 1, ends, &option);
		separator = next;
	}
	FUZZ_CHECK(!*text);
}

static unsigned options_count(const struct coap_body *body, uint16_t number)
{
	struct coap_option_iter iter;
	struct coap_option option;
	unsigned n = 0;

	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option))
		n += option.number == number;
	return n;
}

static void headers_check(const struct http_request *req, unsigned from, const char *const *names)
{
	for (unsigned i = from; i < req->header_count; i++) {
		const struct http_header *header = &req->header[i];

		text_check(header->line, true);
		FUZZ_CHECK(strlen(header->line) == header->len);
		FUZZ_CHECK(!strncmp(header->line + header->name_len, ": ", 2));
		FUZZ_CHECK(is_one_of(names, header->line, header->name_len));
	}
}

static void request_check(struct http_request *req, const struct map_request *msg)
{
	static const uint8_t random[MAP_IDENTITY_RANDOM];
	const struct conf_route *route = msg->route;
	const struct dp_request device = {.family = 4, .piv = msg->body.payload_len};
	size_t prefix = strlen(route->prefix);
	char name[64] = {0};

	text_check(req->path, false);
	text_check(req->query, false);
	FUZZ_CHECK(!strchr(req->path, '?') && !strchr(req->path, '#') && !strchr(req->query, '#'));
	FUZZ_CHECK(!strncmp(req->path, route->prefix, prefix));
	FUZZ_CHECK(
		!strstr(req->path, "//") && !strstr(req->path, "/../") && !strchr(req->query, '+'));
	parts_check(req->path + prefix, &msg->body, COAP_OPT_URI_PATH, route->strip, '/', '/');
	parts_check(req->query, &msg->body, COAP_OPT_URI_QUERY, 0, '?', '&');
	headers_check(req, 0, from_coap);
	FUZZ_CHECK(req->has_body || !req->body_len);

	// The name of a device is a person's choice.
	memcpy(name, msg->body.payload ? msg->body.payload : (const uint8_t *)"",
		msg->body.payload_len < 63 ? msg->body.payload_len : 63);
	unsigned before = req->header_count;
	if (map_request_identify(req, &device, name, random))
		return;
	FUZZ_CHECK(req->header_count == before + 5);
	headers_check(req, before, from_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t key[MAP_ETAG_KEY_LEN];
	static struct map_etags *etags;
	static struct http_request req;
	static uint8_t json[MAP_JSON_ROOM];
	struct map_request msg;
	struct coap_body body;

	if (!etags)
		etags = map_etags_create(key);
	if (len < 2 || coap_body_parse(&body, data + 2, len - 2) != COAP_OK)
		return 0;
	const struct conf_route *route = &routes[data[0] % (sizeof(routes) / sizeof(routes[0]))];
	// What the worker has seen to: it picked the route by them.
	if (options_count(&body, COAP_OPT_URI_PATH) < route->strip)
		return 0;
	enum http_error error = map_request_parse(&msg, route, data[1], data + 2, len - 2);
	if (!error)
		error = map_request_translate(&msg, json, sizeof(json));
	if (!error)
		error = map_request_build(&req, &msg, etags);
	FUZZ_CHECK(error < HTTP_ERROR_COUNT);
	if (!error)
		request_check(&req, &msg);
	return 0;
}
