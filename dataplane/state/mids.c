// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/state/mids.h"

#include "crypto/keyed_hash.h"
#include "dataplane/shared/memory.h"

#include <rte_common.h>

#include <errno.h>
#include <stdlib.h>

#define MID_CONFIRMABLE 0x8000
#define MID_BITS        15
#define PEERS           (UINT32_C(1) << 16) // counters

// A counter, and how far it is ahead of its time: the virtual scheduling algorithm. Each id takes
// interval_ms; a counter may run ahead by the lifetime. So in any lifetime it gives ids for two.
struct mid_counter {
	uint64_t ahead_ms : 48; // time up to which the ids given last
	uint64_t next : 16;
};
_Static_assert(sizeof(struct mid_counter) == 8, "half a megabyte a worker");

struct dp_mids {
	struct mid_counter *counter; // [PEERS] of confirmable messages
	uint16_t *non;               // [PEERS] counters of non-confirmable ones
	struct keyed_hash place;     // of an endpoint
	struct keyed_hash start;     // of a place: others see it, so it has a key of its own
	uint16_t own;                // number of this worker, where it stands in an id
	uint16_t mask;               // of the counter
	unsigned shift;              // of the worker's number
	unsigned workers;
	uint64_t lifetime_ms;
	uint64_t interval_ms;
};

struct dp_mids *dp_mids_create(unsigned id, unsigned workers, uint32_t ack_timeout_ms)
{
	struct dp_mids *mids = calloc(1, sizeof(*mids));

	if (!mids)
		return NULL;
	mids->counter = dp_map(sizeof(*mids->counter) * PEERS, DP_MAP_HOT);
	mids->non = dp_map(sizeof(*mids->non) * PEERS, DP_MAP_HOT);
	if (!mids->counter || !mids->non) {
		dp_mids_free(mids);
		errno = ENOMEM;
		return NULL;
	}
	keyed_hash_init(&mids->place);
	keyed_hash_init(&mids->start);
	mids->workers = workers;
	mids->shift = MID_BITS - rte_log2_u32(workers);
	mids->own = id << mids->shift;
	mids->mask = (1 << mids->shift) - 1;
	mids->lifetime_ms = dp_exchange_lifetime_ms(ack_timeout_ms) + DP_MID_KEPT_MS;
	mids->interval_ms = (2 * mids->lifetime_ms + mids->mask) / (mids->mask + 1);
	return mids;
}

void dp_mids_free(struct dp_mids *mids)
{
	if (!mids)
		return;
	dp_unmap(mids->counter, sizeof(*mids->counter) * PEERS);
	dp_unmap(mids->non, sizeof(*mids->non) * PEERS);
	free(mids);
}

static uint32_t place_of(const struct dp_mids *mids, const struct dp_flow *flow)
{
	return keyed_hash(&mids->place, flow, DP_ENDPOINT_LEN) % PEERS;
}

// The id that a counter stands for. The start follows the counter's place, not the peer's own hash:
// peers that share it must not meet.
static uint16_t id_at(const struct dp_mids *mids, uint32_t place, uint16_t counter)
{
	uint16_t start = keyed_hash_words(&mids->start, place, 0);

	return mids->own | ((start + counter) & mids->mask);
}

bool dp_mid_take(struct dp_mids *mids, const struct dp_flow *flow, uint64_t now_ms, uint16_t *mid)
{
	uint32_t place = place_of(mids, flow);
	struct mid_counter *counter = &mids->counter[place];
	uint64_t ahead_ms = RTE_MAX((uint64_t)counter->ahead_ms, now_ms) + mids->interval_ms;

	if (ahead_ms > now_ms + mids->lifetime_ms)
		return false;
	*mid = MID_CONFIRMABLE | id_at(mids, place, counter->next++);
	counter->ahead_ms = ahead_ms;
	return true;
}

uint16_t dp_mid_non(struct dp_mids *mids, const struct dp_flow *flow)
{
	uint32_t place = place_of(mids, flow);

	return id_at(mids, place, mids->non[place]++);
}

unsigned dp_mid_worker_any(const struct dp_mids *mids, uint16_t mid)
{
	unsigned worker = (mid & ~MID_CONFIRMABLE) >> mids->shift;

	return worker < mids->workers ? worker : DP_MID_WORKER_NONE;
}

unsigned dp_mid_worker(const struct dp_mids *mids, uint16_t mid)
{
	return mid & MID_CONFIRMABLE ? dp_mid_worker_any(mids, mid) : DP_MID_WORKER_NONE;
}
