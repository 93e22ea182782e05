// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/call.h"

#include "gw/map/error_codes.h"
#include "gw/map/response.h"
#include "gw/os/log.h"
#include "gw/upstream/access_line.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAY_LOCAL_MS 10000 // between two lines of the log about HTTP_ERR_local
#define MARGIN_MS    20    // by which a backend's time ends before the worker answers by itself

// A system call a hundred requests instead of one each.
static const uint8_t *random_take(struct up_loop *loop, size_t len)
{
	if (loop->random_used + len > UP_RANDOM_ROOM) {
		randombytes_buf(loop->random, UP_RANDOM_ROOM);
		loop->random_used = 0;
	}
	const uint8_t *bytes = loop->random + loop->random_used;
	loop->random_used += len;
	return bytes;
}

static uint64_t later_by(uint64_t now, uint64_t then)
{
	return then && now > then ? now - then : 0;
}

// Writes the line of a call that is about to be handed back: its request and answer are still ours.
static void call_log(const struct up_call *call)
{
	struct up_loop *loop = call->group->loop;
	const struct dp_shared *shared = call->shared;
	const struct dp_request *device = &shared->request;
	char name[UP_NAME_MAX + 1], line[UP_ACCESS_LINE_MAX];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	bool known = loop->config.name(loop->config.name_arg, device->context,
		device->context_generation, name, sizeof(name));
	const struct up_access_entry entry = {
		.unix_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
		.device = known ? name : NULL,
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
		.error = call->error,
		.abandoned = call->abandoned,
		.sent = call->sent,
	};
	up_access_log_put(loop->config.access, loop->config.loop, line,
		up_access_line_write(&entry, line, sizeof(line)));
}

static bool call_is_logged(struct up_loop *loop)
{
	uint32_t random;

	if (!loop->config.access)
		return false;
	memcpy(&random, random_take(loop, sizeof(random)), sizeof(random));
	return up_access_log_wants(loop->config.access, loop->config.loop, random, loop->now_ms);
}

static void call_return(struct up_call *call)
{
	struct up_group *group = call->group;
	struct up_loop *loop = group->loop;

	if (call_is_logged(loop))
		call_log(call);
	dp_loop_respond(call->port, call->handle);
	up_stat_add(group, UP_STAT_returned, 1);
	call->shared = NULL;
	TAILQ_INSERT_HEAD(&loop->free_calls, call, link);
	loop->busy--;
}

void up_call_abandon(struct up_call *call)
{
	call->shared->response.len = 0;
	call->abandoned = true;
	up_stat_add(call->group, UP_STAT_abandoned, 1);
	call_return(call);
}

// Spreads the times at which devices come back.
static uint32_t retry_seconds(struct up_loop *loop)
{
	return UP_RETRY_SECONDS + *random_take(loop, 1) % (UP_RETRY_SECONDS + 1);
}

// Max-Age of an error.
static uint32_t error_max_age(struct up_loop *loop, enum http_error error)
{
	return map_error_codes[error].code == COAP_SERVICE_UNAVAILABLE ? retry_seconds(loop) : 0;
}

void up_call_fail(struct up_call *call, enum http_error error)
{
	struct up_group *group = call->group;
	struct dp_shared *shared = call->shared;

	call->error = error;
	shared->response.len = map_error_write(error, error_max_age(group->loop, error),
		dp_shared_response(shared), shared->request.response_max);
	up_stat_add(group, UP_STAT_ERROR + error, 1);
	call_return(call);
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
	return flight;
}

static void flight_give(struct up_loop *loop, struct up_flight *flight)
{
	flight->next = loop->free_flights;
	loop->free_flights = flight;
}

// Makes the HTTP request of a call.
static enum http_error flight_prepare(struct up_flight *flight, struct up_call *call)
{
	struct up_loop *loop = call->group->loop;
	struct http_request *req = &flight->transfer.request;
	const struct dp_request *device = &call->shared->request;
	static const unsigned char key[crypto_shorthash_KEYBYTES]; // all gateways pick the same
	char name[UP_NAME_MAX + 1];
	enum http_error error;

	error = map_request_parse(&flight->message, call->route, device->code,
		dp_shared_body(call->shared), device->body_len);
	if (!error)
		error = map_request_build(req, &flight->message, loop->etags);
	if (error)
		return error;
	if (!loop->config.name(loop->config.name_arg, device->context, device->context_generation,
		    name, sizeof(name)))
		return HTTP_ERR_device_gone;
	crypto_shorthash(
		(unsigned char *)&flight->device, (const unsigned char *)name, strlen(name), key);
	return map_request_identify(req, device, name, random_take(loop, MAP_IDENTITY_RANDOM));
}

