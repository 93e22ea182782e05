// SPDX-License-Identifier: BSD-3-Clause
// Whether a packet is of those that are looked at.

#ifndef POSTERN_DATAPLANE_WORKER_LOOK_MATCH_H
#define POSTERN_DATAPLANE_WORKER_LOOK_MATCH_H

#include "dataplane/worker/worker.h"

// Whether a message that was classified names the device that is looked at. Nothing is verified.
bool dp_look_names(const struct dp_worker *w, const struct dp_look *look, const struct pkt_vec *vec,
	unsigned slot);

#endif
