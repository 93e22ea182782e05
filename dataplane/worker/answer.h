// SPDX-License-Identifier: BSD-3-Clause
// Answers on their way into the batch, which dp_answers_flush() seals and sends.

#ifndef POSTERN_DATAPLANE_WORKER_ANSWER_H
#define POSTERN_DATAPLANE_WORKER_ANSWER_H

#include "dataplane/worker/worker.h"

// Diagnostic of an answer that the device would not take.
#define DP_TOO_LARGE "Answer is too large for the device"

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
