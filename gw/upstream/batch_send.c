// SPDX-License-Identifier: BSD-3-Clause
// A batch on its way: waiting, under way, refused and cut in two, answered.

#include "gw/batch/results.h"
#include "gw/http/timers.h"
#include "gw/map/fresh.h"
#include "gw/os/log.h"
#include "gw/upstream/batch.h"
#include "gw/upstream/random.h"
#include "gw/upstream/snapshot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define RESULT_BYTES 512   // of an answer, for each reading
#define PAUSE_MAX_S  300   // a server that says more is asked again after that
#define SAY_MS       10000 // between two lines of the log about batches that are refused

static struct up_group *group_of(const struct up_part *part)
{
	return part->batch->from->group;
}

// ---- waiting

static void part_queue(struct up_part *part)
{
	struct up_group *group = group_of(part);

	if (part->half) // in front: it has waited already
		TAILQ_INSERT_HEAD(&group->waiting_parts, part, link);
	else
		TAILQ_INSERT_TAIL(&group->waiting_parts, part, link);
	group->waiting_count++;
	up_stat_set(group, UP_STAT_waiting, group->waiting_count);
	up_stat_add(group, UP_STAT_queued, 1);
}

static void part_unqueue(struct up_part *part)
{
	struct up_group *group = group_of(part);

	TAILQ_REMOVE(&group->waiting_parts, part, link);
	group->waiting_count--;
	up_stat_set(group, UP_STAT_waiting, group->waiting_count);
	up_stat_add(group, UP_STAT_queued_ms, group->loop->now_ms - part->waits_ms);
}

static struct up_part *part_make(
	struct up_batch *batch, unsigned first, unsigned count, uint64_t waits_ms)
{
	struct up_part *part = calloc(1, sizeof(*part));
	struct up_collector *c = batch->from;

	if (!part)
		return NULL;
	part->batch = batch;
	part->first = first;
	part->count = count;
	part->waits_ms = waits_ms;
	part->call.route = c->route;
	part->call.group = c->group;
	part->call.snapshot = c->snapshot;
	part->call.batch_size = count;
	batch->parts++;
	batch->requests++;
	return part;
}

// ---- the request

static struct up_part_flight *flight_take(struct up_batches *batches)
{
	struct up_part_flight *flight = batches->free_flights;

	if (flight)
		batches->free_flights = flight->next;
	else
		flight = malloc(sizeof(*flight));
	return flight;
}

// The part is neither flying nor waiting afterwards.
static void part_land(struct up_part *part)
{
	struct up_group *group = group_of(part);
	struct up_batches *batches = group->loop->batches;

	TAILQ_REMOVE(&batches->flying, part, link);
	part->flight->next = batches->free_flights;
	batches->free_flights = part->flight;
	part->flight = NULL;
	group->inflight--;
	up_stat_set(group, UP_STAT_inflight, group->inflight);
}

static void part_done(struct http_transfer *transfer, enum http_error error);

// The records of the part, with what stands around them. Two parts of a batch have no byte in
// common: what stands between records has room for the end of one and the beginning of the other.
static void body_set(struct http_request *req, const struct up_part *part)
{
	const struct up_batch *batch = part->batch;
	const struct batch_form *form = batch->from->form;
	unsigned behind = part->first + part->count;
	uint8_t *start = batch->body + batch->member[part->first].offset - form->before_len;
	uint8_t *end = batch->body +
		(behind < batch->count ? batch->member[behind].offset : batch->len) -
		form->between_len;

	memcpy(start, form->before, form->before_len);
	memcpy(end, form->after, form->after_len);
	req->body = start;
	req->body_len = (size_t)(end + form->after_len - start);
}

static enum http_error flight_prepare(struct up_part_flight *flight, struct up_part *part)
{
	static const char digits[] = "0123456789abcdef";
	struct up_attempt *a = &flight->attempt;
	struct up_batch *batch = part->batch;
	struct up_group *group = group_of(part);
	const struct conf_route *route = batch->from->route;
	const uint8_t *random = up_random_take(group->loop, MAP_BATCH_RANDOM);
	uint64_t answer_max = (uint64_t)RESULT_BYTES * part->count;

