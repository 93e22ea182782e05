// SPDX-License-Identifier: BSD-3-Clause
// Main and the workers that own contexts: commands to them, their events, contexts that go from one
// to another, and those that are removed.

#include "dataplane/owners.h"

#include "dataplane/dp_inside.h"

#include <stdlib.h>

#define EVENTS_PER_POLL 256 // of each worker

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

static void retired_tell(struct dp *dp, struct retired *r)
{
	struct dp_context *ctx = &dp->contexts->context[r->index];
	uint8_t owner = DP_OWNER_NONE;

	if (is_moving(dp, r->index)) {
		r->phase = RETIRED_TO_TELL;
		return;
	}
	if (__atomic_compare_exchange_n(&ctx->owner, &owner, DP_OWNER_MAIN, false, __ATOMIC_ACQUIRE,
		    __ATOMIC_ACQUIRE)) {
		__atomic_store_n(&ctx->generation, ctx->generation + 1, __ATOMIC_RELEASE);
		retired_grace(dp, r);
		return;
	}
	struct dp_command command = {
		.type = DP_COMMAND_RETIRE, .context = r->index, .generation = r->generation};

	r->phase = rte_ring_sp_enqueue_elem(dp->worker[owner]->commands, &command, sizeof(command))
		? RETIRED_TO_TELL
		: RETIRED_TOLD;
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

int dp_device_remove(struct dp *dp, const struct dp_context_key *key)
{
	int64_t index = dp_context_find(dp->contexts, key);

	if (index < 0)
		return index;
	if (dp->retired_count == dp->retired_room) {
		unsigned room = dp->retired_room ? 2 * dp->retired_room : 64;
		struct retired *retired = reallocarray(dp->retired, room, sizeof(*retired));

		if (!retired)
			return -ENOMEM;
		dp->retired = retired;
		dp->retired_room = room;
	}
	struct retired *r = &dp->retired[dp->retired_count++];

	const struct dp_context *ctx = &dp->contexts->context[index];

	*r = (struct retired){
		.index = index,
		.generation = ctx->generation,
		.key_hash = key_hash(dp, ctx->alg, dp_context_sender_key(dp->contexts, ctx)),
	};
	dp_context_unlink(dp->contexts, key);
	retired_tell(dp, r);
	return 0;
}

unsigned dp_devices_retiring(const struct dp *dp)
{
	return dp->retired_count;
}

static void retired_event(struct dp *dp, const struct dp_event *event)
{
	for (unsigned i = 0; i < dp->retired_count; i++)
		if (dp->retired[i].phase == RETIRED_TOLD && dp->retired[i].index == event->context)
			retired_grace(dp, &dp->retired[i]);
}

static void retired_poll(struct dp *dp)
{
	for (unsigned i = 0; i < dp->retired_count;) {
		struct retired *r = &dp->retired[i];

		if (r->phase == RETIRED_TO_TELL)
			retired_tell(dp, r);
		// No worker runs, so none can hold it.
		if (r->phase == RETIRED_GRACE &&
			(!dp->running || rte_rcu_qsbr_check(dp->qsbr, r->token, false))) {
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
	retired_poll(dp);
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
