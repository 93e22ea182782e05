// SPDX-License-Identifier: BSD-3-Clause
// Registrations (RFC 7641 section 4.1): requests with Observe to routes that allow it. Every answer
// to one has an own Partial IV (RFC 8613 section 4.1.3.5), the first too; where there is none to be
// had, no room, or nothing that can be observed, the answer is a plain one.

#ifndef POSTERN_DATAPLANE_WORKER_OBSERVE_H
#define POSTERN_DATAPLANE_WORKER_OBSERVE_H

#include "dataplane/shared/representation_answer.h"
#include "dataplane/worker/inner.h"
#include "dataplane/worker/worker.h"

// What a notification of a representation may rely on, in whole seconds: its Max-Age. 0: nothing
// now.
uint32_t dp_observe_age(const struct dp_worker *w, const struct dp_representation *rep);
// How long after a notification with that Max-Age the same is sent again, in milliseconds.
uint64_t dp_observe_refresh_ms(struct dp_worker *w, const struct dp_observation *o,
	const struct dp_representation *rep, uint32_t age);
// How many bytes of plaintext a notification may have.
struct dp_rep_room dp_observe_room(
	struct dp_worker *w, const struct dp_flow *flow, uint16_t token_len, uint32_t context);

// Whether a notification has to be the first block of a representation. Of a FETCH none is: the
// device may ask for later blocks without saying what it asked for, so that a loop has to keep them
// for it.
bool dp_observe_needs_blocks(const struct dp_representation *rep, const struct dp_rep_room *room);
// Writes a notification. If it is the first block, what is in the slot is kept for the others.
uint16_t dp_observe_write(const struct dp_worker *w, uint32_t slot,
	const struct dp_representation *rep, uint8_t szx, uint32_t age,
	const struct dp_rep_room *room, uint8_t *out);

// Acts on the Observe option of a request to a route that allows it. Ends a registration that is
// taken back; registers and answers with what is stored. Returns the code of the answer, 0 if the
// request is to go on as one without Observe, or to be registered when its answer is there. *ends:
// what is stored is fresh for less than a second, so that it is no answer to a registration, and
// the loop asks for it first.
uint8_t dp_observe(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct dp_inner *inner, const struct dp_route *route, bool *ends);
// The answer to a registration came back from its loop: registers, and writes the first
// notification into its place, if what the loop has published of it can be observed.
void dp_observe_returned(struct dp_worker *w, uint32_t exchange, struct pkt_answer *answer);

#endif
