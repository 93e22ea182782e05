// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/call.h"

#include "dataplane/shared/look.h"
#include "gw/map/error_codes.h"
#include "gw/map/passthrough.h"
#include "gw/map/response.h"
#include "gw/os/log.h"
#include "gw/upstream/access_line.h"
#include "gw/upstream/body_answer.h"
#include "gw/upstream/cache.h"
#include "gw/upstream/random.h"
#include "gw/upstream/snapshot.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t later_by(uint64_t now, uint64_t then)
{
	return then && now > then ? now - then : 0;
}

static void line_put(const struct up_call *call)
{
	struct up_loop *loop = call->group->loop;
	const struct dp_shared *shared = call->shared;
	const struct dp_request *device = &shared->request;
	char name[UP_NAME_MAX + 1], line[UP_ACCESS_LINE_MAX];
	uint8_t credential[UP_CREDENTIAL_LEN];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	// Of what is passed through nobody here knows the device.
	bool known = !device->pass &&
		loop->config.name(loop->config.name_arg, device->context,
			device->context_generation, name, sizeof(name));
	const bool agreed = known && loop->config.credential &&
		loop->config.credential(loop->config.name_arg, device->context,
			device->context_generation, credential);
	const struct up_access_entry entry = {
		.unix_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
		.device = known ? name : NULL,
		.credential = agreed ? credential : NULL,
		.method = device->code,
		.body = dp_shared_body(shared),
		.body_len = device->body_len,
		.in = device->body_len,
		.route = call->route ? call->route->path.text : NULL,
		.upstream = call->group->upstream ? call->group->upstream->name : NULL,
		.server = call->server ? call->server->text : NULL,
		.status = call->status,
		.code = shared->response.len ? *dp_shared_response(call->shared) : 0,
		.out = shared->response.len,
		.queued_ms = later_by(
			call->launched_ms ? call->launched_ms : loop->now_ms, call->arrived_ms),
		.connect_ms = call->connected_ms,
		.total_ms = later_by(loop->now_ms, device->received_ms),
		.tries = call->tries,
		.trace = call->tries && !device->pass ? call->trace : NULL,
		.batch = call->batch,
		.batch_size = call->batch_size,
		.error = call->error,
		.abandoned = call->abandoned,
		.sent = call->sent,
	};
	up_access_log_put(loop->config.access, loop->config.loop, line,
		up_access_line_write(&entry, line, sizeof(line)));
}

void up_call_log(const struct up_call *call)
{
	struct up_loop *loop = call->group->loop;

	if (loop->config.access &&
		up_access_log_wants(
			loop->config.access, loop->config.loop, up_random_32(loop), loop->now_ms))
		line_put(call);
}

void up_call_log_as(struct up_call *call, const struct up_call *other)
{
	call->launched_ms = other->launched_ms;
	call->server = other->server;
	call->status = other->status;
	call->connected_ms = other->connected_ms;
	call->tries = other->tries;
	memcpy(call->trace, other->trace, sizeof(call->trace));
	call->sent = other->sent;
	call->error = other->error;
	call->batch = other->batch;
	call->batch_size = other->batch_size;
}

// Leaves what became of a request that is traced.
static void trace_leave(const struct up_call *call)
{
	struct dp_shared *shared = call->shared;
	const struct up_loop *loop = call->group->loop;
	struct dp_trace_upstream trace = {
		.queued_ms = later_by(
			call->launched_ms ? call->launched_ms : loop->now_ms, call->arrived_ms),
		.total_ms = later_by(loop->now_ms, shared->request.received_ms),
		.status = call->status,
		.tries = call->tries,
	};

	if (shared->request.token_len + sizeof(trace) > shared->data_room)
		return;
	snprintf(trace.server, sizeof(trace.server), "%s", call->server ? call->server->name : "");
	snprintf(trace.error, sizeof(trace.error), "%s",
		call->error ? http_error_name(call->error) : "");
	memcpy(dp_shared_request_buf(shared) + shared->request.token_len, &trace, sizeof(trace));
	shared->response.told = true;
}

void up_call_return(struct up_call *call)
{
	struct up_group *group = call->group;
	struct up_loop *loop = group->loop;

	up_cache_changed(call);
	if (call->returned) {
		call->returned(call);
		return;
	}
	up_call_log(call);
	if (call->shared->request.traced)
		trace_leave(call);
	up_route_answered(loop->routes, call->shared, loop->tsc_per_ms);
	dp_loop_respond(call->port, call->handle);
	up_stat_add(group, UP_STAT_returned, 1);
	call->snapshot->held--;
	call->shared = NULL;
	TAILQ_INSERT_HEAD(&loop->free_calls, call, link);
	loop->busy--;
}