	for (unsigned i = 0; i < MAP_BATCH_KEY_LEN; i++)
		part->key[i] = digits[random[i / 2] >> (i % 2 ? 0 : 4) & 15];
	part->call.batch = part->key;
	memcpy(part->call.trace, random + MAP_BATCH_KEY_LEN / 2, sizeof(part->call.trace));
	enum http_error error = map_batch_build(
		&a->transfer.request, route, batch->from->form->content_type, random);
	up_headers_add_route(batch->from->snapshot->headers, route, &a->transfer.request);
	body_set(&a->transfer.request, part);
	a->transfer.done = part_done;
	if (answer_max < group->upstream->max_body)
		answer_max = group->upstream->max_body;
	a->transfer.body_max = answer_max;
	a->transfer.body_keep = (uint32_t)answer_max;
	a->transfer.room = NULL;
	a->transfer.head = NULL;
	a->transfer.take = NULL;
	a->group = group;
	a->route = route;
	a->device = (uint64_t)up_random_32(group->loop) << 32 | up_random_32(group->loop);
	a->deadline_ms = batch->deadline_ms;
	a->slot = NULL;
	a->tried = 0;
	a->retries = 0;
	a->seen = false;
	return error;
}

// A server is asked.
static void part_asks(struct up_part *part)
{
	struct up_call *call = &part->call;

	call->server = part->flight->attempt.transfer.server;
	call->status = 0;
	call->connected_ms = 0;
	call->sent = up_attempt_is_sent(&part->flight->attempt);
	call->tries++;
	up_stat_add(group_of(part), UP_STAT_batches, 1);
}

static void part_launch(struct up_part *part)
{
	struct up_collector *c = part->batch->from;
	struct up_loop *loop = c->group->loop;
	enum http_error error;

	if (up_part_is_abandoned(part)) {
		up_part_abandon(part);
		return;
	}
	if (loop->now_ms < c->pause_ms) {
		up_part_fail(part, HTTP_ERR_paused,
			(uint32_t)((c->pause_ms - loop->now_ms + 999) / 1000));
		return;
	}
	part->call.launched_ms = loop->now_ms;
	up_stat_measure(c->group, UP_STAT_QUEUE, loop->now_ms - part->waits_ms);
	if (!part->half)
		up_stat_measure(c->group, UP_STAT_FILL, part->count);
	struct up_part_flight *flight = flight_take(loop->batches);
	if (!flight) {
		up_part_fail(part, HTTP_ERR_no_memory, 0);
		return;
	}
	flight->part = part;
	error = flight_prepare(flight, part);
	if (!part->half)
		up_attempt_earn(c->group, part->count);
	if (!error)
		error = up_attempt_start(&flight->attempt);
	if (error) {
		flight->next = loop->batches->free_flights;
		loop->batches->free_flights = flight;
		up_part_fail(part, error, 0);
		return;
	}
	part->flight = flight;
	part_asks(part);
	TAILQ_INSERT_TAIL(&loop->batches->flying, part, link);
	c->group->inflight++;
	up_stat_set(c->group, UP_STAT_inflight, c->group->inflight);
}

void up_batch_send(struct up_batch *batch)
{
	struct up_group *group = batch->from->group;
	struct up_part *part;

	batch = up_batch_trim(batch);
	part = part_make(batch, 0, batch->count, batch->arrived_ms);
	if (!part) {
		for (unsigned i = 0; i < batch->count; i++)
			up_member_fail(batch->from, &batch->member[i], HTTP_ERR_no_memory, 0);
		up_batch_give(batch);
		return;
	}
	if (!group->servers->up)
		up_part_fail(part, HTTP_ERR_no_server, 0);
	else if (up_group_has_room(group) && !group->waiting_count)
		part_launch(part);
	else if (group->waiting_count >= group->max_inflight)
		up_part_fail(part, HTTP_ERR_queue_full, 0);
	else
		part_queue(part);
}

