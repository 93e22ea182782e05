// SPDX-License-Identifier: BSD-3-Clause
// Main and the workers that own contexts: commands to them, their events, contexts that go from one
// to another, and those that are removed.

#include "dataplane/owners.h"

#include "base/clock.h"
#include "dataplane/dp_inside.h"
#include "dataplane/shared/quiescent.h"

#include <stdlib.h>

#define EVENTS_PER_POLL   256 // of each worker
#define DRAINING_PER_POLL 64u // contexts that are looked at

// No look-up finds the context any more, and its owner does not use it.
static void retired_grace(struct dp *dp, struct retired *r)
{
	r->phase = RETIRED_GRACE;
	r->token = rte_rcu_qsbr_start(dp->qsbr);
}

// Whether the owner of a context was told to give it away and has not answered. Commands wait for
// that: so none comes to a worker that does not own the context any more.
static bool is_moving(const struct dp *dp, uint32_t context)
{
	for (unsigned i = 0; i < dp->moving_count; i++)
		if (dp->moving[i] == context)
			return true;
	return false;
}

// A worker that gets no command asks again later.
static void move_begin(struct dp *dp, unsigned worker, const struct dp_event *event)
{
	const struct dp_context *ctx = &dp->contexts->context[event->context];
	struct dp_command command = {.type = DP_COMMAND_MOVE,
		.context = event->context,
		.generation = event->generation,
		.arg = event->arg};

	if (dp->moving_count == DP_MOVES_MAX || is_moving(dp, event->context) ||
		dp_context_live(ctx) != event->generation || dp_context_owner(ctx) != worker ||
		rte_ring_sp_enqueue_elem(dp->worker[worker]->commands, &command, sizeof(command)))
		return;
	dp->moving[dp->moving_count++] = event->context;
}

static void move_end(struct dp *dp, const struct dp_event *event)
{
	for (unsigned i = 0; i < dp->moving_count; i++)
		if (dp->moving[i] == event->context) {
			dp->moving[i] = dp->moving[--dp->moving_count];
			return;
		}
}

// Tells the owner of a context. Returns false if that cannot be now.
static bool owner_tell(struct dp *dp, const struct retired *r, enum dp_command_type type)
{
	uint8_t owner = dp_context_owner(&dp->contexts->context[r->index]);
	struct dp_command command = {
		.type = type, .context = r->index, .generation = r->generation};

	return !is_moving(dp, r->index) &&
		!rte_ring_sp_enqueue_elem(dp->worker[owner]->commands, &command, sizeof(command));
}

// Takes a context that has no owner, so that none will have it. Returns whether it had none.
static bool unowned_take(struct dp *dp, const struct retired *r)
{
	uint8_t owner = DP_OWNER_NONE;

	return __atomic_compare_exchange_n(&dp->contexts->context[r->index].owner, &owner,
		DP_OWNER_MAIN, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE);
}

static void unowned_retire(struct dp *dp, struct retired *r)
{
	struct dp_context *ctx = &dp->contexts->context[r->index];

	__atomic_store_n(&ctx->generation, ctx->generation + 1, __ATOMIC_RELEASE);
	retired_grace(dp, r);
}

static void retired_tell(struct dp *dp, struct retired *r)
{
	if (!is_moving(dp, r->index) && unowned_take(dp, r))
		unowned_retire(dp, r);
	else
		r->phase = owner_tell(dp, r, DP_COMMAND_RETIRE) ? RETIRED_TOLD : RETIRED_TO_TELL;
}

static bool is_draining(const struct retired *r)
{
	return r->phase == RETIRED_TO_DRAIN || r->phase == RETIRED_DRAINS ||
		r->phase == RETIRED_DRAINED;
}

static void drain_tell(struct dp *dp, struct retired *r)
{
	if (!is_moving(dp, r->index) && unowned_take(dp, r))
		r->phase = RETIRED_DRAINED;
	else
		r->phase = owner_tell(dp, r, DP_COMMAND_DRAIN) ? RETIRED_DRAINS : RETIRED_TO_DRAIN;
}

// Nothing of a context is to be answered any more: it retires.
static void drain_end(struct dp *dp, struct retired *r)
{
	dp->draining_count--;
	if (r->phase == RETIRED_DRAINED)
		unowned_retire(dp, r);
	else
		retired_tell(dp, r);
}

// Whether its owner accepts nothing any more and all was answered. It is the owner that writes
// in_flight, so that what is read behind its state is not older than that.
static bool has_drained(const struct dp *dp, const struct retired *r)
{
	const struct dp_context *ctx = &dp->contexts->context[r->index];

	return r->phase == RETIRED_DRAINED ||
		(__atomic_load_n(&ctx->state, __ATOMIC_ACQUIRE) == DP_CONTEXT_DRAINING &&
			__atomic_load_n(&ctx->in_flight, __ATOMIC_RELAXED) == DP_INDEX_NONE);
}

