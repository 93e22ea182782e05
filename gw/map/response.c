// SPDX-License-Identifier: BSD-3-Clause

#include "gw/map/response.h"

#include "dataplane/coap/message.h"
#include "gw/map/error_codes.h"
#include "gw/map/fresh.h"
#include "gw/map/location.h"
#include "gw/map/media.h"
#include "gw/map/translate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_AGE_DEFAULT 60 // seconds that a missing Max-Age means, RFC 7252 section 5.10.5

// What will be written, in the order of the options.
struct answer {
	uint8_t code;
	bool has_etag;
	struct map_etag etag;
	struct map_location *location; // NULL if there is none
	int format;
	bool has_max_age;
	uint32_t max_age;
	bool has_size1;
	uint32_t size1;
	bool ask_echo;
	const uint8_t *payload;
	size_t payload_len;
	bool body_dropped;
};

// false if it does not fit.
static bool answer_write(const struct answer *a, uint8_t *out, size_t room, uint16_t *len)
{
	struct coap_writer w;

	coap_writer_init(&w, out, room);
	coap_write_code(&w, a->code);
	if (a->has_etag)
		coap_write_option(&w, COAP_OPT_ETAG, a->etag.bytes, a->etag.len);
	for (unsigned i = 0; a->location && i < a->location->path_count; i++)
		coap_write_option(&w, COAP_OPT_LOCATION_PATH, a->location->path[i].bytes,
			a->location->path[i].len);
	if (a->format != MAP_FORMAT_NONE)
		coap_write_option_uint(&w, COAP_OPT_CONTENT_FORMAT, (uint32_t)a->format);
	if (a->has_max_age && a->max_age != MAX_AGE_DEFAULT)
		coap_write_option_uint(&w, COAP_OPT_MAX_AGE, a->max_age);
	for (unsigned i = 0; a->location && i < a->location->query_count; i++)
		coap_write_option(&w, COAP_OPT_LOCATION_QUERY, a->location->query[i].bytes,
			a->location->query[i].len);
	if (a->has_size1)
		coap_write_option_uint(&w, COAP_OPT_SIZE1, a->size1);
	if (a->ask_echo)
		coap_write_option(&w, COAP_OPT_ECHO, "", 0); // the worker fills it in
	coap_write_payload(&w, a->payload, a->payload_len);
	*len = (uint16_t)coap_writer_len(&w);
	return *len > 0;
}

// The same for an error, whose payload or options give way until it fits: a diagnostic is cut, any
// other payload left out.
static void error_answer_write(struct answer *a, uint8_t *out, size_t room, uint16_t *len)
{
	size_t payload_len = a->payload_len;

	if (a->format != MAP_FORMAT_NONE) {
		if (answer_write(a, out, room, len))
			return;
		a->format = MAP_FORMAT_NONE;
		payload_len = 0;
	}
	a->payload_len = 0;
	if (!answer_write(a, out, room, len)) {
		out[0] = a->code;
		*len = 1;
		return;
	}
	if (!payload_len || room - *len < 2)
		return;
	a->payload_len = http_utf8_cut(a->payload, payload_len, room - *len - 1);
	if (!answer_write(a, out, room, len))
		*len = 0; // not reached: the length was computed
}

// What the device does not take in one datagram, though it would fit.
static void diagnostic_cut(struct answer *a, size_t len)
{
	a->payload_len =
		a->format == MAP_FORMAT_NONE ? http_utf8_cut(a->payload, a->payload_len, len) : 0;
	a->format = MAP_FORMAT_NONE;
}

// The same for a success: of a method that was performed everything but the code gives way, a
// payload first, which is then dropped whole.
static enum http_error success_answer_write(
	struct answer *a, const struct map_request *msg, uint8_t *out, size_t room, uint16_t *len)
{
	if (answer_write(a, out, room, len))
		return HTTP_ERR_none;
	if (msg->method->safe)
		return HTTP_ERR_no_room;
	a->body_dropped |= a->payload_len > 0;
	a->payload_len = 0;
	a->format = MAP_FORMAT_NONE;
	if (answer_write(a, out, room, len))
		return HTTP_ERR_none;
	out[0] = a->code;
	*len = 1;
	return HTTP_ERR_none;
}