void up_part_launch_first(struct up_group *group)
{
	struct up_part *part = TAILQ_FIRST(&group->waiting_parts);

	part_unqueue(part);
	part_launch(part);
}

// ---- refusals

static void suspect_add(struct up_collector *c, const struct dp_request *r, bool alone)
{
	struct up_suspect *s = &c->suspect[r->context % UP_SUSPECTS];
	uint64_t now = c->group->loop->now_ms;

	if (!alone && s->alone && s->until_ms > now)
		return; // whoever that is, more is known of it
	*s = (struct up_suspect){.context = r->context,
		.generation = r->context_generation,
		.until_ms = now + UP_SUSPECT_MS,
		.alone = alone};
}

// All of a part that was refused: who it was shows when each goes alone.
static void suspects_add(const struct up_part *part)
{
	const struct up_member *m = &part->batch->member[part->first];

	for (unsigned i = 0; i < part->count; i++)
		suspect_add(part->batch->from, &m[i].shared->request, part->count == 1);
}

// A record that went alone was taken: it was another's that was refused.
static void suspect_clear(const struct up_part *part)
{
	const struct dp_request *r = &part->batch->member[part->first].shared->request;
	struct up_suspect *s = &part->batch->from->suspect[r->context % UP_SUSPECTS];

	if (part->count == 1 && !s->alone && s->context == r->context &&
		s->generation == r->context_generation)
		s->until_ms = 0;
}

// Makes two parts of one, which share its budget of retries. false: it stays as it is, and is
// answered by the caller.
static bool part_cut(struct up_part *part)
{
	struct up_batch *batch = part->batch;
	struct up_group *group = group_of(part);
	unsigned count = part->count / 2;

	// A batch costs at most two requests a record.
	if (batch->requests + 2 > 2 * batch->count)
		return false;
	if (!up_attempt_spend(group))
		return false;
	struct up_part *half =
		part_make(batch, part->first + count, part->count - count, group->loop->now_ms);
	if (!half)
		return false;
	part_land(part);
	part->count = count;
	part->call.batch_size = count;
	part->waits_ms = group->loop->now_ms;
	batch->requests++;
	part->half = half->half = true;
	part_queue(half);
	part_queue(part);
	up_stat_add(group, UP_STAT_batch_cuts, 1);
	return true;
}

// The server cannot take these records, or one of them.
static void part_refused(struct up_part *part, uint16_t status)
{
	struct up_collector *c = part->batch->from;
	bool unknown = part->flight->attempt.seen;

	if (unknown) { // a server that was asked before may have taken some of them
		part_land(part);
		up_part_fail(part, HTTP_ERR_reset, 0);
		return;
	}
	if (part->count > 1 && c->form->cut) {
		if (part_cut(part))
			return;
		suspects_add(part);
		part_land(part);
		up_part_fail(part, HTTP_ERR_refused_by_one, 0);
		return;
	}
	if (part->count == 1)
		suspects_add(part);
	part_land(part);
	up_part_answer(part, NULL, status);
}

// Nothing of this route is sent before the server says so.
static void part_paused(struct up_part *part, const struct http_reply *reply)
{
	struct up_collector *c = part->batch->from;
	struct up_group *group = c->group;
	uint32_t seconds = UP_RETRY_SECONDS;

	map_retry_seconds(reply->field[HTTP_FIELD_RETRY_AFTER], time(NULL), &seconds);
	if (seconds > group->upstream->max_age_ms / 1000)
		seconds = group->upstream->max_age_ms / 1000;
	if (seconds > PAUSE_MAX_S)
		seconds = PAUSE_MAX_S;
	c->pause_ms = group->loop->now_ms + (uint64_t)seconds * 1000;
	up_stat_add(group, UP_STAT_batch_pauses, 1);
	part_land(part);
	up_part_fail(part, HTTP_ERR_paused, seconds ? seconds : 1);
}