static uint64_t key_hash(const struct dp *dp, enum aead_alg alg, const uint8_t *key)
{
	uint64_t hash;

	_Static_assert(sizeof(hash) == crypto_shorthash_BYTES, "");
	crypto_shorthash((uint8_t *)&hash, key, aead_algs[alg].key_len, dp->retired_hash_key);
	return hash;
}

bool dp_key_retiring(const struct dp *dp, enum aead_alg alg, const uint8_t *sender_key)
{
	uint64_t hash = key_hash(dp, alg, sender_key);

	for (unsigned i = 0; i < dp->retired_count; i++) {
		const struct dp_context *ctx = &dp->contexts->context[dp->retired[i].index];

		if (dp->retired[i].key_hash == hash && ctx->alg == alg &&
			!sodium_memcmp(dp_context_sender_key(dp->contexts, ctx), sender_key,
				aead_algs[alg].key_len))
			return true;
	}
	return false;
}

// Takes the names of a context away, and gives it an entry, whose phase the caller decides on. NULL
// and *rc: -ENOENT or -ENOMEM.
static struct retired *retired_add(struct dp *dp, const struct dp_context_key *key, int *rc)
{
	int64_t index = dp_context_find(dp->contexts, key);

	*rc = index < 0 ? index : 0;
	if (index >= 0 && dp->retired_count == dp->retired_room) {
		unsigned room = dp->retired_room ? 2 * dp->retired_room : 64;
		struct retired *retired = reallocarray(dp->retired, room, sizeof(*retired));

		if (retired) {
			dp->retired = retired;
			dp->retired_room = room;
		} else {
			*rc = -ENOMEM;
		}
	}
	if (*rc)
		return NULL;
	struct retired *r = &dp->retired[dp->retired_count++];
	const struct dp_context *ctx = &dp->contexts->context[index];

	*r = (struct retired){
		.index = index,
		.generation = ctx->generation,
		.key_hash = key_hash(dp, ctx->alg, dp_context_sender_key(dp->contexts, ctx)),
	};
	dp_context_unlink(dp->contexts, key);
	return r;
}

int dp_device_remove(struct dp *dp, const struct dp_context_key *key)
{
	int rc;
	struct retired *r = retired_add(dp, key, &rc);

	if (r)
		retired_tell(dp, r);
	return rc;
}

// Ends the draining of the one that began first.
static void oldest_end(struct dp *dp)
{
	struct retired *oldest = NULL;

	for (unsigned i = 0; i < dp->retired_count; i++) {
		struct retired *r = &dp->retired[i];

		if (is_draining(r) && (!oldest || r->end_ms < oldest->end_ms))
			oldest = r;
	}
	if (oldest)
		drain_end(dp, oldest);
}

int dp_context_drain(struct dp *dp, const struct dp_context_key *key)
{
	int rc;

	if (dp->draining_count >= dp->contexts->draining_max &&
		dp_context_find(dp->contexts, key) >= 0)
		oldest_end(dp);
	struct retired *r = retired_add(dp, key, &rc);

	if (!r)
		return rc;
	r->named = true;
	r->end_ms = clock_ms() + dp->drain_ms;
	dp->draining_count++;
	drain_tell(dp, r);
	return 0;
}

void dp_context_drain_end(struct dp *dp, uint32_t context, uint32_t generation)
{
	if (dp_context_live(&dp->contexts->context[context]) != generation)
		return;
	for (unsigned i = 0; i < dp->retired_count; i++)
		if (dp->retired[i].index == context && is_draining(&dp->retired[i]))
			drain_end(dp, &dp->retired[i]);
}

unsigned dp_contexts_draining(const struct dp *dp)
{
	return dp->draining_count;
}

unsigned dp_devices_retiring(const struct dp *dp)
{
	return dp->retired_count - dp->draining_count;
}

static void retired_event(struct dp *dp, const struct dp_event *event)
{
	for (unsigned i = 0; i < dp->retired_count; i++)
		if (dp->retired[i].phase == RETIRED_TOLD && dp->retired[i].index == event->context)
			retired_grace(dp, &dp->retired[i]);
}

// The owner asks: the last answer of a context is sealed.
static void drained_event(struct dp *dp, const struct dp_event *event)
{
	for (unsigned i = 0; i < dp->retired_count; i++) {
		struct retired *r = &dp->retired[i];

		if (r->index == event->context && r->generation == event->generation &&
			is_draining(r) && has_drained(dp, r))
			drain_end(dp, r);
	}
}

