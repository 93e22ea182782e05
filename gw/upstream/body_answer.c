// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/body_answer.h"

#include "gw/map/error_codes.h"
#include "gw/upstream/lost.h"
#include "gw/upstream/random.h"

#include <string.h>

#define HEAD_ROOM        4096 // bytes of the options of an answer
#define OPTIONS_RESERVED 64   // bytes of the options of most answers
#define MAX_AGE_DEFAULT  60   // RFC 7252 section 5.10.5

bool up_body_request(const struct up_call *call, struct coap_body *message, struct body_request *r)
{
	const struct dp_shared *shared = call->shared;
	const struct dp_request *device = &shared->request;
	const uint8_t *secret = body_secret(call->group->loop->bodies);

	if (coap_body_parse(message, dp_shared_body(shared), device->body_len) != COAP_OK ||
		!body_request_read(r, secret, device->code, message))
		return false;
	r->context = device->context;
	r->generation = device->context_generation;
	r->route = call->route->id;
	return true;
}

bool up_body_needed(const struct up_call *call, const struct http_reply *reply)
{
	const struct dp_request *device = &call->shared->request;

	return call->blocks || call->body || reply->body_len > device->payload_max ||
		reply->body_len + OPTIONS_RESERVED > device->response_max ||
		(reply->body_len && reply->field[HTTP_FIELD_LOCATION]); // which may be long
}

// Takes a plaintext apart: ETag and Max-Age are written anew with each block.
struct parts {
	struct body_answer answer;
	uint8_t options[HEAD_ROOM];
};

static void parts_take(struct parts *parts, const uint8_t *plaintext, size_t len)
{
	struct body_answer *a = &parts->answer;
	struct coap_option_iter iter;
	struct coap_option option;
	struct coap_body body;
	struct coap_writer w;

	*a = (struct body_answer){.code = plaintext[0], .options = parts->options};
	if (coap_body_parse(&body, plaintext + 1, len - 1) != COAP_OK)
		return;
	if (COAP_CODE_CLASS(a->code) != 2 || a->code == COAP_CONTENT || a->code == COAP_VALID) {
		a->has_max_age = true;
		a->max_age = MAX_AGE_DEFAULT;
	}
	coap_writer_init(&w, parts->options, sizeof(parts->options));
	coap_option_iter_init(&iter, &body);
	while (coap_option_next(&iter, &option)) {
		if (option.number == COAP_OPT_ETAG && option.len <= BODY_ETAG_MAX) {
			a->etag_len = (uint8_t)option.len;
			memcpy(a->etag, option.value, option.len);
		} else if (option.number == COAP_OPT_MAX_AGE) {
			a->has_max_age = coap_option_uint(&option, &a->max_age);
		} else {
			coap_write_option(&w, option.number, option.value, option.len);
		}
	}
	a->options_len = (uint16_t)coap_writer_len(&w);
	a->payload = body.payload;
	a->payload_len = body.payload_len;
}

static void plaintext_put(struct up_call *call, const uint8_t *plaintext, size_t len)
{
	struct dp_shared *shared = call->shared;

	memcpy(dp_shared_response(shared), plaintext, len);
	shared->response.len = (uint16_t)len;
}

// Without its payload; of what was performed, only that is dropped.
static void payload_drop(struct up_call *call, const struct body_answer *answer)
{
	const struct body_part none = {0};
	struct dp_shared *shared = call->shared;
	uint8_t *out = dp_shared_response(shared);

	shared->response.len = body_part_write(answer, &none, out, shared->request.response_max);
	if (!shared->response.len) {
		out[0] = answer->code;
		shared->response.len = 1;
	}
	up_stat_add(call->group, UP_STAT_bodies_dropped, 1);
}

// Sends an answer whole, or keeps it and sends the block that is asked for.
static enum http_error call_answer(
	struct up_call *call, const struct body_answer *answer, bool safe)
{
	struct up_loop *loop = call->group->loop;
	struct dp_shared *shared = call->shared;
	const struct dp_request *device = &shared->request;
	uint8_t *out = dp_shared_response(shared);
	struct coap_body message;
	struct body_request r;
	bool too_large = false;

	if (!up_body_request(call, &message, &r))
		return HTTP_ERR_bad_request; // cannot be: it was read when it came
	shared->response.len =
		body_answer_write(answer, &r, out, device->response_max, device->payload_max);
	if (shared->response.len)
		return HTTP_ERR_none;
	body_request_name(&r, body_secret(loop->bodies));
	struct body *body = body_keep(loop->bodies, &r, answer, device->response_max,
		device->payload_max, loop->now_ms, &too_large);

	if (body && !up_body_is_owned(call)) {
		shared->response.len =
			map_error_write(HTTP_ERR_device_gone, 0, out, device->response_max);
		return HTTP_ERR_device_gone;
	}
	if (body) {
		shared->response.len = body_serve(loop->bodies, body, &r, out, device->response_max,
			device->payload_max, loop->now_ms);
		return HTTP_ERR_none;
	}
	if (!safe) {
		payload_drop(call, answer);
		return HTTP_ERR_none;
	}
	enum http_error error = too_large ? HTTP_ERR_too_many_blocks : HTTP_ERR_no_memory;

	shared->response.len = map_error_write(
		error, too_large ? 0 : up_retry_seconds(loop), out, device->response_max);
	return error;
}

enum http_error up_body_answer(struct up_call *call, const struct http_reply *reply,
	const struct map_request *msg, struct map_response *mapping)
{
	struct up_loop *loop = call->group->loop;
	static _Thread_local uint8_t head[HEAD_ROOM];
	static _Thread_local struct parts parts;

	mapping->out = head;
	mapping->room = mapping->room < sizeof(head) ? mapping->room : sizeof(head);
	mapping->head_room = sizeof(head);
	enum http_error error = map_response_build(reply, msg, mapping);
	bool whole = error || COAP_CODE_CLASS(head[0]) != 2;

	if (whole && !call->body) {
		plaintext_put(call, head, mapping->len);
		return error;
	}
	parts_take(&parts, head, mapping->len);
	if (!whole) {
		parts.answer.payload = mapping->payload;
		parts.answer.payload_len = mapping->payload_len;
	}
	if (!call->body)
		return call_answer(call, &parts.answer, msg->method->safe);
	if (!body_answered(loop->bodies, call->body, &parts.answer, loop->now_ms))
		mapping->body_dropped = true;
	return error;
}

void up_body_fail(struct up_call *fetch, const uint8_t *plaintext, size_t len)
{
	struct up_loop *loop = fetch->group->loop;
	static _Thread_local struct parts parts;

	parts_take(&parts, plaintext, len);
	body_answered(loop->bodies, fetch->body, &parts.answer, loop->now_ms);
}