static void refusing_set(struct up_collector *c, bool refusing, int status)
{
	struct up_group *group = c->group;

	if (refusing && group->loop->now_ms >= c->say_ms) {
		c->say_ms = group->loop->now_ms + SAY_MS;
		log_warning("upstream %s: batches of route %s are refused: status %d",
			group->upstream->name, c->route->path.text, status);
	}
	if (refusing == c->refusing)
		return;
	c->refusing = refusing;
	uint64_t now = group->stat[UP_STAT_batch_refusing];
	up_stat_set(group, UP_STAT_batch_refusing, refusing ? now + 1 : now - 1);
}

// ---- results

// Whether the body of an answer says something about each record.
static bool has_results(const struct http_reply *reply, const struct batch_form *form)
{
	const char *type = reply->field[HTTP_FIELD_CONTENT_TYPE];
	size_t len = type ? strcspn(type, "; \t") : 0;

	if (form->results)
		return true;
	if (!reply->body_len || reply->status == 204 || reply->status == 205)
		return false;
	return (len == 16 && !strncasecmp(type, "application/json", len)) ||
		(len > 5 && !strncasecmp(type + len - 5, "+json", 5));
}

struct results {
	struct batch_id *id;
	uint16_t *index, *status;
};

static bool results_alloc(struct results *r, unsigned count)
{
	r->id = malloc(count * (sizeof(r->id[0]) + sizeof(r->status[0])) +
		BATCH_INDEX_ROOM(count) * sizeof(r->index[0]));
	if (!r->id)
		return false;
	r->index = (uint16_t *)&r->id[count];
	r->status = r->index + BATCH_INDEX_ROOM(count);
	return true;
}

// Reads the results of an answer, and answers.
static void part_results(struct up_part *part, const struct http_reply *reply)
{
	const struct up_member *m = &part->batch->member[part->first];
	uint16_t all = (uint16_t)reply->status;
	enum batch_results rc = BATCH_RESULTS_WRONG;
	bool must = part->batch->from->form->results;
	struct results r;

	if (!results_alloc(&r, part->count)) {
		part_land(part);
		up_part_answer(part, NULL, 0);
		return;
	}
	for (unsigned i = 0; i < part->count; i++)
		r.id[i] = (struct batch_id){
			m[i].shared->request.fingerprint, m[i].shared->request.piv};
	if (!reply->body_cut)
		rc = batch_results_read(
			reply->body, reply->body_len, r.id, r.index, r.status, part->count);
	part_land(part);
	if (rc == BATCH_RESULTS_READ)
		up_part_answer(part, r.status, 0);
	else
		up_part_answer(part, NULL, rc == BATCH_RESULTS_NONE && !must ? all : 0);
	free(r.id);
}

static void part_answered(struct up_part *part)
{
	struct up_collector *c = part->batch->from;
	const struct http_reply *reply = &part->flight->attempt.transfer.reply;
	int status = reply->status;

	up_status_count(c->group, status);
	if (status == 429 || status == 503) {
		part_paused(part, reply);
		return;
	}
	if (status == 400 || status == 413 || status == 422) {
		part_refused(part, (uint16_t)status);
		return;
	}
	if (status >= 400 && status <= 499) {
		refusing_set(c, true, status);
		part_land(part);
		up_part_fail(part, HTTP_ERR_refused, 0);
		return;
	}
	if (status < 200 || status > 299) {
		part_land(part);
		up_part_answer(part, NULL, (uint16_t)status);
		return;
	}
	refusing_set(c, false, status);
	suspect_clear(part);
	if (has_results(reply, c->form)) {
		part_results(part, reply);
		return;
	}
	part_land(part);
	up_part_answer(part, NULL, (uint16_t)status);
}

// Whether the status was read, and the rest of the answer was given up.
static bool status_stands(const struct http_transfer *t, enum http_error error)
{
	return (error == HTTP_ERR_body_too_large || error == HTTP_ERR_head_too_large ||
		       error == HTTP_ERR_no_memory) &&
		t->reply.status >= 200;
}

