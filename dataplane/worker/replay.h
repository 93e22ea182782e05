// SPDX-License-Identifier: BSD-3-Clause
// Stages 7, 8 and 10: whether a request is new.

#ifndef POSTERN_DATAPLANE_WORKER_REPLAY_H
#define POSTERN_DATAPLANE_WORKER_REPLAY_H

#include "dataplane/worker/worker.h"

// Stages 7 and 8: keeps what the window lets pass, and what is verified as a probe.
void dp_window(struct dp_worker *w, struct pkt_vec *vec);
// Stage 10, in order of arrival: the only place where a window moves, after the tag verified. What
// is kept is accepted.
void dp_commit(struct dp_worker *w, struct pkt_vec *vec);

#endif
