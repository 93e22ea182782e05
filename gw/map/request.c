// SPDX-License-Identifier: BSD-3-Clause

#include "gw/map/request.h"

#include "dataplane/coap/path.h"
#include "gw/map/media.h"
#include "gw/map/translate.h"

#include <arpa/inet.h>
#include <string.h>

// The same in a query, where `+` is encoded, since servers read it as a space, and `&` separates
// options.
#define QUERY_CHARS "!$'()*,;=:@/?"

static enum http_error option_check(const struct coap_option *option, bool again)
{
	if (option->number == COAP_OPT_PROXY_URI || option->number == COAP_OPT_PROXY_SCHEME)
		return HTTP_ERR_proxying;
	bool understood = coap_option_len_ok(option->number, option->len) &&
		(!again || coap_option_repeatable(option->number));
	if (understood)
		return HTTP_ERR_none;
	// Unsafe elective options matter only if they are unknown (RFC 7252 section 5.7.1).
	if (COAP_OPT_IS_CRITICAL(option->number) ||
		(COAP_OPT_IS_UNSAFE(option->number) && !coap_option_known(option->number)))
		return HTTP_ERR_bad_option;
	return HTTP_ERR_none;
}

static enum http_error option_take(struct map_request *msg, const struct coap_option *option)
{
	uint32_t value;

	switch (option->number) {
	case COAP_OPT_ACCEPT:
		if (!coap_option_uint(option, &value))
			return HTTP_ERR_bad_option;
		msg->accept = (int)value;
		if (!map_format_find((uint16_t)value))
			return HTTP_ERR_bad_accept;
		break;
	case COAP_OPT_CONTENT_FORMAT:
		if (!coap_option_uint(option, &value))
			break;
		msg->content_format = (int)value;
		if (value == MAP_FORMAT_OSCORE)
			return HTTP_ERR_bad_format;
		break;
	case COAP_OPT_IF_NONE_MATCH:
		msg->if_none_match = true;
		break;
	case COAP_OPT_ETAG:
		msg->etags = true;
		break;
	case COAP_OPT_URI_QUERY:
		if (!coap_text_ok(option->value, option->len))
			return HTTP_ERR_bad_query;
		break;
	default:
		// The path is looked at as a whole; all others are consumed.
		break;
	}
	return HTTP_ERR_none;
}

enum http_error map_request_parse(struct map_request *msg, const struct conf_route *route,
	uint8_t code, const uint8_t *body, size_t len)
{
	struct coap_option_iter iter;
	struct coap_option option;
	int before = -1;

	*msg = (struct map_request){
		.route = route,
		.method = map_method_of(code),
		.code = code,
		.accept = MAP_FORMAT_NONE,
		.content_format = MAP_FORMAT_NONE,
		.cbor = MAP_FORMAT_NONE,
	};
	if (!msg->method)
		return HTTP_ERR_bad_method;
	if (coap_body_parse(&msg->body, body, len) != COAP_OK)
		return HTTP_ERR_bad_request;
	msg->payload = msg->body.payload;
	msg->payload_len = msg->body.payload_len;

	coap_option_iter_init(&iter, &msg->body);
	while (coap_option_next(&iter, &option)) {
		bool again = option.number == before;

		before = option.number;
		enum http_error error = option_check(&option, again);
		if (error)
			return error;
		if (!coap_option_len_ok(option.number, option.len) ||
			(again && !coap_option_repeatable(option.number)))
			continue; // as if it were not there (RFC 7252 sections 5.4.3, 5.4.5)
		error = option_take(msg, &option);
		if (error)
			return error;
	}
	msg->cbor = map_cbor_wanted(msg);
	return coap_path_ok(&msg->body) ? HTTP_ERR_none : HTTP_ERR_bad_path;
}

static enum http_error path_put(struct http_text *text, const struct map_request *msg)
{
	struct coap_option_iter iter;
	struct coap_option option;
	unsigned index = 0;

	http_text_str(text, msg->route->prefix);
	coap_option_iter_init(&iter, &msg->body);
	while (coap_option_next(&iter, &option)) {
		if (option.number != COAP_OPT_URI_PATH)
			continue;
		if (index++ < msg->route->strip)
			continue;
		http_text_char(text, '/');
		http_text_percent(text, option.value, option.len, MAP_PATH_CHARS);
	}
	return index < msg->route->strip ? HTTP_ERR_no_route : HTTP_ERR_none;
}