static void part_done(struct http_transfer *transfer, enum http_error error)
{
	struct up_part_flight *flight = (struct up_part_flight *)transfer;
	struct up_part *part = flight->part;
	int status = transfer->reply.status;

	error = up_attempt_over(&flight->attempt, error);
	part->call.status = status >= 200 ? status : 0;
	part->call.sent = up_attempt_is_sent(&flight->attempt);
	part->call.connected_ms = transfer->connected_ms;
	if (!error) {
		part_answered(part);
		return;
	}
	if (status_stands(transfer, error)) {
		bool good = status <= 299;

		http_reply_drop(&transfer->reply, error == HTTP_ERR_head_too_large);
		if (!good) {
			part_answered(part);
			return;
		}
		// Which records were taken stood in what was not read.
		up_status_count(group_of(part), status);
		part_land(part);
		up_part_answer(part, NULL, 0);
		return;
	}
	bool bounded = part->batch->requests < 2 * part->batch->count;
	if (!up_part_is_abandoned(part) && (bounded || !transfer->sent) &&
		up_attempt_again(&flight->attempt, error)) {
		part->batch->requests++;
		part_asks(part);
		return;
	}
	if (flight->attempt.seen && !transfer->sent && error != HTTP_ERR_timeout)
		error = HTTP_ERR_reset; // a server that was asked before may have done it
	part_land(part);
	up_part_fail(part, error, 0);
}

// ---- time

static void part_cancel(struct up_part *part)
{
	part->call.sent = up_attempt_is_sent(&part->flight->attempt);
	up_attempt_cancel(&part->flight->attempt);
	part_land(part);
}

void up_parts_expire(struct up_group *group)
{
	uint64_t now = group->loop->now_ms;
	struct up_part *part, *next;

	for (part = TAILQ_FIRST(&group->waiting_parts); part; part = next) {
		bool late = part->waits_ms + group->upstream->queue_ms <= now;

		next = TAILQ_NEXT(part, link);
		if (!late && group->servers->up) {
			if (part->half)
				continue; // stands in front of older ones
			break;
		}
		part_unqueue(part);
		up_part_fail(part, late ? HTTP_ERR_queue_timeout : HTTP_ERR_no_server, 0);
	}
}

uint64_t up_parts_next_ms(const struct up_group *group)
{
	const struct up_part *part;
	uint64_t first = UINT64_MAX;

	// Those that are no halves are in the order of their age.
	TAILQ_FOREACH(part, &group->waiting_parts, link)
	{
		first = http_earlier(first, part->waits_ms + group->upstream->queue_ms);
		if (!part->half)
			break;
	}
	return first;
}

void up_parts_sweep(struct up_loop *loop)
{
	struct up_group *group;
	struct up_part *part, *next;

	for (part = TAILQ_FIRST(&loop->batches->flying); part; part = next) {
		next = TAILQ_NEXT(part, link);
		if (!up_part_is_abandoned(part))
			continue;
		part_cancel(part);
		up_part_abandon(part);
	}
	TAILQ_FOREACH(group, &loop->groups, link)
	{
		for (part = TAILQ_FIRST(&group->waiting_parts); part; part = next) {
			next = TAILQ_NEXT(part, link);
			if (!up_part_is_abandoned(part))
				continue;
			part_unqueue(part);
			up_part_abandon(part);
		}
	}
}

void up_parts_stop(struct up_loop *loop, bool flying)
{
	struct up_group *group;
	struct up_part *part;

	TAILQ_FOREACH(group, &loop->groups, link)
	{
		while ((part = TAILQ_FIRST(&group->waiting_parts))) {
			part_unqueue(part);
			up_part_fail(part, HTTP_ERR_stopping, 0);
		}
	}
	while (flying && (part = TAILQ_FIRST(&loop->batches->flying))) {
		part_cancel(part);
		up_part_fail(part, HTTP_ERR_stopping, 0);
	}
}
