// SPDX-License-Identifier: BSD-3-Clause
// Whether a device has started its sequence numbers again. It sends numbers that were seen then,
// but so does whoever recorded its packets: a verified old number is a suspicion and no more.
//
// There are two proofs. Another message was accepted under the same Partial IV, and its tag is
// still remembered: only the device can seal, so it sealed two. Or the device brings a fresh Echo
// value in a request with an old number again: nobody can have recorded that. The value is asked
// for at most once a minute, in a protected 4.01 under an own Partial IV, and only where nothing
// was accepted for MAX_TRANSMIT_WAIT, so that a copy on a slow way never makes a healthy device do
// a request again. A device without Echo (DP_CONTEXT_FLOOR) is never asked.

#ifndef POSTERN_DATAPLANE_WORKER_SUSPICION_H
#define POSTERN_DATAPLANE_WORKER_SUSPICION_H

#include "dataplane/worker/worker.h"

// What is remembered under the Partial IV of a request, by its tag.
enum dp_remembered {
	DP_REMEMBERED_NONE,
	DP_REMEMBERED_SAME,  // this message, perhaps in another envelope
	DP_REMEMBERED_OTHER, // another one
};

// Whether an old number could prove anything of this context here.
bool dp_suspicion_possible(const struct dp_worker *w, const struct dp_context *ctx);
// Before a request with an old number is verified, which is no copy of one that is known: whether
// it is worth that. One in a second and context is.
bool dp_suspicion_probe(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot);
// After it was verified: it ends here. in_burst: what of its burst was accepted under the same
// Partial IV.
void dp_suspicion(
	struct dp_worker *w, struct pkt_vec *vec, unsigned slot, enum dp_remembered in_burst);

#endif
