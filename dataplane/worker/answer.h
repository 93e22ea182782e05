// SPDX-License-Identifier: BSD-3-Clause
// Answers on their way into the batch, which dp_answers_flush() seals and sends.

#ifndef POSTERN_DATAPLANE_WORKER_ANSWER_H
#define POSTERN_DATAPLANE_WORKER_ANSWER_H

#include "dataplane/worker/worker.h"

// Diagnostic of an answer that the device would not take.
#define DP_TOO_LARGE "Answer is too large for the device"

// Writes what stands in front of the ciphertext of an answer without Partial IV of its own, around
// the token of at most 8 bytes that is there or will be; returns its length. The outer code is the
// same for all answers (RFC 8613 section 4.2), and the OSCORE option is empty.
static inline unsigned dp_answer_head(
	uint8_t *coap, enum coap_type type, uint16_t mid, unsigned token_len)
{
	uint8_t *option = coap + 4 + token_len;

	coap[0] = COAP_VERSION << 6 | type << 4 | token_len;
	coap[1] = COAP_CHANGED;
	coap[2] = mid >> 8;
	coap[3] = mid & 0xff;
	option[0] = COAP_OPT_OSCORE << 4;
	option[1] = COAP_PAYLOAD_MARK;
	return 4 + token_len + 2;
}

// Adds an answer to the batch, zeroed but for exchange and recorded. The caller makes sure of room:
// a burst has at most one answer a slot, and other stages ask dp_answer_room().
struct pkt_answer *dp_answer_add(struct dp_worker *w);
// How many more answers the batch takes before it is flushed.
static inline unsigned dp_answer_room(const struct dp_worker *w)
{
	return DP_ANSWERS_BATCH - w->batch.n;
}
// Adds an answer to the request of an exchange.
struct pkt_answer *dp_answer_to_exchange(struct dp_worker *w, uint32_t index);
// Adds an answer to the request in a slot of the burst. Its flow and token are read from the packet
// until the batch is flushed.
struct pkt_answer *dp_answer_to_slot(struct dp_worker *w, struct pkt_vec *vec, unsigned slot);
// Makes the plaintext of an answer: a code, Max-Age of that many seconds, a diagnostic or NULL.
void dp_answer_error(struct dp_worker *w, struct pkt_answer *answer, uint8_t code, uint32_t max_age,
	const char *diagnostic);

#endif