static uint16_t error_write(
	uint8_t code, const char *diagnostic, uint32_t max_age, uint8_t *out, size_t room)
{
	struct answer a = {
		.code = code,
		.format = MAP_FORMAT_NONE,
		.has_max_age = true,
		.max_age = max_age,
		.payload = (const uint8_t *)diagnostic,
		.payload_len = strlen(diagnostic),
	};
	uint16_t len;

	error_answer_write(&a, out, room, &len);
	return len;
}

// The same with the payload apart, so that only options may not fit.
static enum http_error success_head_write(
	struct answer *a, const struct map_request *msg, struct map_response *m)
{
	m->payload = a->payload;
	m->payload_len = a->payload_len;
	a->payload_len = 0;
	return success_answer_write(a, msg, m->out, m->head_room, &m->len);
}

uint16_t map_error_write(enum http_error error, uint32_t max_age, uint8_t *out, size_t room)
{
	const struct map_error_code *row = &map_error_codes[error];

	return error_write(row->code, row->diagnostic, max_age, out, room);
}

uint16_t map_fault_write(
	enum http_error error, const struct tr_fault *fault, uint8_t *out, size_t room)
{
	const struct map_error_code *row = &map_error_codes[error];
	char text[160];

	snprintf(text, sizeof(text), "%s: %s at %s", row->diagnostic, fault->what, fault->place);
	return error_write(row->code, text, 0, out, room);
}

// Whether the request had this ETag. With NULL, *etag is set to its only one, if it had one only.
static bool request_has_etag(
	const struct map_request *msg, const struct map_etag *etag, struct map_etag *only)
{
	struct coap_option_iter iter;
	struct coap_option option;
	unsigned count = 0;

	coap_option_iter_init(&iter, &msg->body);
	while (coap_option_next(&iter, &option)) {
		if (option.number != COAP_OPT_ETAG ||
			!coap_option_len_ok(COAP_OPT_ETAG, option.len))
			continue;
		if (etag && option.len == etag->len &&
			!memcmp(option.value, etag->bytes, etag->len))
			return true;
		if (only) {
			only->len = (uint8_t)option.len;
			memcpy(only->bytes, option.value, option.len);
		}
		count++;
	}
	return only && count == 1;
}

// The ETag of a 304 in the form that the device gave it: the backend has one for what it sent, and
// the device one for each format of it.
static bool etag_of_valid(const struct map_request *msg, struct map_etags *etags, const char *value,
	struct map_etag *etag)
{
	struct coap_option_iter iter;
	struct coap_option option;
	char text[MAP_ETAG_TEXT_MAX + 3];

	if (msg->cbor == MAP_FORMAT_NONE)
		return map_etag_from_http(etags, value, true, etag) &&
			request_has_etag(msg, etag, NULL);
	coap_option_iter_init(&iter, &msg->body);
	while (coap_option_next(&iter, &option)) {
		struct http_text out;

		if (option.number != COAP_OPT_ETAG ||
			!coap_option_len_ok(COAP_OPT_ETAG, option.len) ||
			!map_etag_names_answer(msg, etags, option.value, option.len))
			continue;
		http_text_init(&out, text, sizeof(text));
		map_etag_to_http(etags, &out, option.value, option.len);
		char *start = text;
		if (!http_text_end(&out, &start) ||
			strcmp(text, value + (strncmp(value, "W/", 2) ? 0 : 2)))
			continue;
		etag->len = (uint8_t)option.len;
		memcpy(etag->bytes, option.value, option.len);
		return true;
	}
	return false;
}

// 304 answers a request with ETags (RFC 7252 section 5.9.1.3). To a request with If-None-Match it
// says that the resource exists, so that the precondition failed.
static enum http_error not_modified_map(const struct http_reply *reply,
	const struct map_request *msg, struct map_etags *etags, struct answer *a)
{
	const char *etag = reply->field[HTTP_FIELD_ETAG];

	if (!msg->method->safe)
		return HTTP_ERR_bad_status;
	if (msg->if_none_match) {
		a->code = COAP_PRECONDITION_FAILED;
		return HTTP_ERR_none;
	}
	a->code = COAP_VALID;
	a->has_etag = etag ? etag_of_valid(msg, etags, etag, &a->etag)
			   : request_has_etag(msg, NULL, &a->etag) &&
			map_etag_names_answer(msg, etags, a->etag.bytes, a->etag.len);
	return a->has_etag ? HTTP_ERR_none : HTTP_ERR_bad_status;
}