static void call_done(struct http_transfer *transfer, enum http_error error);

// Sends the request to a server that is up and was not tried.
static enum http_error flight_start(struct up_flight *flight, struct up_call *call)
{
	struct up_group *group = call->group;
	struct http_transfer *t = &flight->transfer;
	uint64_t now = group->loop->now_ms;
	uint32_t random;

	if (call->deadline_ms <= now)
		return HTTP_ERR_timeout;
	memcpy(&random, random_take(group->loop, sizeof(random)), sizeof(random));
	int server = up_servers_pick(group->servers, flight->tried, flight->device, random);
	if (server < 0)
		return HTTP_ERR_no_server;
	flight->server = (size_t)server;
	flight->tried |= UINT64_C(1) << server;
	bool left = flight->retries < group->upstream->retries.max &&
		up_servers_left(group->servers, flight->tried);
	t->done = call_done;
	t->server = group->servers->server[server].conf;
	t->host = call->route->host ? call->route->host : t->server->authority;
	t->timeout_ms = (uint32_t)(call->deadline_ms - now);
	t->timeout_ms -= t->timeout_ms / 8 < MARGIN_MS ? t->timeout_ms / 8 : MARGIN_MS;
	// Half of the time stays for another server, if this one does not even refuse.
	t->connect_ms = left ? t->timeout_ms / 2 + 1 : 0;
	t->body_keep = call->shared->request.payload_max;
	t->body_max = group->upstream->max_body;
	t->fresh = false;
	up_stat_add(group, UP_STAT_attempts, 1);
	if (group->engine->ops->start(group->engine, t))
		return HTTP_ERR_no_memory;
	group->servers->server[server].outstanding++;
	call->server = t->server;
	call->status = 0; // not that of a server that was asked before
	call->connected_ms = 0;
	call->sent = false;
	call->tries++;
	return HTTP_ERR_none;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void up_call_launch(struct up_call *call)
{
	struct up_group *group = call->group;
	struct up_loop *loop = group->loop;
	struct up_flight *flight = flight_take(loop);
	enum http_error error;

	call->launched_ms = loop->now_ms;
	if (!flight) {
		up_call_fail(call, HTTP_ERR_no_memory);
		return;
	}
	error = flight_prepare(flight, call);
	if (!error) {
		flight->tried = 0;
		flight->retries = 0;
		flight->seen = false;
		group->retry_tokens = at_most(group->retry_tokens + group->upstream->retries.budget,
			group->retry_tokens_max);
		error = flight_start(flight, call);
	}
	if (error) {
		flight_give(loop, flight);
		up_call_fail(call, error);
		return;
	}
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

void up_group_launch_waiting(struct up_group *group)
{
	struct up_call *call;

	while (up_group_has_room(group) && (call = TAILQ_FIRST(&group->waiting))) {
		up_call_unqueue(call);
		if (up_call_is_abandoned(call))
			up_call_abandon(call);
		else
			up_call_launch(call);
	}
}

static void count_status(struct up_group *group, int status)
{
	static const enum up_stat classes[] = {[2] = UP_STAT_http_2xx,
		[3] = UP_STAT_http_3xx,
		[4] = UP_STAT_http_4xx,
		[5] = UP_STAT_http_5xx};

	up_stat_add(group,
		status >= 200 && status <= 599 ? classes[status / 100] : UP_STAT_http_other, 1);
}

// Whether an answer, or that none came, is the server's failure. What it says about one request
// (500, 404, a body that is too large) is not.
static bool server_at_fault(
	const struct up_call *call, const struct http_transfer *t, enum http_error error)
{
	switch (error) {
	case HTTP_ERR_none:
		return t->reply.status >= 502 && t->reply.status <= 504;
	case HTTP_ERR_dns:
	case HTTP_ERR_connect:
	case HTTP_ERR_tls:
	case HTTP_ERR_reset:
	case HTTP_ERR_bad_reply:
	case HTTP_ERR_head_too_large:
		return true;
	case HTTP_ERR_timeout: // unless most of the time was spent before it was asked
		return t->timeout_ms >= call->route->timeout_ms / 2;
	default:
		return false;
	}
}

// Counts an answer, or a failure, for or against its server.
static void server_judge(
	const struct up_call *call, const struct up_flight *flight, enum http_error error)
{
	struct up_group *group = call->group;
	const struct http_transfer *t = &flight->transfer;
	char status[16];

	if (http_error_is_local(error))
		return;
	if (!server_at_fault(call, t, error)) {
		up_server_succeeded(group->servers, flight->server);
		return;
	}
	snprintf(status, sizeof(status), "status %d", t->reply.status);
	if (up_server_failed(group->servers, flight->server,
		    error ? http_error_name(error) : status, group->loop->now_ms))
		up_stat_add(group, UP_STAT_ejections, 1);
}

// Sends a request that failed to another server, if there is one and it may be sent again (RFC 9110
// section 9.2.2). false: it was not.
static bool flight_retry(struct up_flight *flight, struct up_call *call, enum http_error error)
{
	struct up_group *group = call->group;
	bool seen = flight->transfer.sent;

	if (error != HTTP_ERR_dns && error != HTTP_ERR_connect && error != HTTP_ERR_tls &&
		error != HTTP_ERR_local && error != HTTP_ERR_reset &&
		((error != HTTP_ERR_bad_reply && error != HTTP_ERR_queue_timeout) || seen))
		return false;
	if (seen && !flight->transfer.request.idempotent)
		return false;
	if (flight->retries >= group->upstream->retries.max ||
		!up_servers_left(group->servers, flight->tried))
		return false;
	// What no server saw costs the servers nothing.
	if (seen && group->retry_tokens < 100) {
		up_stat_add(group, UP_STAT_retries_refused, 1);
		return false;
	}
	flight->retries++;
	flight->seen |= seen;
	if (flight_start(flight, call))
		return false;
	if (seen)
		group->retry_tokens -= 100;
	up_stat_add(group, UP_STAT_retries, 1);
	return true;
}

// A request that was sent and lost with its connection may have been seen, even if it then failed
// to find another connection.
static enum http_error error_of_sent(const struct http_transfer *t, enum http_error error)
{
	bool unreached = error == HTTP_ERR_dns || error == HTTP_ERR_connect ||
		error == HTTP_ERR_tls || error == HTTP_ERR_local;

	return t->sent && unreached ? HTTP_ERR_reset : error;
}

void up_group_say_local(struct up_group *group, int local_errno)
{
	uint64_t now = group->loop->now_ms;

	if (now < group->say_local_ms)
		return;
	group->say_local_ms = now + SAY_LOCAL_MS;
	log_warning("upstream %s: requests fail for want of connections: %s", group->upstream->name,
		local_errno ? strerror(local_errno) : "the files of tls cannot be read");
}

// Whether an answer was given up only since it is too large, or since there was no memory for it:
// its status was read. A method that changes something was performed then, or not, as it says.
static bool status_stands(const struct up_flight *flight, enum http_error error)
{
	return (error == HTTP_ERR_body_too_large || error == HTTP_ERR_head_too_large ||
		       error == HTTP_ERR_no_memory) &&
		!flight->message.method->safe && flight->transfer.reply.status >= 200;
}

// Makes the device's answer from the server's.
static void call_answer(struct up_call *call)
{
	struct up_group *group = call->group;
	struct dp_shared *shared = call->shared;
	const struct http_transfer *t = &call->flight->transfer;
	struct map_response mapping = {
		.server = t->server,
		.etags = group->loop->etags,
		.now = time(NULL),
		.retry_s = retry_seconds(group->loop),
		.max_age_max = group->upstream->max_age_ms / 1000,
		.out = dp_shared_response(shared),
		.room = shared->request.response_max,
	};

	count_status(group, t->reply.status);
	call->error = map_response_build(&t->reply, &call->flight->message, &mapping);
	shared->response.len = mapping.len;
	if (call->error)
		up_stat_add(group, UP_STAT_ERROR + call->error, 1);
	if (mapping.body_dropped)
		up_stat_add(group, UP_STAT_bodies_dropped, 1);
}

static void call_done(struct http_transfer *transfer, enum http_error error)
{
	struct up_flight *flight = (struct up_flight *)transfer;
	struct up_call *call = flight->call;
	struct up_group *group = call->group;

	error = error_of_sent(transfer, error);
	call->status = transfer->reply.status >= 200 ? transfer->reply.status : 0;
	call->sent = transfer->sent;
	call->connected_ms = transfer->connected_ms;
	group->servers->server[flight->server].outstanding--;
	server_judge(call, flight, error);
	if (error == HTTP_ERR_local)
		up_group_say_local(group, transfer->local_errno);
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
		if (flight_retry(flight, call, error))
			return;
		if (flight->seen && !transfer->sent && error != HTTP_ERR_timeout) {
			error = HTTP_ERR_reset; // a server that was asked before may have done it
			call->sent = true;
		}
		call_land(call);
		up_call_fail(call, error);
		return;
	}
	call_answer(call);
	call_land(call);
	call_return(call);
}

void up_call_cancel(struct up_call *call)
{
	struct up_group *group = call->group;

	call->sent = call->flight->transfer.sent;
	group->engine->ops->cancel(group->engine, &call->flight->transfer);
	group->servers->server[call->flight->server].outstanding--;
	call_land(call);
}