static void query_put(struct http_text *text, const struct map_request *msg)
{
	struct coap_option_iter iter;
	struct coap_option option;
	char separator = '?';

	coap_option_iter_init(&iter, &msg->body);
	while (coap_option_next(&iter, &option)) {
		if (option.number != COAP_OPT_URI_QUERY)
			continue;
		http_text_char(text, separator);
		http_text_percent(text, option.value, option.len, QUERY_CHARS);
		separator = '&';
	}
}

static enum http_error target_build(struct http_request *req, const struct map_request *msg)
{
	char *start = req->text.at;
	enum http_error error = path_put(&req->text, msg);

	if (error)
		return error;
	req->path = http_text_end(&req->text, &start);
	query_put(&req->text, msg);
	req->query = http_text_end(&req->text, &start);
	return req->query ? HTTP_ERR_none : HTTP_ERR_too_long;
}

enum http_error map_request_target(const struct map_request *msg, struct http_text *text)
{
	enum http_error error = path_put(text, msg);

	query_put(text, msg);
	return error ? error : text->failed ? HTTP_ERR_too_long : HTTP_ERR_none;
}

// Whether an option is one for conditions_add(). An ETag of another representation than the device
// would get now may not make the backend say that nothing has changed.
static bool condition_fits(const struct map_request *msg, const struct map_etags *etags,
	const struct coap_option *option, uint16_t number)
{
	return option->number == number && coap_option_len_ok(number, option->len) &&
		(number != COAP_OPT_ETAG ||
			map_etag_names_answer(msg, etags, option->value, option->len));
}

// If-Match and If-None-Match from options of 0-8 bytes; an empty one, and the flag `any`, is `*`.
static void conditions_add(struct http_request *req, const struct map_request *msg,
	const struct map_etags *etags, const char *name, uint16_t number, bool any)
{
	struct coap_option_iter iter;
	struct coap_option option;
	bool found = any;

	coap_option_iter_init(&iter, &msg->body);
	while (coap_option_next(&iter, &option)) {
		if (!condition_fits(msg, etags, &option, number))
			continue;
		found = true;
		any |= !option.len;
	}
	if (!found)
		return;
	if (any) {
		http_header_add(req, name, "*");
		return;
	}
	char *start = http_header_start(req, name);
	const char *separator = "";
	coap_option_iter_init(&iter, &msg->body);
	while (coap_option_next(&iter, &option)) {
		if (!condition_fits(msg, etags, &option, number))
			continue;
		http_text_str(&req->text, separator);
		map_etag_to_http(etags, &req->text, option.value, option.len);
		separator = ", ";
	}
	http_header_end(req, start);
}

static void format_add(struct http_request *req, const char *name, int format)
{
	char *start = http_header_start(req, name);

	map_format_write(&req->text, (uint16_t)format);
	http_header_end(req, start);
}

static const char *coding_of(int format)
{
	const struct map_format *row = format < 0 ? NULL : map_format_find((uint16_t)format);

	return row ? row->coding : NULL;
}

enum http_error map_request_build(
	struct http_request *req, const struct map_request *msg, const struct map_etags *etags)
{
	const struct map_method *method = msg->method;
	const char *coding;

	req->method = method->http;
	req->idempotent =
		method->idempotent || msg->route->idempotency == CONF_IDEMPOTENCY_HONOURED;
	if (msg->code == COAP_FETCH && msg->route->fetch == CONF_FETCH_QUERY) {
		req->method = "QUERY";
		req->idempotent = true;
	}
	req->has_body = method->body;
	req->body = method->body ? msg->payload : NULL;
	req->body_len = method->body ? msg->payload_len : 0;
	req->header_count = 0;

	http_text_init(&req->text, req->room, HTTP_TARGET_MAX);
	enum http_error error = target_build(req, msg);
	if (error)
		return error;