static enum http_error content_map(const struct http_reply *reply, const struct map_request *msg,
	struct map_response *m, struct answer *a)
{
	const char *type = reply->field[HTTP_FIELD_CONTENT_TYPE];
	const char *coding = reply->field[HTTP_FIELD_CONTENT_ENCODING];

	if (type) {
		a->format = map_format_of(type, coding);
		if (a->format == MAP_FORMAT_OSCORE)
			return HTTP_ERR_bad_type;
		if (a->format == MAP_FORMAT_CODED)
			return HTTP_ERR_bad_coding;
	} else if (coding && strcasecmp(coding, "identity")) {
		return HTTP_ERR_bad_coding;
	}
	// Text is UTF-8 (RFC 7252 section 12.3), whatever the backend calls it.
	if (map_format_is_text(a->format) && !reply->body_cut &&
		!http_utf8_valid(reply->body, reply->body_len))
		a->format = MAP_FORMAT_BINARY;
	int cbor = map_cbor_of_answer(msg, a->format);
	if (cbor != MAP_FORMAT_NONE)
		a->format = cbor;
	int format = type ? a->format : MAP_FORMAT_BINARY; // RFC 9110 section 8.3
	if (msg->accept != MAP_FORMAT_NONE && msg->accept != format)
		return HTTP_ERR_wrong_type;
	if (reply->body_cut)
		return HTTP_ERR_no_room;
	if (cbor != MAP_FORMAT_NONE) {
		a->payload = m->scratch;
		return map_answer_translate(
			reply, cbor, m->scratch, m->scratch_room, &a->payload_len, &m->fault);
	}
	a->payload = reply->body;
	a->payload_len = reply->body_len;
	return HTTP_ERR_none;
}

static bool etag_map(const struct http_reply *reply, const struct map_request *msg,
	struct map_etags *etags, struct map_etag *etag)
{
	const char *value = reply->field[HTTP_FIELD_ETAG];
	int cbor = map_cbor_of_etag(msg, reply);

	return cbor == MAP_FORMAT_NONE
		? map_etag_from_http(etags, value, false, etag)
		: map_etag_from_translated(etags, value, false, (uint16_t)cbor, etag);
}

static enum http_error success_map(const struct http_reply *reply, const struct map_request *msg,
	struct map_response *m, struct map_location *location, struct answer *a)
{
	const struct map_method *method = msg->method;
	const char *where = reply->field[HTTP_FIELD_LOCATION];

	if (reply->status == 206 && method->safe)
		return HTTP_ERR_bad_status;
	a->code = reply->status == 201 ? method->created : method->success;
	if (reply->field[HTTP_FIELD_ETAG] && (method->entity_tag || a->code == COAP_CREATED))
		a->has_etag = etag_map(reply, msg, m->etags, &a->etag);
	if (method->safe && a->has_etag && request_has_etag(msg, &a->etag, NULL)) {
		a->code = COAP_VALID;
		return HTTP_ERR_none;
	}
	if (where && msg->code == COAP_POST && a->code == COAP_CREATED &&
		map_location_parse(location, where, msg, m->server))
		a->location = location;
	if (reply->status == 204 || reply->status == 205 || !reply->body_len)
		return HTTP_ERR_none;
	// A part, though the request has no Range.
	enum http_error error =
		reply->status == 206 ? HTTP_ERR_bad_status : content_map(reply, msg, m, a);
	if (!error || method->safe)
		return error;
	// The method was performed, which an error would deny: only its result is dropped.
	a->format = MAP_FORMAT_NONE;
	a->payload_len = 0;
	a->body_dropped = true;
	return HTTP_ERR_none;
}

// The body of an error is a diagnostic (RFC 7252 section 5.5.2) or problem details (RFC 9290).
static void diagnostic_map(const struct http_reply *reply, struct answer *a)
{
	const char *type = reply->field[HTTP_FIELD_CONTENT_TYPE];
	const char *coding = reply->field[HTTP_FIELD_CONTENT_ENCODING];
	size_t len = reply->body_len;

	if (!len || (coding && strcasecmp(coding, "identity")))
		return;
	if (type && map_format_of(type, NULL) == MAP_FORMAT_CONCISE_PROBLEM) {
		if (reply->body_cut)
			return;
		a->format = MAP_FORMAT_CONCISE_PROBLEM;
	} else {
		if (map_type_is_html(type))
			return;
		// The last character may have been cut in two where the body was cut.
		for (unsigned i = 0; reply->body_cut && i < 3 && len; i++) {
			if (http_utf8_valid(reply->body, len))
				break;
			len--;
		}
		if (!http_utf8_valid(reply->body, len))
			return;
	}
	a->payload = reply->body;
	a->payload_len = len;
}

