// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/call.h"

#include "gw/http/local.h"
#include "gw/os/log.h"
#include "gw/upstream/access_line.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAY_LOCAL_MS 10000 // between two lines about that in the log
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
static void call_log(const struct call *call)
{
	struct up_loop *loop = call->group->loop;
	const struct dp_shared *shared = call->shared;
	const struct dp_request *device = &shared->request;
	char name[UP_NAME_MAX + 1], line[ACCESS_LINE_MAX];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	bool known = loop->config.name(loop->config.name_arg, device->context,
		device->context_generation, name, sizeof(name));
	const struct access_record record = {
		.unix_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
		.device = known ? name : NULL,
		.method = device->code,
		.body = dp_shared_body(call->port->pool, shared),
		.body_len = device->body_len,
		.in = device->body_len,
		.route = call->route ? call->route->path.text : NULL,
		.upstream = call->group->upstream ? call->group->upstream->name : NULL,
		.server = call->server ? call->server->text : NULL,
		.status = call->status,
		.code = shared->response.len ? *dp_shared_response(call->port->pool, call->shared)
					     : 0,
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
	access_log_put(loop->config.access, loop->config.loop, line,
		access_line_write(&record, line, sizeof(line)));
}

static bool call_is_logged(struct up_loop *loop)
{
	uint32_t random;

	if (!loop->config.access)
		return false;
	memcpy(&random, random_take(loop, sizeof(random)), sizeof(random));
	return access_log_wants(loop->config.access, loop->config.loop, random, loop->now_ms);
}

static void call_return(struct call *call)
{
	struct group *group = call->group;
	struct up_loop *loop = group->loop;

	if (call_is_logged(loop))
		call_log(call);
	dp_loop_respond(call->port, call->handle);
	stat_add(group, UP_STAT_returned, 1);
	call->shared = NULL;
	TAILQ_INSERT_HEAD(&loop->free_calls, call, link);
	loop->busy--;
}

void call_abandon(struct call *call)
{
	call->shared->response.len = 0;
	call->abandoned = true;
	stat_add(call->group, UP_STAT_abandoned, 1);
	call_return(call);
}

// Devices that are told to come back do so at different times.
static uint32_t retry_seconds(struct up_loop *loop)
{
	return UP_RETRY_SECONDS + *random_take(loop, 1) % (UP_RETRY_SECONDS + 1);
}

// Max-Age of an error.
static uint32_t error_max_age(struct up_loop *loop, enum up_error error)
{
	return up_error_rows[error].code == COAP_SERVICE_UNAVAILABLE ? retry_seconds(loop) : 0;
}

void call_fail(struct call *call, enum up_error error)
{
	struct group *group = call->group;
	struct dp_shared *shared = call->shared;

	call->error = error;
	shared->response.len = up_error_write(error, error_max_age(group->loop, error),
		dp_shared_response(call->port->pool, shared), shared->request.response_max);
	stat_add(group, UP_STAT_ERROR + error, 1);
	call_return(call);
}

bool call_abandoned(const struct call *call)
{
	return __atomic_load_n(&call->shared->abandoned, __ATOMIC_RELAXED);
}

static struct flight *flight_take(struct up_loop *loop)
{
	struct flight *flight = loop->free_flights;

	if (flight)
		loop->free_flights = flight->next;
	else
		flight = malloc(sizeof(*flight));
	return flight;
}

static void flight_give(struct up_loop *loop, struct flight *flight)
{
	flight->next = loop->free_flights;
	loop->free_flights = flight;
}

// Makes the HTTP request of a call.
static enum up_error flight_prepare(struct flight *flight, struct call *call)
{
	struct up_loop *loop = call->group->loop;
	struct up_request *req = &flight->transfer.request;
	const struct dp_request *device = &call->shared->request;
	static const unsigned char key[crypto_shorthash_KEYBYTES]; // all gateways pick the same
	char name[UP_NAME_MAX + 1];
	enum up_error error;

	error = up_message_parse(&flight->message, call->route, device->code,
		dp_shared_body(call->port->pool, call->shared), device->body_len);
	if (!error)
		error = up_request_build(req, &flight->message, loop->etags);
	if (error)
		return error;
	if (!loop->config.name(loop->config.name_arg, device->context, device->context_generation,
		    name, sizeof(name)))
		return UP_ERR_device_gone;
	crypto_shorthash(
		(unsigned char *)&flight->device, (const unsigned char *)name, strlen(name), key);
	return up_request_identify(req, device, name, random_take(loop, UP_IDENTITY_RANDOM));
}

static void call_done(struct up_transfer *transfer, enum up_error error);

// Sends the request to a server that is up and was not tried.
static enum up_error flight_start(struct flight *flight, struct call *call)
{
	struct group *group = call->group;
	struct up_transfer *t = &flight->transfer;
	uint64_t now = group->loop->now_ms;
	uint32_t random;

	if (call->deadline_ms <= now)
		return UP_ERR_timeout;
	memcpy(&random, random_take(group->loop, sizeof(random)), sizeof(random));
	int server = up_servers_pick(group->servers, flight->tried, flight->device, random);
	if (server < 0)
		return UP_ERR_no_server;
	flight->server = (size_t)server;
	flight->tried |= UINT64_C(1) << server;
	bool left = flight->retries < group->upstream->retries.max &&
		up_servers_left(group->servers, flight->tried);
	t->done = call_done;
	t->server = group->servers->server[server].conf;
	t->host = call->route->host ? call->route->host : t->server->authority;
	t->timeout_ms = (uint32_t)(call->deadline_ms - now);
	t->timeout_ms -= t->timeout_ms / 8 < MARGIN_MS ? t->timeout_ms / 8 : MARGIN_MS;
	// A server that does not even refuse leaves time for another.
	t->connect_ms = left ? t->timeout_ms / 2 + 1 : 0;
	t->body_keep = call->shared->request.payload_max;
	t->body_max = group->upstream->max_body;
	t->fresh = false;
	stat_add(group, UP_STAT_attempts, 1);
	if (group->engine->ops->start(group->engine, t))
		return UP_ERR_no_memory;
	group->servers->server[server].outstanding++;
	call->server = t->server;
	call->status = 0; // not that of a server that was asked before
	call->connected_ms = 0;
	call->sent = false;
	call->tries++;
	return UP_OK;
}

static uint64_t at_most(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void call_launch(struct call *call)
{
	struct group *group = call->group;
	struct up_loop *loop = group->loop;
	struct flight *flight = flight_take(loop);
	enum up_error error;

	call->launched_ms = loop->now_ms;
	if (!flight) {
		call_fail(call, UP_ERR_no_memory);
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
		call_fail(call, error);
		return;
	}
	flight->call = call;
	call->flight = flight;
	TAILQ_INSERT_TAIL(&loop->flying, call, link);
	group->inflight++;
	stat_set(group, UP_STAT_inflight, group->inflight);
}

// The call is neither flying nor waiting afterwards.
static void call_land(struct call *call)
{
	struct group *group = call->group;

	TAILQ_REMOVE(&group->loop->flying, call, link);
	flight_give(group->loop, call->flight);
	call->flight = NULL;
	group->inflight--;
	stat_set(group, UP_STAT_inflight, group->inflight);
}

void call_unqueue(struct call *call)
{
	struct group *group = call->group;

	TAILQ_REMOVE(&group->waiting, call, link);
	group->waiting_count--;
	stat_set(group, UP_STAT_waiting, group->waiting_count);
	stat_add(group, UP_STAT_queued_ms, group->loop->now_ms - call->arrived_ms);
}

bool group_has_room(const struct group *group)
{
	return group->inflight < group->max_inflight && group->inflight < group->engine->capacity;
}

void group_launch_waiting(struct group *group)
{
	struct call *call;

	while (group_has_room(group) && (call = TAILQ_FIRST(&group->waiting))) {
		call_unqueue(call);
		if (call_abandoned(call))
			call_abandon(call);
		else
			call_launch(call);
	}
}

static void count_status(struct group *group, int status)
{
	static const enum up_stat classes[] = {[2] = UP_STAT_http_2xx,
		[3] = UP_STAT_http_3xx,
		[4] = UP_STAT_http_4xx,
		[5] = UP_STAT_http_5xx};

	stat_add(group, status >= 200 && status <= 599 ? classes[status / 100] : UP_STAT_http_other,
		1);
}

// Whether an answer, or that none came, is the server's failure. What it says about one request
// (500, 404, a body that is too large) is not.
static bool server_at_fault(
	const struct call *call, const struct up_transfer *t, enum up_error error)
{
	switch (error) {
	case UP_OK:
		return t->reply.status >= 502 && t->reply.status <= 504;
	case UP_ERR_dns:
	case UP_ERR_connect:
	case UP_ERR_tls:
	case UP_ERR_reset:
	case UP_ERR_bad_reply:
	case UP_ERR_head_too_large:
		return true;
	case UP_ERR_timeout: // unless most of the time was spent before it was asked
		return t->timeout_ms >= call->route->timeout_ms / 2;
	default:
		return false;
	}
}

// Tells what is known of the servers.
static void server_judge(const struct call *call, const struct flight *flight, enum up_error error)
{
	struct group *group = call->group;
	const struct up_transfer *t = &flight->transfer;
	char status[16];

	if (up_error_is_local(error))
		return;
	if (!server_at_fault(call, t, error)) {
		up_server_succeeded(group->servers, flight->server);
		return;
	}
	snprintf(status, sizeof(status), "status %d", t->reply.status);
	if (up_server_failed(group->servers, flight->server,
		    error ? up_error_rows[error].name : status, group->loop->now_ms))
		stat_add(group, UP_STAT_ejections, 1);
}

// Sends a request that failed to another server, if there is one and it may be sent again (RFC 9110
// section 9.2.2). false: it was not.
static bool flight_retry(struct flight *flight, struct call *call, enum up_error error)
{
	struct group *group = call->group;
	bool seen = flight->transfer.sent;

	if (error != UP_ERR_dns && error != UP_ERR_connect && error != UP_ERR_tls &&
		error != UP_ERR_local && error != UP_ERR_reset &&
		((error != UP_ERR_bad_reply && error != UP_ERR_queue_timeout) || seen))
		return false;
	if (seen && !flight->transfer.request.idempotent)
		return false;
	if (flight->retries >= group->upstream->retries.max ||
		!up_servers_left(group->servers, flight->tried))
		return false;
	// What no server saw costs the servers nothing.
	if (seen && group->retry_tokens < 100) {
		stat_add(group, UP_STAT_retries_refused, 1);
		return false;
	}
	flight->retries++;
	flight->seen |= seen;
	if (flight_start(flight, call))
		return false;
	if (seen)
		group->retry_tokens -= 100;
	stat_add(group, UP_STAT_retries, 1);
	return true;
}

// A request that was sent and lost with its connection may have been seen, even if it then failed
// to find another connection.
static enum up_error error_of_sent(const struct up_transfer *t, enum up_error error)
{
	bool unreached = error == UP_ERR_dns || error == UP_ERR_connect || error == UP_ERR_tls ||
		error == UP_ERR_local;

	return t->sent && unreached ? UP_ERR_reset : error;
}

void group_say_local(struct group *group, int local_errno)
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
static bool status_stands(const struct flight *flight, enum up_error error)
{
	return (error == UP_ERR_body_too_large || error == UP_ERR_head_too_large ||
		       error == UP_ERR_no_memory) &&
		!flight->message.method->safe && flight->transfer.reply.status >= 200;
}

// Makes the device's answer from the server's.
static void call_answer(struct call *call)
{
	struct group *group = call->group;
	struct dp_shared *shared = call->shared;
	const struct up_transfer *t = &call->flight->transfer;
	struct up_mapping mapping = {
		.server = t->server,
		.etags = group->loop->etags,
		.now = time(NULL),
		.retry_s = retry_seconds(group->loop),
		.max_age_max = group->upstream->max_age_ms / 1000,
		.out = dp_shared_response(call->port->pool, shared),
		.room = shared->request.response_max,
	};

	count_status(group, t->reply.status);
	call->error = up_reply_map(&t->reply, &call->flight->message, &mapping);
	shared->response.len = mapping.len;
	if (call->error)
		stat_add(group, UP_STAT_ERROR + call->error, 1);
	if (mapping.body_dropped)
		stat_add(group, UP_STAT_bodies_dropped, 1);
}

static void call_done(struct up_transfer *transfer, enum up_error error)
{
	struct flight *flight = (struct flight *)transfer;
	struct call *call = flight->call;
	struct group *group = call->group;

	error = error_of_sent(transfer, error);
	call->status = transfer->reply.status >= 200 ? transfer->reply.status : 0;
	call->sent = transfer->sent;
	call->connected_ms = transfer->connected_ms;
	group->servers->server[flight->server].outstanding--;
	server_judge(call, flight, error);
	if (error == UP_ERR_local)
		group_say_local(group, transfer->local_errno);
	if (call_abandoned(call)) {
		call_land(call);
		call_abandon(call);
		return;
	}
	if (error && status_stands(flight, error)) {
		up_reply_drop(&transfer->reply, error == UP_ERR_head_too_large);
		stat_add(group, UP_STAT_bodies_dropped, 1);
		error = UP_OK;
	}
	if (error) {
		if (flight_retry(flight, call, error))
			return;
		if (flight->seen && !transfer->sent && error != UP_ERR_timeout) {
			error = UP_ERR_reset; // a server that was asked before may have done it
			call->sent = true;
		}
		call_land(call);
		call_fail(call, error);
		return;
	}
	call_answer(call);
	call_land(call);
	call_return(call);
}

void call_cancel(struct call *call)
{
	struct group *group = call->group;

	call->sent = call->flight->transfer.sent;
	group->engine->ops->cancel(group->engine, &call->flight->transfer);
	group->servers->server[call->flight->server].outstanding--;
	call_land(call);
}
