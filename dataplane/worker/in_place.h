// SPDX-License-Identifier: BSD-3-Clause
// Answers in the buffers of their requests: what the worker itself answers goes back in the mbuf
// that the request came in. Addresses are swapped where they stand, the token stays, and nonce and
// AAD are those with which the request was opened. No buffer is taken or freed, and nothing is
// copied but an echoed payload, within the packet.
//
// The buffer of a request that another worker received is that worker's. Its answer is made there,
// too, but then the frame is copied into a buffer of this one, and the other goes back at the end
// of the burst: the driver takes what it has sent into this lcore's cache of the buffer's pool.
//
// This is the usual case only: the first answer, without Partial IV of its own, to a packet whose
// op is known, made of nothing but the request or of what is stored. All else is a struct
// pkt_answer (answer.h), and the bytes on the wire are the same.

#ifndef POSTERN_DATAPLANE_WORKER_IN_PLACE_H
#define POSTERN_DATAPLANE_WORKER_IN_PLACE_H

#include "dataplane/worker/worker.h"

// Whether the answer to a slot of the burst can go back in its buffer.
static inline bool dp_in_place_possible(
	const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	const struct dp_context *ctx = &w->contexts->context[vec->context[slot]];

	// An answer of so short a token is never longer than any request.
	return w->fast_paths && vec->op_of[slot] != DP_OP_NONE && !vec->again[slot] &&
		vec->msg[slot].token_len <= 8 && !(ctx->flags & DP_CONTEXT_OWN_PIV) &&
		(vec->from != w->id || vec->mbuf[slot]->pool == w->pool) &&
		dp_frame_can_return(vec->mbuf[slot], &vec->net[slot]);
}

// Adds the answer to a slot for which that is so, to the batch that dp_answers_flush() seals. The
// plaintext is copied; it may stand in the packet, not in front of where the request's stands, and
// is no longer than that. From here on the packet is no request any more.
void dp_in_place_add(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const uint8_t *plaintext, uint16_t len);
// Whether there is room in the packet's buffer for so many bytes from where the plaintext stands,
// which may be more than the request had.
bool dp_in_place_fits(
	const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, uint32_t len);
// The same as dp_in_place_add() for an answer that fits, and does not follow from the request
// alone: its bytes are recorded, and a copy of the request gets them. begin() returns where the
// plaintext goes, and the request is gone; then the caller writes it, and calls end().
uint8_t *dp_in_place_keep_begin(struct dp_worker *w, struct pkt_vec *vec, unsigned slot);
void dp_in_place_keep_end(
	struct dp_worker *w, struct pkt_vec *vec, unsigned slot, uint8_t *text, uint16_t len);
// Gives answer i of the batch its message id, if it is not an ACK: in the order of the batch, so
// that answers made in either way share an endpoint's ids.
void dp_in_place_prepare(struct dp_worker *w, unsigned i);
// Finds a buffer of this worker for each of the batch that ready[] lists and whose packet another
// worker received, or none.
void dp_in_place_buffers(struct dp_worker *w, const uint8_t *ready, unsigned n);
// Records answer i of the batch when it is sealed, and sends it. The packet is no longer the
// burst's then. A copy of the request is answered by sealing the same again, or by the bytes.
void dp_in_place_send(struct dp_worker *w, unsigned i);

#endif
