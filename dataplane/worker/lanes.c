// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/lanes.h"

#include "dataplane/shared/memory.h"
#include "dataplane/shared/ring.h"

#include <errno.h>
#include <string.h>

// Slots of each ring. All rings to one worker have room for so many packets, or each for that of
// two bursts, if workers are many: 64 of them need 70 MB.
#define PACKETS_OF_ALL 4096u
#define PACKETS_MOST   512u
#define PACKETS_LEAST  (2u * DP_BURST)
#define OLD_SLOTS      64u  // for what is not plainly new: anybody can send a copy again
#define ACKS_MOST      256u // which anybody can send: they fill no other ring

#define SHARE_OF 16 // of the places of a ring that is half full, a context has one in so many
#define SHARE_MS 50 // and again after so long, if it stays half full

_Static_assert(DP_WORKERS_MAX <= 64, "a bit for each worker");

// Where things are in the memory of one lane, and its size.
struct layout {
	unsigned packet_slots, ack_slots;
	size_t packets, old, acks, bytes; // offsets, and the end
};

static size_t line_up(size_t bytes)
{
	return RTE_ALIGN_CEIL(bytes, RTE_CACHE_LINE_SIZE);
}

static unsigned packet_slots(unsigned workers)
{
	unsigned slots = rte_align32pow2(PACKETS_OF_ALL / workers);
	unsigned least = RTE_MAX(slots, PACKETS_LEAST);

	return RTE_MIN(least, PACKETS_MOST);
}

unsigned dp_lanes_mbufs(unsigned workers)
{
	return (workers - 1) * (packet_slots(workers) + OLD_SLOTS + DP_BURST);
}

static struct layout layout(unsigned workers, size_t packet, size_t ack)
{
	struct layout of = {.packet_slots = packet_slots(workers)};

	of.ack_slots = RTE_MIN(of.packet_slots, ACKS_MOST);
	of.packets = line_up(sizeof(struct dp_lane));
	of.old = of.packets + line_up(dp_ring_bytes(packet, of.packet_slots));
	of.acks = of.old + line_up(dp_ring_bytes(packet, OLD_SLOTS));
	of.bytes = of.acks + line_up(dp_ring_bytes(ack, of.ack_slots));
	return of;
}

static struct dp_lane *lane_make(uint8_t *memory, const struct layout *of)
{
	struct dp_lane *lane = (struct dp_lane *)memory;

	lane->packets = dp_ring_init(memory + of->packets, of->packet_slots);
	lane->old = dp_ring_init(memory + of->old, OLD_SLOTS);
	lane->acks = dp_ring_init(memory + of->acks, of->ack_slots);
	return lane;
}

int dp_lanes_connect(
	struct dp_worker *const *workers, unsigned count, unsigned to, size_t packet, size_t ack)
{
	const struct layout of = layout(count, packet, ack);
	struct dp_worker *w = workers[to];

	w->lanes = dp_map(count * of.bytes, DP_MAP_HOT);
	w->lanes_bytes = count * of.bytes;
	if (!w->lanes)
		return -ENOMEM;
	keyed_hash_init(&w->endpoints);
	for (unsigned from = 0; from < count; from++) {
		w->peer[from] = workers[from];
		if (from == to)
			continue;
		w->from[from] = lane_make((uint8_t *)w->lanes + from * of.bytes, &of);
		workers[from]->to[to] = w->from[from];
	}
	return 0;
}

void dp_lanes_free(struct dp_worker *w)
{
	dp_unmap(w->lanes, w->lanes_bytes);
	w->lanes = NULL;
	memset(w->from, 0, sizeof(w->from));
}

bool dp_lane_within_share(const struct dp_worker *w, const struct rte_ring *ring, unsigned more,
	struct dp_ring_shares *shares, uint32_t who)
{
	unsigned places = rte_ring_get_capacity(ring);
	bool half_full = dp_ring_count(ring) + more >= places / 2;

	if (shares->some && (!half_full || w->now_ms - shares->since_ms >= SHARE_MS))
		*shares = (struct dp_ring_shares){0};
	if (likely(!half_full))
		return true;
	if (!shares->some) {
		shares->some = true;
		shares->since_ms = w->now_ms;
	}
	uint8_t *taken = &shares->taken[who % RTE_DIM(shares->taken)];

	return *taken < places / SHARE_OF && ++*taken;
}

// No call is lost. A producer puts its elements in first and then, always, sets its bit by one
// atomic OR; the consumer takes the word by one atomic exchange, and then looks into the rings. All
// changes of the word are in one order. If the OR is before the exchange there, the exchange reads
// it or what followed it: that is release and acquire, so the consumer sees the elements. If it is
// after, the bit stands for the next exchange. A producer that left out the OR because it sees the
// bit could read it just before the exchange while its elements are still in its store buffer, and
// they would lie there until it has more: so it is not left out.
void dp_lanes_call(struct dp_worker *w)
{
	const uint64_t bit = UINT64_C(1) << w->id;

	for (uint64_t to = w->to_call; to; to &= to - 1)
		__atomic_fetch_or(&w->peer[__builtin_ctzll(to)]->called, bit, __ATOMIC_RELEASE);
	w->to_call = 0;
}

uint64_t dp_lanes_called(struct dp_worker *w)
{
	uint64_t from = w->unfinished;

	w->unfinished = 0;
	// Mostly nobody called; the line is not asked for to write then.
	if (__atomic_load_n(&w->called, __ATOMIC_RELAXED))
		from |= __atomic_exchange_n(&w->called, 0, __ATOMIC_ACQUIRE);
	return from;
}
