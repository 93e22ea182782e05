// SPDX-License-Identifier: BSD-3-Clause
// Collecting: the record of a reading is written into the open batch of its route as it comes.

#include "gw/upstream/batch.h"

#include "dataplane/coap/message.h"
#include "gw/http/timers.h"
#include "gw/upstream/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OPTIONS_MAX 4096 // bytes; with more of them a request goes by itself

// ---- making

bool up_batches_wanted(const struct conf *conf)
{
	for (size_t i = 0; i < conf->route_count; i++)
		if (conf->routes[i].batch.line)
			return true;
	return false;
}

struct up_batches *up_batches_make(void)
{
	struct up_batches *batches = calloc(1, sizeof(*batches));

	if (!batches)
		return NULL;
	TAILQ_INIT(&batches->flying);
	batches->ways = up_ways_make();
	if (batches->ways)
		return batches;
	free(batches);
	return NULL;
}

void up_batches_free(struct up_batches *batches)
{
	if (!batches)
		return;
	while (batches->free_flights) {
		struct up_part_flight *flight = batches->free_flights;

		batches->free_flights = flight->next;
		free(flight);
	}
	up_ways_free(batches->ways);
	free(batches);
}

static struct up_collector *collector_make(
	struct up_loop *loop, struct up_snapshot *snapshot, const struct conf_route *route)
{
	struct up_collector *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->id = ++loop->next_collector_id;
	c->snapshot = snapshot;
	c->route = route;
	c->form = batch_form_of(route->batch.format);
	c->group = snapshot->group[route->upstream - snapshot->conf->upstreams];
	return c;
}

int up_collectors_make(struct up_loop *loop, struct up_snapshot *snapshot)
{
	const struct conf *conf = snapshot->conf;

	snapshot->of_route = calloc(conf->route_count, sizeof(struct up_collector *));
	if (!snapshot->of_route)
		return -ENOMEM;
	for (size_t i = 0; i < conf->route_count; i++) {
		if (!conf->routes[i].batch.line)
			continue;
		struct up_collector *c = collector_make(loop, snapshot, &conf->routes[i]);
		if (!c)
			return -ENOMEM;
		snapshot->of_route[i] = c;
		TAILQ_INSERT_TAIL(&snapshot->collectors, c, link);
	}
	return 0;
}

void up_collectors_free(struct up_snapshot *snapshot)
{
	struct up_collector *c;

	while ((c = TAILQ_FIRST(&snapshot->collectors))) {
		TAILQ_REMOVE(&snapshot->collectors, c, link);
		up_collector_free(c);
	}
	free(snapshot->of_route);
	snapshot->of_route = NULL;
}

// ---- another configuration

static void refusing_add(struct up_group *group, int n)
{
	up_stat_set(group, UP_STAT_batch_refusing,
		group->stat[UP_STAT_batch_refusing] + (uint64_t)(int64_t)n);
}

static bool is_same(const struct up_collector *a, const struct up_collector *b)
{
	return a->group == b->group && a->form == b->form &&
		a->route->methods == b->route->methods &&
		!strcmp(a->route->path.text, b->route->path.text) &&
		!strcmp(a->route->batch.path, b->route->batch.path);
}

void up_collectors_inherit(struct up_snapshot *snapshot, const struct up_snapshot *before)
{
	const struct up_collector *was;
	struct up_collector *c;

	TAILQ_FOREACH(c, &snapshot->collectors, link)
	TAILQ_FOREACH(was, &before->collectors, link)
	{
		if (!is_same(c, was))
			continue;
		c->refusing = was->refusing;
		c->pause_ms = was->pause_ms;
		c->say_ms = was->say_ms;
		memcpy(c->suspect, was->suspect, sizeof(c->suspect));
		refusing_add(c->group, c->refusing);
		break;
	}
}

void up_collectors_settle(struct up_snapshot *snapshot)
{
	struct up_collector *c;

	TAILQ_FOREACH(c, &snapshot->collectors, link)
	if (c->refusing)
		refusing_add(c->group, -1);
}

// ---- closing

// Takes the records out whose devices do not wait any more, and hands these back.
static void left_out(struct up_batch *batch)
{
	struct up_collector *c = batch->from;
	uint32_t end = c->form->before_len;
	unsigned kept = 0;

	for (unsigned i = 0; i < batch->count; i++) {
		struct up_member m = batch->member[i];
		size_t behind = i + 1 < batch->count ? batch->member[i + 1].offset : batch->len;
		uint32_t len = (uint32_t)(behind - m.offset);

		if (__atomic_load_n(&m.shared->abandoned, __ATOMIC_RELAXED)) {
			up_stat_add(c->group, UP_STAT_batch_left_out, 1);
			up_member_abandon(c, &m);
			continue;
		}
		if (m.offset != end)
			memmove(batch->body + end, batch->body + m.offset, len);
		m.offset = end;
		end += len;
		batch->member[kept++] = m;
	}
	batch->count = kept;
	batch->len = end;
}

