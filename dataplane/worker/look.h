// SPDX-License-Identifier: BSD-3-Clause
// What a worker copies while main looks: frames in and out, or opened messages. No system call, no
// allocation, no lock; what finds no room in the ring is counted there.

#ifndef POSTERN_DATAPLANE_WORKER_LOOK_H
#define POSTERN_DATAPLANE_WORKER_LOOK_H

#include "dataplane/worker/worker.h"

// At the start of each turn: reads whether somebody looks.
static inline void dp_looks_read(struct dp_worker *w)
{
	w->looked = false;
	for (unsigned kind = 0; kind < DP_LOOK_COUNT; kind++) {
		w->look[kind] = __atomic_load_n(&w->current_looks[kind], __ATOMIC_ACQUIRE);
		w->looked |= w->look[kind] != NULL;
	}
}

// The functions below are called while somebody looks: w->looked.

// Copies the frames of a burst, classified, as they came.
void dp_look_received(struct dp_worker *w, const struct pkt_vec *vec);
// Before a stage, for the packets that are left: copies what was accepted, opened, and learns where
// verified packets of a device come from.
void dp_look_stage(struct dp_worker *w, const struct pkt_vec *vec, enum dp_stage stage);
// Copies the answers of the batch that ready[] lists, before they are sealed.
void dp_look_answers(struct dp_worker *w, const uint8_t *ready, unsigned n);
// In the place of rte_eth_tx_burst() for what a port has queued: copies what the driver takes.
unsigned dp_look_send(struct dp_worker *w, struct dp_worker_port *port);

#endif
