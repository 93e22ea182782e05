// SPDX-License-Identifier: BSD-3-Clause
// Messages of sessions from elsewhere than their devices, see dataplane/shared/stranger.h.

#ifndef POSTERN_DATAPLANE_WORKER_STRANGERS_H
#define POSTERN_DATAPLANE_WORKER_STRANGERS_H

#include "dataplane/worker/worker.h"

// Drops those that are too many, before they are opened.
void dp_strangers(struct dp_worker *w, struct pkt_vec *vec);
// The owner of a session accepted a request.
void dp_strangers_accepted(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, struct dp_context *ctx);

#endif
