// SPDX-License-Identifier: BSD-3-Clause
// Tells main of observations, see observed.h in dataplane/shared.

#ifndef POSTERN_DATAPLANE_WORKER_OBSERVED_H
#define POSTERN_DATAPLANE_WORKER_OBSERVED_H

#include "dataplane/shared/observed.h"
#include "dataplane/worker/worker.h"

// The question of main, or NULL if there is none.
static inline struct dp_observed_ask *dp_observed_asked(const struct dp_worker *w)
{
	struct dp_observed_ask *ask = w->observed_ask;

	return unlikely(__atomic_load_n(&ask->state, __ATOMIC_ACQUIRE) == DP_OBSERVED_ASKED) ? ask
											     : NULL;
}

// Whether an observation is of the device and the path that are asked about.
bool dp_observed_matches(
	const struct dp_worker *w, const struct dp_observed_question *question, uint32_t index);
// Looks at some places. Returns how many.
unsigned dp_observed_tell(struct dp_worker *w, struct dp_observed_ask *ask);
// The answer is complete: it is main's.
void dp_observed_done(struct dp_worker *w, struct dp_observed_ask *ask);

#endif