	http_text_init(&req->text, req->room + HTTP_TARGET_MAX, HTTP_HEADER_ROOM);
	if (method->body && msg->content_format != MAP_FORMAT_NONE) {
		format_add(req, "Content-Type", msg->content_format);
		coding = coding_of(msg->content_format);
		if (coding)
			http_header_add(req, "Content-Encoding", coding);
	}
	if (msg->accept != MAP_FORMAT_NONE)
		format_add(req, "Accept", map_accept_of_backend(msg));
	coding = coding_of(msg->accept);
	http_header_add(req, "Accept-Encoding", coding ? coding : "identity");
	conditions_add(req, msg, etags, "If-Match", COAP_OPT_IF_MATCH, false);
	// A POST with If-None-Match would fail where a FETCH is to be answered 2.03.
	bool validates = msg->code == COAP_GET || !strcmp(req->method, "QUERY");
	if (msg->if_none_match)
		http_header_add(req, "If-None-Match", "*");
	else if (validates)
		conditions_add(req, msg, etags, "If-None-Match", COAP_OPT_ETAG, false);
	return req->text.failed ? HTTP_ERR_too_long : HTTP_ERR_none;
}

static void address_put(struct http_text *text, const struct dp_request *device)
{
	char address[INET6_ADDRSTRLEN];

	if (device->family == 6) {
		inet_ntop(AF_INET6, device->remote_addr, address, sizeof(address));
		http_text_char(text, '[');
		http_text_str(text, address);
		http_text_char(text, ']');
		return;
	}
	// inet_ntop() goes through printf for these, which takes ten times as long.
	for (unsigned i = 0; i < 4; i++) {
		if (i)
			http_text_char(text, '.');
		http_text_decimal(text, device->remote_addr[i]);
	}
}

static void forwarded_add(struct http_request *req, const struct dp_request *device)
{
	char *start = http_header_start(req, "Forwarded");

	// RFC 7239 section 6: a quoted string because of the colons; brackets for IPv6.
	http_text_str(&req->text, "for=\"");
	address_put(&req->text, device);
	http_text_char(&req->text, ':');
	http_text_decimal(&req->text, device->remote_port);
	http_text_str(&req->text, "\";proto=coap");
	http_header_end(req, start);
}

enum http_error map_request_identify(struct http_request *req, const struct dp_request *device,
	const char *name, const uint8_t *random)
{
	uint8_t fingerprint[8];
	char *start;

	for (unsigned i = 0; i < sizeof(fingerprint); i++)
		fingerprint[i] = (uint8_t)(device->fingerprint >> (56 - 8 * i));

	start = http_header_start(req, "Device-Id");
	http_text_percent(&req->text, (const uint8_t *)name, strlen(name), "!#$&'()*+,/:;=?@[]");
	http_header_end(req, start);

	start = http_header_start(req, "Oscore-Context");
	http_text_hex(&req->text, fingerprint, sizeof(fingerprint));
	http_header_end(req, start);

	if (device->family != DP_FAMILY_NONE)
		forwarded_add(req, device);
	if (device->echo_age) {
		start = http_header_start(req, "Device-Echo-Age");
		http_text_decimal(&req->text, device->echo_age - 1);
		http_header_end(req, start);
	}

	// W3C Trace Context: version, trace id, span id, sampled.
	start = http_header_start(req, "traceparent");
	http_text_str(&req->text, "00-");
	http_text_hex(&req->text, random, MAP_TRACE_LEN);
	http_text_char(&req->text, '-');
	http_text_hex(&req->text, random + MAP_TRACE_LEN, MAP_IDENTITY_RANDOM - MAP_TRACE_LEN);
	http_text_str(&req->text, "-01");
	http_header_end(req, start);

	if (device->family == DP_FAMILY_NONE)
		return req->text.failed ? HTTP_ERR_too_long : HTTP_ERR_none;
	start = http_header_start(req, "Idempotency-Key");
	http_text_char(&req->text, '"');
	http_text_hex(&req->text, fingerprint, sizeof(fingerprint));
	http_text_char(&req->text, '-');
	http_text_decimal(&req->text, device->piv);
	http_text_char(&req->text, '"');
	http_header_end(req, start);
	return req->text.failed ? HTTP_ERR_too_long : HTTP_ERR_none;
}