// Looks at some of those that drain: one whose owner had no room for an event, or none, or that
// took too long. No clock is read while there are none.
static void draining_poll(struct dp *dp)
{
	unsigned most = dp->draining_count ? RTE_MIN(DRAINING_PER_POLL, dp->retired_count) : 0;
	uint64_t now_ms = most ? clock_ms() : 0;

	for (unsigned n = 0; n < most; n++) {
		struct retired *r = &dp->retired[dp->draining_at++ % dp->retired_count];

		if (!is_draining(r))
			continue;
		if (r->phase == RETIRED_TO_DRAIN)
			drain_tell(dp, r);
		if (has_drained(dp, r) || now_ms >= r->end_ms)
			drain_end(dp, r);
	}
}

static void retired_poll(
	struct dp *dp, void (*event)(void *arg, const struct dp_event *event), void *arg)
{
	draining_poll(dp);
	for (unsigned i = 0; i < dp->retired_count;) {
		struct retired *r = &dp->retired[i];

		if (is_draining(r)) {
			i++;
			continue;
		}
		if (r->phase == RETIRED_TO_TELL)
			retired_tell(dp, r);
		// Its owner was told: a request of it that is on its way found a name till now.
		if (r->named && r->phase != RETIRED_TO_TELL) {
			const struct dp_event drained = {.type = DP_EVENT_DRAINED,
				.context = r->index,
				.generation = r->generation};

			r->named = false;
			event(arg, &drained);
		}
		// No worker runs, so none can hold it.
		if (r->phase == RETIRED_GRACE &&
			(!dp->running || dp_quiescent_since(dp->qsbr, r->token))) {
			dp_context_release(dp->contexts, r->index);
			*r = dp->retired[--dp->retired_count];
			continue;
		}
		i++;
	}
}

void dp_poll(struct dp *dp, void (*event)(void *arg, const struct dp_event *event), void *arg)
{
	for (unsigned i = 0; i < dp->worker_count; i++) {
		struct dp_event e;

		for (unsigned n = 0; n < EVENTS_PER_POLL; n++) {
			if (rte_ring_sc_dequeue_elem(dp->worker[i]->events, &e, sizeof(e)))
				break;
			switch (e.type) {
			case DP_EVENT_RETIRED:
				retired_event(dp, &e);
				break;
			case DP_EVENT_DRAINED:
				drained_event(dp, &e);
				break;
			case DP_EVENT_MOVE_WANTED:
				move_begin(dp, i, &e);
				break;
			case DP_EVENT_MOVED:
				move_end(dp, &e);
				break;
			default:
				event(arg, &e);
			}
		}
	}
	retired_poll(dp, event, arg);
}

// Sends a command to the owner of a context: 0, -ENOENT if no worker owns it, -EAGAIN.
static int command_owner(struct dp *dp, enum dp_command_type type, uint32_t context,
	uint32_t generation, uint64_t arg)
{
	uint8_t owner = __atomic_load_n(&dp->contexts->context[context].owner, __ATOMIC_ACQUIRE);
	struct dp_command command = {
		.type = type, .context = context, .generation = generation, .arg = arg};

	if (owner >= dp->worker_count)
		return -ENOENT;
	if (is_moving(dp, context))
		return -EAGAIN;
	return rte_ring_sp_enqueue_elem(dp->worker[owner]->commands, &command, sizeof(command))
		? -EAGAIN
		: 0;
}

// Only an owner uses own Partial IVs and accepts requests, so it is an owner that asked.
int dp_run_base_raise(struct dp *dp, uint32_t context, uint32_t generation, uint32_t run_base)
{
	return command_owner(dp, DP_COMMAND_RUN_BASE, context, generation, run_base);
}

int dp_mark_raise(struct dp *dp, uint32_t context, uint32_t generation, uint64_t mark)
{
	return command_owner(dp, DP_COMMAND_MARK, context, generation, mark);
}

int dp_resync(struct dp *dp, uint32_t context, uint32_t generation, uint64_t from)
{
	struct dp_context *ctx = &dp->contexts->context[context];
	uint8_t owner = DP_OWNER_NONE;

	if (dp_context_live(ctx) != generation)
		return -ENOENT;
	if (!__atomic_compare_exchange_n(
		    &ctx->owner, &owner, DP_OWNER_MAIN, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return command_owner(dp, DP_COMMAND_RESYNC, context, generation, from);
	dp_context_resync(dp->contexts, context, from);
	__atomic_store_n(&ctx->owner, DP_OWNER_NONE, __ATOMIC_RELEASE);
	return 0;
}
