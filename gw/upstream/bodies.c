// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/bodies.h"

#include "gw/map/error_codes.h"
#include "gw/map/response.h"
#include "gw/upstream/batch.h"
#include "gw/upstream/body_answer.h"
#include "gw/upstream/lost.h"
#include "gw/upstream/queue.h"
#include "gw/upstream/random.h"
#include "gw/upstream/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_ROOM 2048 // bytes of an error

// ---- answering

static size_t fetch_size(size_t room)
{
	return sizeof(struct up_fetch) + 2 * room;
}

static void call_serve(struct up_call *call, struct body *body)
{
	struct up_loop *loop = call->group->loop;
	struct dp_shared *shared = call->shared;
	struct coap_body message;
	struct body_request r;

	if (!up_body_request(call, &message, &r)) { // cannot be: it was read when it came
		up_call_fail(call, HTTP_ERR_bad_request);
		return;
	}
	shared->response.len = body_serve(loop->bodies, body, &r, dp_shared_response(shared),
		shared->request.response_max, shared->request.payload_max, loop->now_ms);
	up_call_return(call);
}

// The body has no answer of a backend: it is what the call failed with, or that all gave up.
static void fetch_fail(struct up_fetch *fetch)
{
	uint8_t gone[64];
	size_t len = fetch->shared.response.len;
	const uint8_t *plaintext = dp_shared_response(&fetch->shared);

	if (!len) {
		len = map_error_write(HTTP_ERR_timeout, 0, gone, sizeof(gone));
		plaintext = gone;
	}
	up_body_fail(&fetch->call, plaintext, len);
}

// The call of a fetch would go back to its worker, if it had one.
static void fetch_over(struct up_call *call)
{
	struct up_fetch *fetch = (struct up_fetch *)call;
	struct up_loop *loop = call->group->loop;
	struct up_call *waiter;

	struct body *body = call->body;

	if (body->state == BODY_ASKING)
		fetch_fail(fetch);
	TAILQ_REMOVE(fetch->unwanted ? &loop->unwanted : &loop->fetches, fetch, link);
	while ((waiter = TAILQ_FIRST(&fetch->waiters))) {
		TAILQ_REMOVE(&fetch->waiters, waiter, link);
		up_call_log_as(waiter, call);
		if (up_call_is_abandoned(waiter))
			up_call_abandon(waiter);
		else
			call_serve(waiter, body);
	}
	body_release(loop->bodies, body);
	loop->busy--;
	call->snapshot->held--;
	sodium_memzero(fetch, fetch_size(fetch->shared.data_room));
	free(fetch);
}

// ---- fetching

static struct up_fetch *fetch_make(
	struct up_call *first, struct body *body, const struct coap_body *message)
{
	struct up_loop *loop = first->group->loop;
	const struct dp_request *device = &first->shared->request;
	size_t room = message->options_len > ANSWER_ROOM ? message->options_len : ANSWER_ROOM;
	struct up_fetch *fetch = calloc(1, fetch_size(room));

	if (!fetch)
		return NULL;
	TAILQ_INIT(&fetch->waiters);
	fetch->shared.data_room = (uint16_t)room;
	fetch->shared.request = *device;
	fetch->shared.request.token_len = 0;
	if (device->response_max > ANSWER_ROOM)
		fetch->shared.request.response_max = ANSWER_ROOM;
	bool copied = body_options_whole(message, dp_shared_request_buf(&fetch->shared), room,
		&fetch->shared.request.body_len);

	assert(copied); // they are not longer than they were
	fetch->call = (struct up_call){
		.shared = &fetch->shared,
		.snapshot = first->snapshot,
		.route = first->route,
		.group = first->group,
		.arrived_ms = loop->now_ms,
		// Those who ask again have more time.
		.deadline_ms = first->deadline_ms + loop->config.conf->bodies.keep_ms,
		.body = body,
		.returned = fetch_over,
	};
	body->fetch = fetch;
	TAILQ_INSERT_TAIL(&loop->fetches, fetch, link);
	loop->busy++;
	first->snapshot->held++;
	return fetch;
}

static void fetch_start(struct up_call *call, struct body *body, const struct coap_body *message)
{
	struct up_fetch *fetch = fetch_make(call, body, message);

	if (!fetch) {
		const struct body_answer busy = {.code = COAP_SERVICE_UNAVAILABLE,
			.has_max_age = true,
			.max_age = up_retry_seconds(call->group->loop)};

		body_answered(call->group->loop->bodies, body, &busy, call->group->loop->now_ms);
		call_serve(call, body);
		return;
	}
	TAILQ_INSERT_TAIL(&fetch->waiters, call, link);
	if (!call->group->loop->batches || !up_batch_take_fetch(fetch))
		up_queue_add(&fetch->call);
}

// A record of a batch whose waiters all gave up may have one again before the batch is over.
static void fetch_join(struct up_fetch *fetch, struct up_call *call)
{
	fetch->shared.abandoned = 0;
	TAILQ_INSERT_TAIL(&fetch->waiters, call, link);
}

