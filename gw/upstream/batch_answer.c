// SPDX-License-Identifier: BSD-3-Clause

#include "gw/map/error_codes.h"
#include "gw/upstream/batch.h"
#include "gw/upstream/cache.h"
#include "gw/upstream/random.h"
#include "gw/upstream/snapshot.h"

#include <stdlib.h>
#include <time.h>

static struct dp_loop_port *port_of(const struct up_loop *loop, const struct up_member *m)
{
	return &loop->config.upstream->port[m->port];
}

bool up_part_is_abandoned(const struct up_part *part)
{
	const struct up_member *m = &part->batch->member[part->first];

	for (unsigned i = 0; i < part->count; i++)
		if (!__atomic_load_n(&m[i].shared->abandoned, __ATOMIC_RELAXED))
			return false;
	return true;
}

// How many exchanges came back.
struct tally {
	unsigned returned, abandoned;
};

// Hands the exchange back, or ends the fetch. call: what the log says of all that came with it.
static void member_return(struct up_loop *loop, const struct up_call *call,
	const struct up_member *m, enum http_error error, bool abandoned, struct tally *tally)
{
	if (call->route && call->route->invalidates) // whatever became of it
		up_cache_change(loop, dp_shared_body(m->shared), m->shared->request.body_len);
	if (m->port == UP_MEMBER_FETCH) {
		struct up_call *fetch = &up_fetch_of(m->shared)->call;

		up_call_log_as(fetch, call);
		fetch->error = error;
		fetch->returned(fetch);
		return;
	}
	tally->returned++;
	tally->abandoned += abandoned;
	if (loop->config.access) {
		struct up_call one = *call;

		one.handle = m->handle;
		one.port = port_of(loop, m);
		one.shared = m->shared;
		one.arrived_ms = m->shared->request.received_ms;
		one.error = error;
		one.abandoned = abandoned;
		up_call_log(&one);
	}
	up_route_answered(loop->routes, m->shared, loop->tsc_per_ms);
	dp_loop_respond(port_of(loop, m), m->handle);
}

static void members_counted(struct up_collector *c, const struct tally *tally)
{
	up_stat_add(c->group, UP_STAT_returned, tally->returned);
	if (tally->abandoned)
		up_stat_add(c->group, UP_STAT_abandoned, tally->abandoned);
	c->group->loop->busy -= tally->returned;
	c->snapshot->held -= tally->returned;
}

// Max-Age of an error: `least` and what spreads it, or the usual one.
static uint32_t max_age_of(struct up_group *group, enum http_error error, uint32_t least)
{
	uint32_t most = group->upstream->max_age_ms / 1000;

	if (map_error_codes[error].code != COAP_SERVICE_UNAVAILABLE)
		return 0;
	if (!least)
		return up_retry_seconds(group->loop);
	least += up_random_32(group->loop) % (least / 4 + UP_RETRY_SECONDS);
	return least < most ? least : most;
}

static void error_write(
	struct up_group *group, struct dp_shared *shared, enum http_error error, uint32_t max_age)
{
	shared->response.len = map_error_write(error, max_age_of(group, error, max_age),
		dp_shared_response(shared), shared->request.response_max);
}

void up_member_fail(
	struct up_collector *c, const struct up_member *m, enum http_error error, uint32_t max_age)
{
	struct up_loop *loop = c->group->loop;
	const struct up_call call = {.route = c->route, .group = c->group};
	struct tally tally = {0};

	error_write(c->group, m->shared, error, max_age);
	up_stat_add(c->group, UP_STAT_ERROR + error, 1);
	member_return(loop, &call, m, error, false, &tally);
	members_counted(c, &tally);
}

void up_member_fault(
	struct up_collector *c, const struct up_member *m, const struct tr_fault *fault)
{
	const struct up_call call = {.route = c->route, .group = c->group};
	struct dp_shared *shared = m->shared;
	struct tally tally = {0};

	shared->response.len = map_fault_write(
		HTTP_ERR_bad_cbor, fault, dp_shared_response(shared), shared->request.response_max);
	up_stat_add(c->group, UP_STAT_ERROR + HTTP_ERR_bad_cbor, 1);
	member_return(c->group->loop, &call, m, HTTP_ERR_bad_cbor, false, &tally);
	members_counted(c, &tally);
}

void up_member_abandon(struct up_collector *c, const struct up_member *m)
{
	const struct up_call call = {.route = c->route, .group = c->group};
	struct tally tally = {0};

	m->shared->response.len = 0;
	member_return(c->group->loop, &call, m, HTTP_ERR_none, true, &tally);
	members_counted(c, &tally);
}

