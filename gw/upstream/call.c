// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/call.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#define MARGIN_MS 20 // by which a backend's time ends before the worker answers by itself

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

static void call_return(struct call *call)
{
	struct group *group = call->group;
	struct up_loop *loop = group->loop;

	dp_upstream_respond(call->port, call->handle);
	stat_add(group, UP_STAT_returned, 1);
	call->shared = NULL;
	TAILQ_INSERT_HEAD(&loop->free_calls, call, link);
	loop->busy--;
}

void call_abandon(struct call *call)
{
	call->shared->response.len = 0;
	stat_add(call->group, UP_STAT_abandoned, 1);
	call_return(call);
}

// Max-Age of an error. Devices that are told to come back do so at different times.
static uint32_t error_max_age(struct up_loop *loop, enum up_error error)
{
	if (up_error_rows[error].code != COAP_SERVICE_UNAVAILABLE)
		return 0;
	return UP_RETRY_SECONDS + *random_take(loop, 1) % (UP_RETRY_SECONDS + 1);
}

void call_fail(struct call *call, enum up_error error)
{
	struct group *group = call->group;
	struct dp_shared *shared = call->shared;

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
	return up_request_identify(req, device, name, random_take(loop, UP_IDENTITY_RANDOM));
}

// Sends the request to flight->server.
static enum up_error flight_start(struct flight *flight, struct call *call)
{
	struct group *group = call->group;
	struct up_transfer *t = &flight->transfer;
	uint64_t now = group->loop->now_ms;
	size_t left = group->upstream->server_count - flight->tried;

	if (call->deadline_ms <= now)
		return UP_ERR_timeout;
	t->server = &group->upstream->servers[flight->server];
	t->host = call->route->host ? call->route->host : t->server->authority;
	t->timeout_ms = (uint32_t)(call->deadline_ms - now);
	t->timeout_ms -= t->timeout_ms / 8 < MARGIN_MS ? t->timeout_ms / 8 : MARGIN_MS;
	// A server that does not even refuse leaves time for the others.
	t->connect_ms = left ? t->timeout_ms / 2 + 1 : 0;
	t->body_keep = call->shared->request.response_max;
	t->body_max = group->upstream->max_body;
	flight->tried++;
	stat_add(group, UP_STAT_attempts, 1);
	return group->engine->ops->start(group->engine, t) ? UP_ERR_no_memory : UP_OK;
}

void call_launch(struct call *call)
{
	struct group *group = call->group;
	struct up_loop *loop = group->loop;
	struct flight *flight = flight_take(loop);
	enum up_error error;

	if (!flight) {
		call_fail(call, UP_ERR_no_memory);
		return;
	}
	error = flight_prepare(flight, call);
	if (!error) {
		flight->tried = 0;
		flight->server = group->next_server;
		group->next_server = (group->next_server + 1) % group->upstream->server_count;
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
	return group->inflight < group->engine->capacity;
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

// Whether no server can have seen the request, and another one is left to try.
static bool can_go_elsewhere(
	const struct group *group, const struct flight *flight, enum up_error error)
{
	if (flight->transfer.sent || flight->tried >= group->upstream->server_count)
		return false;
	return error == UP_ERR_dns || error == UP_ERR_connect || error == UP_ERR_tls;
}

void call_done(void *arg, struct up_transfer *transfer, enum up_error error)
{
	struct group *group = arg;
	struct flight *flight = (struct flight *)transfer;
	struct call *call = flight->call;
	struct dp_shared *shared = call->shared;

	if (call_abandoned(call)) {
		call_land(call);
		call_abandon(call);
		return;
	}
	if (error && can_go_elsewhere(group, flight, error)) {
		flight->server = (flight->server + 1) % group->upstream->server_count;
		stat_add(group, UP_STAT_retries, 1);
		enum up_error again = flight_start(flight, call);
		if (!again)
			return;
		error = again == UP_ERR_timeout ? error : again;
	}
	if (error) {
		call_land(call);
		call_fail(call, error);
		return;
	}
	count_status(group, transfer->reply.status);
	error = up_reply_map(&transfer->reply, &flight->message, transfer->server,
		group->loop->etags, time(NULL), dp_shared_response(call->port->pool, shared),
		shared->request.response_max, &shared->response.len);
	if (error)
		stat_add(group, UP_STAT_ERROR + error, 1);
	call_land(call);
	call_return(call);
}

void call_cancel(struct call *call)
{
	struct group *group = call->group;

	group->engine->ops->cancel(group->engine, &call->flight->transfer);
	call_land(call);
}
