// SPDX-License-Identifier: BSD-3-Clause
// Answers from what the loops have published (shared/representation.h). A part of stage inner,
// behind the policy of the device, the route and its method: who may not ask is not answered from
// here either.

#ifndef POSTERN_DATAPLANE_WORKER_CACHED_H
#define POSTERN_DATAPLANE_WORKER_CACHED_H

#include "dataplane/worker/inner.h"
#include "dataplane/worker/worker.h"

// Answers a request to a route with a cache_id, if there is a fresh representation for it. Returns
// the code of the answer, 0 if there is none: a loop has to see to it.
uint8_t dp_cached(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct dp_inner *inner, const struct dp_route *route);

#endif