void up_call_abandon(struct up_call *call)
{
	call->shared->response.len = 0;
	call->abandoned = true;
	if (!call->returned)
		up_stat_add(call->group, UP_STAT_abandoned, 1);
	up_call_return(call);
}

// Max-Age of an error.
static uint32_t error_max_age(struct up_loop *loop, enum http_error error)
{
	return map_error_codes[error].code == COAP_SERVICE_UNAVAILABLE ? up_retry_seconds(loop) : 0;
}

void up_call_fail(struct up_call *call, enum http_error error)
{
	struct up_group *group = call->group;
	struct dp_shared *shared = call->shared;

	call->error = error;
	shared->response.len = (shared->request.pass ? map_pass_error_write : map_error_write)(
		error, error_max_age(group->loop, error), dp_shared_response(shared),
		shared->request.response_max);
	up_stat_add(group, UP_STAT_ERROR + error, 1);
	up_call_return(call);
}

// The same for a payload that cannot be translated.
static void call_fail_fault(struct up_call *call, const struct tr_fault *fault)
{
	struct dp_shared *shared = call->shared;

	call->error = HTTP_ERR_bad_cbor;
	shared->response.len = map_fault_write(
		HTTP_ERR_bad_cbor, fault, dp_shared_response(shared), shared->request.response_max);
	up_stat_add(call->group, UP_STAT_ERROR + HTTP_ERR_bad_cbor, 1);
	up_call_return(call);
}

bool up_call_is_abandoned(const struct up_call *call)
{
	return __atomic_load_n(&call->shared->abandoned, __ATOMIC_RELAXED);
}

static struct up_flight *flight_take(struct up_loop *loop)
{
	struct up_flight *flight = loop->free_flights;

	if (flight)
		loop->free_flights = flight->next;
	else
		flight = malloc(sizeof(*flight));
	if (flight) {
		flight->translated = NULL;
		flight->claim = (struct body_claim){0};
	}
	return flight;
}

static void flight_give(struct up_loop *loop, struct up_flight *flight)
{
	if (flight->translated)
		sodium_memzero(flight->translated, flight->message.payload_len);
	free(flight->translated);
	body_unclaim(loop->bodies, &flight->claim);
	flight->next = loop->free_flights;
	loop->free_flights = flight;
}

static void call_done(struct http_transfer *transfer, enum http_error error);

// Translates the payload of a request if its route says so. It stays until the flight is over,
// since the request may be sent again.
static enum http_error flight_translate(struct up_flight *flight, struct up_loop *loop)
{
	struct map_request *msg = &flight->message;
	enum http_error error = map_request_translate(msg, loop->scratch, sizeof(loop->scratch));

	if (error || msg->payload != loop->scratch)
		return error;
	flight->translated = malloc(msg->payload_len);
	if (!flight->translated)
		return HTTP_ERR_no_memory;
	memcpy(flight->translated, loop->scratch, msg->payload_len);
	msg->payload = flight->translated;
	return HTTP_ERR_none;
}

// The answer of a server needs memory: all such together are bounded.
static bool flight_room(struct http_transfer *transfer, size_t bytes)
{
	struct up_flight *flight = (struct up_flight *)transfer;
	const struct dp_request *device = &flight->call->shared->request;

	return body_claim(flight->call->group->loop->bodies, &flight->claim, device->context,
		device->context_generation, bytes);
}

static uint64_t body_max(const struct up_call *call)
{
	uint64_t route = call->route->max_body, upstream = call->group->upstream->max_body;

	return route < upstream ? route : upstream;
}

// Whether the answer may be any device's, so that the request says nothing of the one that asks.
static bool is_nameless(const struct up_call *call)
{
	uint8_t code = call->shared->request.code;

	return call->route->cache.scope == CONF_CACHE_SHARED &&
		(code == COAP_GET || code == COAP_FETCH);
}

// `name` is what its server is picked by, for balance: hash.
static void attempt_init(struct up_flight *flight, const struct up_call *call, const char *name)
{
	static const unsigned char key[crypto_shorthash_KEYBYTES]; // all gateways pick the same
	struct up_attempt *attempt = &flight->attempt;

	attempt->group = call->group;
	attempt->route = call->route;
	attempt->deadline_ms = call->deadline_ms;
	attempt->slot = NULL;
	attempt->tried = 0;
	attempt->retries = 0;
	attempt->seen = false;
	attempt->transfer.done = call_done;
	attempt->transfer.body_max = body_max(call);
	attempt->transfer.room = flight_room;
	attempt->transfer.head = NULL;
	attempt->transfer.take = NULL;
	crypto_shorthash(
		(unsigned char *)&attempt->device, (const unsigned char *)name, strlen(name), key);
	up_headers_add_route(call->snapshot->headers, call->route, &attempt->transfer.request);
}

