// SPDX-License-Identifier: BSD-3-Clause
// A context goes to the worker where its packets arrive, after a NAT gave its device another port
// or a NIC spreads packets otherwise: what is handed over costs more.
//
// The owner asks main, main commands it to the owner, and the owner gives the context away if
// nothing of it is under way then; main sends it no other command between (dataplane/owners.c). So
// each command finds the owner. Only accepted requests count: nobody else moves a context.
//
// Recorded answers stay where they are. As long as a device waits for an answer to a request of
// before (MAX_TRANSMIT_WAIT of RFC 7252 section 4.8.2, 93 s with an ACK_TIMEOUT of 2 s), the new
// owner hands what its window has seen, and it has no answer to, to the one before.

#ifndef POSTERN_DATAPLANE_WORKER_MOVE_H
#define POSTERN_DATAPLANE_WORKER_MOVE_H

#include "dataplane/worker/worker.h"

#define DP_MOVE_AFTER 8 // requests in a row that arrived at the same other worker
// MAX_TRANSMIT_WAIT in seconds.
#define DP_MOVE_COPIES_S(ack_timeout_ms) ((ack_timeout_ms)*UINT64_C(31) * 3 / 2 / 1000)

// The owner has accepted a request that arrived at worker `from`.
void dp_move_note(struct dp_worker *w, uint32_t index, const struct dp_context *ctx, unsigned from);
// A request that arrived elsewhere is under way no more. The owner asks again, as what is asked
// when a request is accepted comes too late, if that one goes to a backend.
void dp_move_note_end(struct dp_worker *w, uint32_t index, const struct dp_context *ctx);
// Gives a live context that this worker owns to another one, unless anything of it is under way.
void dp_move(struct dp_worker *w, uint32_t index, unsigned to);
// The worker that may have the answer to a request of a context that this worker owns: it was its
// owner lately. DP_OWNER_NONE: there is none.
uint8_t dp_move_previous(const struct dp_worker *w, uint32_t index);

#endif
