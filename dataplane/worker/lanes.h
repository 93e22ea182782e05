// SPDX-License-Identifier: BSD-3-Clause
// The rings between all pairs of workers, and how a worker learns which of them have something: it
// reads one word, not all rings.

#ifndef POSTERN_DATAPLANE_WORKER_LANES_H
#define POSTERN_DATAPLANE_WORKER_LANES_H

#include "dataplane/shared/ring.h"
#include "dataplane/worker/worker.h"

// Makes the rings from all other workers to one, with elements of these sizes: packets and what is
// not plainly new, ACKs. Returns 0 or -errno.
int dp_lanes_connect(struct dp_worker *const *workers, unsigned count, unsigned to, size_t packet,
	size_t ack) __attribute__((warn_unused_result));
// Most mbufs of one worker's pool that the others can have at once, in rings and in hand.
unsigned dp_lanes_mbufs(unsigned workers);
// Frees the rings to a worker; nobody uses them any more.
void dp_lanes_free(struct dp_worker *w);

// Whether a ring has room for so many more, whoever has them, before it is half full: then each is
// within his share.
static inline bool dp_lane_roomy(
	const struct rte_ring *ring, unsigned more, const struct dp_ring_shares *shares)
{
	return !shares->some && dp_ring_count(ring) + more < rte_ring_get_capacity(ring) / 2;
}
// Whether somebody may have one more place in a ring into which `more` are about to be put, and
// counts it for him if it is half full then: nobody keeps others out. `who` tells him from others
// by a number that he does not choose.
bool dp_lane_within_share(const struct dp_worker *w, const struct rte_ring *ring, unsigned more,
	struct dp_ring_shares *shares, uint32_t who);

// Notes that worker `to` is to be called, and calls all who are: after what is for them is in the
// rings.
static inline void dp_lane_note(struct dp_worker *w, unsigned to)
{
	w->to_call |= UINT64_C(1) << to;
}
void dp_lanes_call(struct dp_worker *w);
// The workers whose rings to this one are to be looked into: bit n for worker n. Who leaves
// something there says so by dp_lane_unfinished().
uint64_t dp_lanes_called(struct dp_worker *w);
static inline void dp_lane_unfinished(struct dp_worker *w, unsigned from)
{
	w->unfinished |= UINT64_C(1) << from;
}

#endif