static void collector_close(struct up_collector *c)
{
	struct up_batch *batch = c->open;

	c->open = NULL;
	left_out(batch);
	if (batch->count)
		up_batch_send(batch);
	else
		up_batch_give(batch);
}

void up_collectors_close(struct up_snapshot *snapshot)
{
	struct up_collector *c;

	TAILQ_FOREACH(c, &snapshot->collectors, link)
	if (c->open && c->open->count)
		collector_close(c);
}

// ---- taking

void up_batches_clock(struct up_loop *loop)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	loop->batches->unix_offset_ms =
		(uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 - loop->now_ms;
}

void up_batch_prefetch(const struct up_loop *loop, const struct dp_shared_pool *pool,
	const dp_handle *handles, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *at =
			(const uint8_t *)dp_shared_at(pool, dp_handle_index(handles[i]));

		for (unsigned line = 0; line < 4; line++)
			__builtin_prefetch(at + line * 64);
	}
	for (unsigned i = 0; i < count; i++)
		up_ways_prefetch(
			loop->batches->ways, dp_shared_at(pool, dp_handle_index(handles[i])));
}

static bool is_suspect(const struct up_collector *c, const struct dp_request *r)
{
	const struct up_suspect *s = &c->suspect[r->context % UP_SUSPECTS];

	return s->until_ms > c->group->loop->now_ms && s->context == r->context &&
		s->generation == r->context_generation;
}

// Writes the record to the open batch, or to a new one if it does not fit. Returns why it cannot.
static enum http_error collector_add(struct up_collector *c, struct up_member *m,
	const struct batch_way *way, const struct batch_reading *reading)
{
	size_t len = 0;

	for (;;) {
		if (!c->open)
			c->open = up_batch_make(c);
		if (!c->open)
			return HTTP_ERR_no_memory;
		struct up_batch *batch = c->open;
		switch (batch_record_put(
			way, reading, batch->body + batch->len, batch->room - batch->len, &len)) {
		case BATCH_PUT_OK:
			if (!batch->count)
				batch->arrived_ms = c->group->loop->now_ms;
			m->offset = (uint32_t)batch->len;
			batch->member[batch->count++] = *m;
			batch->len += len;
			if (m->port == UP_MEMBER_FETCH)
				body_copied(
					c->group->loop->bodies, up_fetch_of(m->shared)->call.body);
			if (m->shared->request.deadline_ms < batch->deadline_ms)
				batch->deadline_ms = m->shared->request.deadline_ms;
			return HTTP_ERR_none;
		case BATCH_PUT_NO_ROOM:
			if (!batch->count)
				return HTTP_ERR_record_too_large;
			collector_close(c);
			break;
		case BATCH_PUT_BAD_TYPE:
			return HTTP_ERR_wrong_format;
		case BATCH_PUT_BAD_PAYLOAD:
			return HTTP_ERR_bad_record;
		}
	}
}

static enum http_error collector_take(struct up_collector *c, struct up_member *m,
	const struct batch_way *way, const struct batch_reading *reading)
{
	enum http_error error = collector_add(c, m, way, reading);

	if (error)
		return error;
	up_stat_add(c->group, UP_STAT_batched, 1);
	if (c->open->count == c->route->batch.max)
		collector_close(c);
	return HTTP_ERR_none;
}

// The same in a batch of its own, beside the one that is open.
static enum http_error collector_take_alone(struct up_collector *c, struct up_member *m,
	const struct batch_way *way, const struct batch_reading *reading)
{
	struct up_batch *others = c->open;

	c->open = NULL;
	enum http_error error = collector_take(c, m, way, reading);
	if (c->open && c->open->count)
		collector_close(c);
	else if (c->open)
		up_batch_give(c->open);
	c->open = others;
	if (!error)
		up_stat_add(c->group, UP_STAT_batch_alone, 1);
	return error;
}

// Takes a request that is the collector's now.
static void reading_take(struct up_collector *c, struct up_member *m, struct up_way *found)
{
	const struct up_loop *loop = c->group->loop;
	enum http_error error = found->error;

	if (!error && loop->now_ms < c->pause_ms) {
		up_member_fail(c, m, HTTP_ERR_paused,
			(uint32_t)((c->pause_ms - loop->now_ms + 999) / 1000));
		return;
	}
	if (!error && is_suspect(c, &m->shared->request))
		error = collector_take_alone(c, m, found->way, &found->reading);
	else if (!error)
		error = collector_take(c, m, found->way, &found->reading);
	if (error == HTTP_ERR_bad_cbor)
		up_member_fault(c, m, &found->fault);
	else if (error)
		up_member_fail(c, m, error, 0);
}

// The collector of a request, if it takes any; else NULL.
static struct up_collector *collector_of(const struct up_loop *loop, const struct dp_shared *shared)
{
	const struct dp_request *r = &shared->request;
	const struct up_snapshot *snapshot = up_snapshot_of(loop, r->snapshot);
	struct up_collector *c =
		snapshot->of_route && !r->pass && r->route < snapshot->conf->route_count
		? snapshot->of_route[r->route]
		: NULL;

