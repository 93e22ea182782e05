// SPDX-License-Identifier: BSD-3-Clause
// What a worker does under overload (state/overload.h): it counts rungs of the ladder, and drops by
// them.

#ifndef POSTERN_DATAPLANE_WORKER_SHED_H
#define POSTERN_DATAPLANE_WORKER_SHED_H

#include "dataplane/worker/worker.h"

// Counts a rung that was entered.
void dp_rung_entered(struct dp_worker *w, enum dp_rung rung);
// Drops, on the upper rungs, what the worker does not take now. It runs before anything is
// decrypted or committed: a packet that is dropped here is new when it comes again.
void dp_shed(struct dp_worker *w, struct pkt_vec *vec);
// Looks how many exchanges are in use: before each burst, for the ladder.
static inline void dp_exchanges_watch(struct dp_worker *w)
{
	enum dp_rung rung = dp_overload_exchanges(&w->overload,
		w->exchanges->shared.count - w->exchanges->free_count -
			dp_unacked_count(w->unacked));

	if (rung)
		dp_rung_entered(w, rung);
}

#endif