// Makes the HTTP request of a message that is passed through. Nothing says who sent it.
static enum http_error flight_prepare_pass(struct up_flight *flight, struct up_call *call)
{
	struct http_transfer *t = &flight->attempt.transfer;
	enum http_error error = map_pass_request(&t->request, call->route,
		dp_shared_body(call->shared), call->shared->request.body_len);

	if (error)
		return error;
	flight->message = (struct map_request){.route = call->route};
	attempt_init(flight, call, call->route->path.text);
	t->body_keep = (uint32_t)t->body_max;
	return t->request.text.failed ? HTTP_ERR_too_long : HTTP_ERR_none;
}

// Makes the HTTP request of a call.
static enum http_error flight_prepare(struct up_flight *flight, struct up_call *call)
{
	struct up_loop *loop = call->group->loop;
	struct http_transfer *t = &flight->attempt.transfer;
	struct http_request *req = &t->request;
	const struct dp_request *device = &call->shared->request;
	const uint8_t *random = up_random_take(loop, MAP_IDENTITY_RANDOM);
	char name[UP_NAME_MAX + 1];
	enum http_error error;

	memcpy(call->trace, random, sizeof(call->trace));
	error = map_request_parse(&flight->message, call->route, device->code,
		dp_shared_body(call->shared), device->body_len);
	if (call->body) {
		flight->message.payload = call->body->bytes.at;
		flight->message.payload_len = call->body->bytes.len;
		flight->message.if_none_match |= call->body->if_none_match;
	}
	if (!error)
		error = flight_translate(flight, loop);
	if (!error)
		error = map_request_build(req, &flight->message, loop->etags);
	if (error)
		return error;
	bool nameless = is_nameless(call);

	if (!nameless &&
		!loop->config.name(loop->config.name_arg, device->context,
			device->context_generation, name, sizeof(name)))
		return HTTP_ERR_device_gone;
	attempt_init(flight, call, nameless ? req->path : name);
	t->body_keep = map_reply_keep(&flight->message, t->body_max);
	if (call->asks)
		call->asks(call, req);
	return nameless ? HTTP_ERR_none : map_request_identify(req, device, name, random);
}

// A server is asked.
static void call_asks(struct up_call *call, const struct up_flight *flight)
{
	call->server = flight->attempt.transfer.server;
	call->status = 0; // not that of a server that was asked before
	call->connected_ms = 0;
	call->sent = up_attempt_is_sent(&flight->attempt);
	call->tries++;
}

void up_call_launch(struct up_call *call)
{
	struct up_group *group = call->group;
	struct up_loop *loop = group->loop;
	struct up_flight *flight = flight_take(loop);
	enum http_error error;

	call->launched_ms = loop->now_ms;
	up_stat_measure(group, UP_STAT_QUEUE, loop->now_ms - call->arrived_ms);
	if (!flight) {
		up_call_fail(call, HTTP_ERR_no_memory);
		return;
	}
	error = call->shared->request.pass ? flight_prepare_pass(flight, call)
					   : flight_prepare(flight, call);
	if (!error) {
		up_attempt_earn(group, 1);
		error = up_attempt_start(&flight->attempt);
	}
	if (error) {
		struct tr_fault fault = flight->message.fault;

		flight_give(loop, flight);
		if (error == HTTP_ERR_bad_cbor)
			call_fail_fault(call, &fault);
		else
			up_call_fail(call, error);
		return;
	}
	call_asks(call, flight);
	flight->call = call;
	call->flight = flight;
	TAILQ_INSERT_TAIL(&loop->flying, call, link);
	group->inflight++;
	up_stat_set(group, UP_STAT_inflight, group->inflight);
}

// The call is neither flying nor waiting afterwards.
static void call_land(struct up_call *call)
{
	struct up_group *group = call->group;

	TAILQ_REMOVE(&group->loop->flying, call, link);
	flight_give(group->loop, call->flight);
	call->flight = NULL;
	group->inflight--;
	up_stat_set(group, UP_STAT_inflight, group->inflight);
}

void up_call_unqueue(struct up_call *call)
{
	struct up_group *group = call->group;

	TAILQ_REMOVE(&group->waiting, call, link);
	group->waiting_count--;
	up_stat_set(group, UP_STAT_waiting, group->waiting_count);
	up_stat_add(group, UP_STAT_queued_ms, group->loop->now_ms - call->arrived_ms);
}

