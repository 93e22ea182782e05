// SPDX-License-Identifier: BSD-3-Clause
// Packets that end in a counter drop_*: each is counted, and a few are copied for who asks why. A
// packet that is not copied costs one test of a bit.

#ifndef POSTERN_DATAPLANE_WORKER_REFUSED_H
#define POSTERN_DATAPLANE_WORKER_REFUSED_H

#include "dataplane/shared/refused.h"
#include "dataplane/worker/worker.h"

// Makes room for the copies of this worker. Returns 0 or -ENOMEM.
int dp_refused_init(struct dp_worker *w) __attribute__((warn_unused_result));
void dp_refused_free(struct dp_worker *w);

// A second is over: reasons get their shares of the next one. For dp_refused_turn().
void dp_refused_second(struct dp_worker *w);
// Copies a message; a frame. For the functions below.
void dp_refused_copy(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, enum dp_stat reason);
void dp_refused_copy_frame(
	struct dp_worker *w, const struct rte_mbuf *m, uint16_t port_id, enum dp_stat reason);

// In each turn.
static inline void dp_refused_turn(struct dp_worker *w)
{
	if (unlikely(w->now_ms >= w->refused_ms))
		dp_refused_second(w);
}

// Whether the next packet of this reason is to be copied.
static inline bool dp_refused_wants(const struct dp_worker *w, enum dp_stat reason)
{
	return unlikely(w->refused_wanted >> (reason - DP_REFUSED_FIRST) & 1);
}

// A packet of a burst ends here. Counted apart: the packet in slot was counted, or is one of many.
static inline void dp_refused(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, enum dp_stat reason)
{
	if (dp_refused_wants(w, reason))
		dp_refused_copy(w, vec, slot, reason);
}

// The same, and counts it. reason: a drop_*.
static inline void dp_drop(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, enum dp_stat reason)
{
	dp_count(w, reason);
	dp_refused(w, vec, slot, reason);
}

// A frame that is no CoAP message for us ends here.
static inline void dp_drop_frame(
	struct dp_worker *w, const struct rte_mbuf *m, uint16_t port_id, enum dp_stat reason)
{
	dp_count(w, reason);
	if (dp_refused_wants(w, reason))
		dp_refused_copy_frame(w, m, port_id, reason);
}

#endif
