// SPDX-License-Identifier: BSD-3-Clause
// Verified packets on their way to the worker that owns their context, and ACKs on theirs. A packet
// is opened where it arrived, so that nothing unverified can fill these rings; the owner goes on at
// its window.

#ifndef POSTERN_DATAPLANE_WORKER_HANDOFF_H
#define POSTERN_DATAPLANE_WORKER_HANDOFF_H

#include "dataplane/worker/worker.h"

// Makes the rings from all other workers to one (lanes.h). Returns 0 or -errno.
int dp_handoff_connect(struct dp_worker *const *workers, unsigned count, unsigned to)
	__attribute__((warn_unused_result));
// Frees the rings to a worker, and the packets in them.
void dp_handoff_free(struct dp_worker *w);
// Notes that an opened packet is to go to the owner of its context.
void dp_handoff(struct dp_worker *w, struct pkt_vec *vec, unsigned slot, unsigned owner);
// Hands all of a burst that were noted to their owners, in the order of arrival, or counts their
// drop.
void dp_handoff_send(struct dp_worker *w, struct pkt_vec *vec);
// Fills vec with packets from another worker: how many came.
unsigned dp_handoff_take(struct dp_worker *w, unsigned from, struct pkt_vec *vec);
// Hands an ACK or RST to the worker that made its message id. The worker sees it after
// dp_lanes_call(). Returns the counter in which it ends.
enum dp_stat dp_handoff_ack(struct dp_worker *w, const struct dp_flow *flow, uint8_t type,
	uint16_t mid, unsigned owner);
// Takes those that another worker received: how many came.
unsigned dp_handoff_acks(struct dp_worker *w, unsigned from);

#endif
