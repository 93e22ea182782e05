// SPDX-License-Identifier: BSD-3-Clause
// How large the answer to a request may be.

#ifndef POSTERN_DATAPLANE_WORKER_ROOM_H
#define POSTERN_DATAPLANE_WORKER_ROOM_H

#include "dataplane/worker/worker.h"

// Largest response plaintext that fits one datagram with an own Partial IV, and that the device
// takes.
uint16_t dp_response_max(struct dp_worker *w, uint16_t port_id, uint8_t family, uint16_t token_len,
	const struct dp_context *ctx);

#endif