// The part is neither waiting nor flying. Its batch goes with the last part.
static void part_end(struct up_part *part)
{
	struct up_batch *batch = part->batch;

	if (!--batch->parts)
		up_batch_give(batch);
	free(part);
}

static void prefetch(const struct up_part *part, unsigned i)
{
	if (i >= part->count)
		return;
	struct dp_shared *shared = part->batch->member[part->first + i].shared;
	__builtin_prefetch(shared, 1);
	__builtin_prefetch(&shared->response, 1);
	__builtin_prefetch(dp_shared_response(shared), 1);
}

void up_part_fail(struct up_part *part, enum http_error error, uint32_t max_age)
{
	struct up_group *group = part->batch->from->group;
	const struct up_member *m = &part->batch->member[part->first];
	struct tally tally = {0};
	unsigned abandoned = 0;

	for (unsigned i = 0; i < part->count; i++, m++) {
		bool gone = __atomic_load_n(&m->shared->abandoned, __ATOMIC_RELAXED);

		if (gone)
			m->shared->response.len = 0;
		else
			error_write(group, m->shared, error, max_age);
		abandoned += gone;
		member_return(group->loop, &part->call, m, error, gone, &tally);
	}
	up_stat_add(group, UP_STAT_ERROR + error, part->count - abandoned);
	members_counted(part->batch->from, &tally);
	part_end(part);
}

void up_part_abandon(struct up_part *part)
{
	up_part_fail(part, HTTP_ERR_none, 0);
}

// The same with the Block options that its request had.
static void blocks_write(const struct up_member *m, uint8_t code)
{
	struct dp_shared *shared = m->shared;
	const struct body_answer answer = {.code = code};
	const struct body_part part = {.has_block1 = m->block1,
		.has_block2 = m->block2,
		.block1.szx = (uint8_t)(m->block1 - 1) & 7,
		.block2.szx = (uint8_t)(m->block2 - 1) & 7};
	uint16_t len = body_part_write(
		&answer, &part, dp_shared_response(shared), shared->request.response_max);

	if (len)
		shared->response.len = len;
}

// Writes what a single request would get for this status. Returns the error that it was.
static enum http_error status_write(
	struct up_collector *c, const struct up_member *m, uint16_t status)
{
	struct dp_shared *shared = m->shared;
	const struct map_method *method = map_method_of(shared->request.code);
	struct up_group *group = c->group;
	struct map_response mapping = {
		.now = 0, // no header is looked at
		.max_age_max = group->upstream->max_age_ms / 1000,
		.out = dp_shared_response(shared),
		.room = shared->request.response_max,
	};
	enum http_error error;

	if (status == 409 && c->form->exists_ok)
		status = 200;
	if (status >= 200 && status <= 299) { // nearly all
		*mapping.out = status == 201 ? method->created : method->success;
		shared->response.len = 1;
		if (m->block1 || m->block2)
			blocks_write(m, *mapping.out);
		return HTTP_ERR_none;
	}
	mapping.retry_s = up_retry_seconds(group->loop);
	if (status) {
		error = map_status_build(status, c->route, shared->request.code, &mapping);
	} else {
		error = HTTP_ERR_no_result;
		mapping.len = map_error_write(error, 0, mapping.out, mapping.room);
	}
	shared->response.len = mapping.len;
	if (error)
		up_stat_add(group, UP_STAT_ERROR + error, 1);
	return error;
}

void up_part_answer(struct up_part *part, const uint16_t *status, uint16_t all)
{
	struct up_collector *c = part->batch->from;
	struct up_loop *loop = c->group->loop;
	const struct up_member *m = &part->batch->member[part->first];
	struct tally tally = {0};

	for (unsigned i = 0; i < UP_PREFETCH_AHEAD; i++)
		prefetch(part, i);
	for (unsigned i = 0; i < part->count; i++, m++) {
		enum http_error error = HTTP_ERR_none;

		prefetch(part, i + UP_PREFETCH_AHEAD);
		// A body may be asked for again, though nobody waits now.
		bool gone = m->port != UP_MEMBER_FETCH &&
			__atomic_load_n(&m->shared->abandoned, __ATOMIC_RELAXED);
		if (gone)
			m->shared->response.len = 0;
		else
			error = status_write(c, m, status ? status[i] : all);
		part->call.status = status ? status[i] : all;
		member_return(loop, &part->call, m, error, gone, &tally);
	}
	members_counted(c, &tally);
	part_end(part);
}
