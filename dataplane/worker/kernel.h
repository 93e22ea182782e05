// SPDX-License-Identifier: BSD-3-Clause
// Packets from and to the kernel, through main and its TAPs.

#ifndef POSTERN_DATAPLANE_WORKER_KERNEL_H
#define POSTERN_DATAPLANE_WORKER_KERNEL_H

#include "dataplane/worker/worker.h"

// Sends packets of the kernel: how many there were.
unsigned dp_kernel_take(struct dp_worker *w);
// Copies a packet that is not for the worker to the ring to the kernel, or counts its drop.
void dp_kernel_give(struct dp_worker *w, uint16_t port_id, const struct rte_mbuf *m);

#endif