	if (!c || (r->code != COAP_POST && r->code != COAP_PUT) || !c->group->servers->up ||
		__atomic_load_n(&shared->abandoned, __ATOMIC_RELAXED))
		return NULL;
	return c;
}

// Whether it goes with others, and then what its record is.
static bool way_found(struct up_loop *loop, const struct up_collector *c,
	const struct up_way_request *request, struct up_way *found)
{
	found->error = HTTP_ERR_none;
	if (up_way_of(loop, c, request, found) == UP_WAY_SINGLE)
		return false;
	found->reading.piv = request->device->piv;
	found->reading.unix_ms = request->device->received_ms + loop->batches->unix_offset_ms;
	return true;
}

bool up_batch_take(struct up_loop *loop, unsigned port, dp_handle handle, struct dp_shared *shared)
{
	const struct up_way_request request = {.device = &shared->request,
		.body = dp_shared_body(shared),
		.body_len = shared->request.body_len};
	struct up_collector *c = collector_of(loop, shared);
	struct up_member m = {.shared = shared, .handle = handle, .port = (uint16_t)port};
	struct up_way found;

	if (!c || !way_found(loop, c, &request, &found))
		return false;
	up_stat_add(c->group, UP_STAT_requests, 1);
	loop->busy++;
	c->snapshot->held++;
	reading_take(c, &m, &found);
	return true;
}

bool up_batch_take_call(struct up_call *call, const struct body_request *r)
{
	static _Thread_local uint8_t options[OPTIONS_MAX];
	struct up_loop *loop = call->group->loop;
	struct up_way_request request = {.device = &call->shared->request,
		.body = options,
		.whole = r->message->payload,
		.whole_len = r->message->payload_len};
	struct up_collector *c = collector_of(loop, call->shared);
	struct up_member m = {.shared = call->shared,
		.handle = call->handle,
		.port = (uint16_t)(call->port - loop->config.upstream->port),
		.block1 = r->has_block1 ? r->block1.szx + 1 : 0,
		.block2 = r->has_block2 ? r->block2.szx + 1 : 0};
	struct up_way found;

	if (!c || !body_options_whole(r->message, options, sizeof(options), &request.body_len) ||
		!way_found(loop, c, &request, &found))
		return false;
	call->shared = NULL;
	TAILQ_INSERT_HEAD(&loop->free_calls, call, link);
	reading_take(c, &m, &found);
	return true;
}

bool up_batch_take_fetch(struct up_fetch *fetch)
{
	struct dp_shared *shared = &fetch->shared;
	struct body *body = fetch->call.body;
	struct up_loop *loop = fetch->call.group->loop;
	const struct up_way_request request = {.device = &shared->request,
		.body = dp_shared_body(shared),
		.body_len = shared->request.body_len,
		.whole = body->bytes.at,
		.whole_len = body->bytes.len};
	struct up_collector *c = collector_of(loop, shared);
	struct up_member m = {.shared = shared, .port = UP_MEMBER_FETCH};
	struct up_way found;

	if (!c || body->if_none_match || !way_found(loop, c, &request, &found))
		return false;
	fetch->batched = true;
	reading_take(c, &m, &found);
	return true;
}

uint64_t up_batch_body_max(const struct conf_route *route)
{
	return route->batch.line && route->batch.bytes < route->max_body ? route->batch.bytes
									 : route->max_body;
}

// ---- time

static uint64_t close_ms(const struct up_collector *c)
{
	return c->open && c->open->count ? c->open->arrived_ms + c->route->batch.wait_ms
					 : UINT64_MAX;
}

static void snapshot_turn(struct up_snapshot *snapshot, uint64_t now_ms)
{
	struct up_collector *c;

	TAILQ_FOREACH(c, &snapshot->collectors, link)
	if (close_ms(c) <= now_ms)
		collector_close(c);
}

void up_batches_turn(struct up_loop *loop)
{
	snapshot_turn(loop->snapshot, loop->now_ms);
	if (loop->before)
		snapshot_turn(loop->before, loop->now_ms);
}

static uint64_t snapshot_next_ms(const struct up_snapshot *snapshot)
{
	const struct up_collector *c;
	uint64_t next = UINT64_MAX;

	TAILQ_FOREACH(c, &snapshot->collectors, link)
	next = http_earlier(next, close_ms(c));
	return next;
}

uint64_t up_batches_next_ms(const struct up_loop *loop)
{
	uint64_t next = snapshot_next_ms(loop->snapshot);

	return loop->before ? http_earlier(next, snapshot_next_ms(loop->before)) : next;
}

static void snapshot_stop(struct up_snapshot *snapshot)
{
	struct up_collector *c;

	TAILQ_FOREACH(c, &snapshot->collectors, link)
	{
		if (!c->open)
			continue;
		for (unsigned i = 0; i < c->open->count; i++)
			up_member_fail(c, &c->open->member[i], HTTP_ERR_stopping, 0);
		up_batch_give(c->open);
		c->open = NULL;
	}
}

void up_batches_stop(struct up_loop *loop)
{
	snapshot_stop(loop->snapshot);
	if (loop->before)
		snapshot_stop(loop->before);
}
