// SPDX-License-Identifier: BSD-3-Clause
// Stages 3 to 6 and 9: from an outer message to a plaintext. Each keeps the packets that pass; the
// others are counted and end there.

#ifndef POSTERN_DATAPLANE_WORKER_RECEIVE_H
#define POSTERN_DATAPLANE_WORKER_RECEIVE_H

#include "dataplane/worker/worker.h"

// Stages 3 and 4: parses messages and OSCORE options. ACKs and RSTs are acted on, and end here.
void dp_parse(struct dp_worker *w, struct pkt_vec *vec);
// Stages 5 and 6: finds the contexts, and whether another worker owns them.
void dp_lookup(struct dp_worker *w, struct pkt_vec *vec);
// Stage 9: verifies and decrypts in place, grouped by algorithm. Packets keep their order.
void dp_open(struct dp_worker *w, struct pkt_vec *vec);

#endif
