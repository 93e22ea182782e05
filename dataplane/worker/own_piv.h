// SPDX-License-Identifier: BSD-3-Clause
// Partial IVs of the gateway's own (docs/nonces.md): run and counter, or the clock.

#ifndef POSTERN_DATAPLANE_WORKER_OWN_PIV_H
#define POSTERN_DATAPLANE_WORKER_OWN_PIV_H

#include "dataplane/worker/worker.h"

// Uses up the next own Partial IV of a context, for what is owed one: the answer to a request that
// was accepted. false: there is none now, and why not. Where it needs a run and none is granted
// yet, it asks main for one; where the counter is used up, for a higher base.
bool dp_own_piv(struct dp_worker *w, uint32_t index, struct dp_context *ctx, uint64_t *piv,
	enum dp_stat *why_not);
// The same for what is owed none, a notification or a challenge: false, too, if only those are left
// that are owed to requests under way.
bool dp_own_piv_spare(struct dp_worker *w, uint32_t index, struct dp_context *ctx, uint64_t *piv,
	enum dp_stat *why_not);
// The same without using it up: whether one more answer could have one, beside so many that are
// owed.
bool dp_own_piv_ready(struct dp_worker *w, uint32_t index, struct dp_context *ctx, unsigned owed,
	enum dp_stat *why_not);

#endif
