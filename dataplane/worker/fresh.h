// SPDX-License-Identifier: BSD-3-Clause
// Freshness on demand (RFC 9175 section 2.3): OSCORE shows that a request is new to us, not when it
// was made, so who can hold back a packet chooses the moment at which an actuator moves. A route
// may ask for an Echo value of some seconds at most.

#ifndef POSTERN_DATAPLANE_WORKER_FRESH_H
#define POSTERN_DATAPLANE_WORKER_FRESH_H

#include "dataplane/worker/inner.h"
#include "dataplane/worker/worker.h"

#define DP_FRESH_PER_SECOND 16 // challenges to one context

// The age in milliseconds of the Echo value that a request in a slot brings, or DP_ECHO_NONE. That
// which opened the window counts as one that was made for freshness.
uint64_t dp_fresh_age(const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	const struct dp_inner *inner);
// Whether a request to a route that asks for freshness must show it: it is performed now. Blocks of
// a body that others follow, and later blocks of an answer, are not; the last block of a body is,
// whatever it asks of the answer.
bool dp_fresh_due(const struct dp_inner *inner);
// Takes a challenge from the budget of a context. false: there were too many this second.
bool dp_fresh_take(struct dp_worker *w, uint32_t context);
// Whether the plaintext of an answer of an upstream loop asks for a challenge in its place: 4.01
// with an Echo option that is empty.
bool dp_fresh_asked(const uint8_t *plaintext, uint16_t len);

#endif