bool up_group_has_room(const struct up_group *group)
{
	return group->inflight < group->max_inflight && group->inflight < group->engine->capacity;
}

// Whether an answer was given up only since it is too large, or since there was no memory for it:
// its status was read. A method that changes something was performed then, or not, as it says.
static bool status_stands(const struct up_flight *flight, enum http_error error)
{
	return (error == HTTP_ERR_body_too_large || error == HTTP_ERR_head_too_large ||
		       error == HTTP_ERR_no_memory) &&
		!flight->call->shared->request.pass && !flight->message.method->safe &&
		flight->attempt.transfer.reply.status >= 200;
}

// Makes the device's answer from the server's.
static void call_answer(struct up_call *call)
{
	struct up_group *group = call->group;
	struct dp_shared *shared = call->shared;
	const struct http_transfer *t = &call->flight->attempt.transfer;
	struct map_response mapping = {
		.server = t->server,
		.etags = group->loop->etags,
		.now = time(NULL),
		.retry_s = up_retry_seconds(group->loop),
		.max_age_max = group->upstream->max_age_ms / 1000,
		.out = dp_shared_response(shared),
		.room = shared->request.response_max,
		.payload_max = shared->request.payload_max,
		.scratch = group->loop->scratch,
		.scratch_room = sizeof(group->loop->scratch),
	};

	up_status_count(group, t->reply.status);
	if (call->answered) {
		call->answered(call, &t->reply);
		return;
	}
	if (up_body_needed(call, &t->reply)) {
		// Its bytes are charged where they are kept; the engine's go when this is over.
		body_unclaim(group->loop->bodies, &call->flight->claim);
		call->error = up_body_answer(call, &t->reply, &call->flight->message, &mapping);
	} else {
		call->error = map_response_build(&t->reply, &call->flight->message, &mapping);
		shared->response.len = mapping.len;
	}
	if (call->error)
		up_stat_add(group, UP_STAT_ERROR + call->error, 1);
	if (mapping.body_dropped)
		up_stat_add(group, UP_STAT_bodies_dropped, 1);
}

// The same for a message that is passed through: one that its server has protected, or an error.
static void call_answer_pass(struct up_call *call)
{
	struct dp_shared *shared = call->shared;
	const struct http_reply *reply = &call->flight->attempt.transfer.reply;

	up_status_count(call->group, reply->status);
	call->error = map_pass_response(reply, dp_shared_response(shared),
		shared->request.response_max, &shared->response.len);
	if (!call->error)
		return;
	shared->response.len = map_pass_error_write(
		call->error, 0, dp_shared_response(shared), shared->request.response_max);
	up_stat_add(call->group, UP_STAT_ERROR + call->error, 1);
}

static void call_done(struct http_transfer *transfer, enum http_error error)
{
	struct up_flight *flight = (struct up_flight *)transfer;
	struct up_call *call = flight->call;
	struct up_group *group = call->group;

	error = up_attempt_over(&flight->attempt, error);
	call->status = transfer->reply.status >= 200 ? transfer->reply.status : 0;
	call->sent = up_attempt_is_sent(&flight->attempt);
	call->connected_ms = transfer->connected_ms;
	if (up_call_is_abandoned(call)) {
		call_land(call);
		up_call_abandon(call);
		return;
	}
	if (error && status_stands(flight, error)) {
		http_reply_drop(&transfer->reply, error == HTTP_ERR_head_too_large);
		up_stat_add(group, UP_STAT_bodies_dropped, 1);
		error = HTTP_ERR_none;
	}
	if (error) {
		if (up_attempt_again(&flight->attempt, error)) {
			call_asks(call, flight);
			return;
		}
		if (flight->attempt.seen && !transfer->sent && error != HTTP_ERR_timeout)
			error = HTTP_ERR_reset; // a server that was asked before may have done it
		call_land(call);
		up_call_fail(call, error);
		return;
	}
	if (call->shared->request.pass)
		call_answer_pass(call);
	else
		call_answer(call);
	call_land(call);
	up_call_return(call);
}

void up_call_cancel(struct up_call *call)
{
	struct up_attempt *attempt = &call->flight->attempt;

	call->sent = up_attempt_is_sent(attempt);
	// Nobody waits any more for a body's answer: those who did had as much time as any.
	if (call->returned &&
		call->launched_ms + call->route->timeout_ms <= call->group->loop->now_ms + 100)
		up_attempt_time_out(attempt);
	else
		up_attempt_cancel(attempt);
	call_land(call);
}