// The answer of which it wants a later block is gone, and it has not shown to be fresh where the
// route asks for it: the worker asks the device for an Echo.
static void call_ask_echo(struct up_call *call)
{
	struct dp_shared *shared = call->shared;
	struct coap_writer writer;

	coap_writer_init(&writer, dp_shared_response(shared), shared->request.response_max);
	coap_write_code(&writer, COAP_UNAUTHORIZED);
	coap_write_option(&writer, COAP_OPT_ECHO, "", 0); // the worker fills it in
	shared->response.len = (uint16_t)coap_writer_len(&writer);
	up_call_return(call);
}

bool up_bodies_take(struct up_call *call)
{
	struct up_loop *loop = call->group->loop;
	struct dp_shared *shared = call->shared;
	const struct dp_request *device = &shared->request;
	const struct body_limits limits = {
		.max_body = up_batch_body_max(call->route), .payload_max = device->payload_max};
	struct coap_body message;
	struct body_request r;
	struct body_reply reply;
	struct body *body;

	if (coap_body_parse(&message, dp_shared_body(shared), device->body_len) != COAP_OK ||
		!message.has_block)
		return false; // what cannot be parsed fails later
	if (!up_body_request(call, &message, &r)) {
		up_call_fail(call, HTTP_ERR_bad_request);
		return true;
	}
	call->blocks = true;
	enum body_action action = body_take(loop->bodies, &r, &limits, loop->now_ms, &reply, &body);

	if (body_request_opens(&r) && !up_body_is_owned(call)) {
		up_call_fail(call, HTTP_ERR_device_gone);
		return true;
	}
	switch (action) {
	case BODY_FORWARD:
		return loop->batches && up_batch_take_call(call, &r);
	case BODY_REFETCH:
		if (!device->stale)
			return false;
		call_ask_echo(call);
		return true;
	case BODY_ASK:
		fetch_start(call, body, &message);
		return true;
	case BODY_JOIN:
		fetch_join(body->fetch, call);
		return true;
	case BODY_SERVE:
		call_serve(call, body);
		return true;
	case BODY_REFUSE:
		break;
	}
	shared->response.len =
		body_reply_write(&reply, dp_shared_response(shared), device->response_max);
	up_call_return(call);
	return true;
}

// ---- devices that are gone

// A fetch whose device is gone ends with it. One that only lost its route goes on.
static void on_unwanted(struct body *body)
{
	struct up_fetch *fetch = body->fetch;
	struct up_loop *loop = fetch->call.group->loop;
	const struct dp_request *device = &fetch->shared.request;

	if (up_device_is_there(loop, device->context, device->context_generation))
		return;
	if (fetch->batched) { // its record is left out unless it is on its way
		fetch->shared.abandoned = 1;
		return;
	}
	TAILQ_REMOVE(&loop->fetches, fetch, link);
	TAILQ_INSERT_TAIL(&loop->unwanted, fetch, link);
	fetch->unwanted = true;
}

static void unwanted_end(struct up_loop *loop)
{
	struct up_fetch *fetch;

	while ((fetch = TAILQ_FIRST(&loop->unwanted))) {
		if (fetch->call.flight)
			up_call_cancel(&fetch->call);
		else
			up_call_unqueue(&fetch->call);
		up_call_fail(&fetch->call, HTTP_ERR_device_gone);
	}
}

// ---- time

void up_bodies_sweep(struct up_loop *loop)
{
	struct up_fetch *fetch;

	TAILQ_FOREACH(fetch, &loop->fetches, link)
	{
		for (struct up_call *call = TAILQ_FIRST(&fetch->waiters), *next; call;
			call = next) {
			next = TAILQ_NEXT(call, link);
			if (!up_call_is_abandoned(call))
				continue;
			TAILQ_REMOVE(&fetch->waiters, call, link);
			up_call_log_as(call, &fetch->call);
			up_call_abandon(call);
		}
		if (TAILQ_EMPTY(&fetch->waiters))
			fetch->shared.abandoned = 1; // the sweep of calls ends it
	}
}

void up_bodies_turn(struct up_loop *loop)
{
	struct up_group *none = &loop->none;

	bool more = up_lost_turn(loop);

	unwanted_end(loop);
	loop->bodies_ms = body_table_turn(loop->bodies, loop->now_ms);
	if (more)
		loop->bodies_ms = loop->now_ms;
#define X(name, unit, help) \
	up_stat_set(none, UP_STAT_body_##name, body_stat(loop->bodies, BODY_STAT_##name));
#include "gw/body/stats.def"
#undef X
}

uint64_t up_bodies_next_ms(const struct up_loop *loop)
{
	return loop->bodies_ms;
}

int up_bodies_create(struct up_loop *loop)
{
	const struct conf_bodies *conf = &loop->config.conf->bodies;
	struct body_config config = {
		.memory = conf->memory / loop->config.loops,
		.per_device = conf->per_device,
		.keep_ms = conf->keep_ms,
		.idle_ms = conf->idle_ms,
		.unwanted = on_unwanted,
	};

	_Static_assert(sizeof(config.secret) == sizeof(loop->config.etag_key), "one key for both");
	memcpy(config.secret, loop->config.etag_key, sizeof(config.secret));
	TAILQ_INIT(&loop->fetches);
	TAILQ_INIT(&loop->unwanted);
	loop->bodies_ms = UINT64_MAX;
	loop->bodies = body_table_create(&config);
	return loop->bodies ? 0 : -ENOMEM;
}

void up_bodies_free(struct up_loop *loop)
{
	body_table_free(loop->bodies);
}