// The size that a backend would take, from `Upload-Limit: max-size=n`.
static bool upload_limit(const char *value, uint32_t *size)
{
	const char *at = value ? strstr(value, "max-size=") : NULL;
	char *end;

	if (!at || (at > value && !strchr(", \t", at[-1])))
		return false;
	at += strlen("max-size=");
	unsigned long long n = strtoull(at, &end, 10);
	if (end == at || *at == '-' || *at == '+' || n > UINT32_MAX)
		return false;
	*size = (uint32_t)n;
	return true;
}

// The code of a status from 300 on: as the route says, else as everywhere. 0: there is none.
static uint8_t failure_code(const struct map_request *msg, int status)
{
	const struct conf_route *route = msg->route;

	for (size_t i = 0; i < route->status_count; i++)
		if (route->statuses[i].status == status)
			return route->statuses[i].code;
	return status == 404 || status == 410 ? msg->method->missing : map_code_of_status(status);
}

static enum http_error failure_map(const struct http_reply *reply, const struct map_request *msg,
	time_t now, uint32_t retry_s, struct answer *a)
{
	int status = reply->status;

	a->code = failure_code(msg, status);
	if (!a->code)
		return status >= 300 && status <= 399 ? HTTP_ERR_redirect : HTTP_ERR_bad_status;
	if (COAP_CODE_CLASS(a->code) == 2)
		return HTTP_ERR_none;
	// Too Early (RFC 8470): the worker asks the device to show that it is not.
	if (status == 425 && a->code == COAP_UNAUTHORIZED) {
		a->ask_echo = true;
		return HTTP_ERR_none;
	}
	if (status == 413 && a->code == COAP_REQUEST_ENTITY_TOO_LARGE)
		a->has_size1 = upload_limit(reply->field[HTTP_FIELD_UPLOAD_LIMIT], &a->size1);
	if (a->code == COAP_TOO_MANY_REQUESTS || a->code == COAP_SERVICE_UNAVAILABLE) {
		a->has_max_age = true;
		a->max_age = retry_s;
		map_retry_seconds(reply->field[HTTP_FIELD_RETRY_AFTER], now, &a->max_age);
	}
	diagnostic_map(reply, a);
	return HTTP_ERR_none;
}

enum http_error map_response_build(
	const struct http_reply *reply, const struct map_request *msg, struct map_response *m)
{
	struct answer a = {.format = MAP_FORMAT_NONE};
	struct map_location location;
	enum http_error error;

	m->payload = NULL;
	m->payload_len = 0;

	if (reply->status == 304)
		error = not_modified_map(reply, msg, m->etags, &a);
	else if (reply->status >= 200 && reply->status <= 299)
		error = success_map(reply, msg, m, &location, &a);
	else
		error = failure_map(reply, msg, m->now, m->retry_s, &a);

	if (!error) {
		unsigned class = COAP_CODE_CLASS(a.code);

		if (!a.has_max_age &&
			(class > 2 || a.code == COAP_CONTENT || a.code == COAP_VALID)) {
			a.has_max_age = true;
			a.max_age = map_fresh_seconds(reply->field[HTTP_FIELD_CACHE_CONTROL],
				reply->field[HTTP_FIELD_EXPIRES], reply->field[HTTP_FIELD_DATE],
				reply->field[HTTP_FIELD_AGE], m->now);
		}
		if (a.max_age > m->max_age_max)
			a.max_age = m->max_age_max;
		if (class > 2 && m->payload_max && a.payload_len > m->payload_max)
			diagnostic_cut(&a, m->payload_max);
		if (class > 2)
			error_answer_write(&a, m->out, m->room, &m->len);
		else if (m->head_room)
			error = success_head_write(&a, msg, m);
		else
			error = success_answer_write(&a, msg, m->out, m->room, &m->len);
	}
	if (error == HTTP_ERR_bad_json)
		m->len = map_fault_write(error, &m->fault, m->out, m->room);
	else if (error)
		m->len = map_error_write(error, 0, m->out, m->room);
	m->body_dropped = !error && a.body_dropped;
	return error;
}
