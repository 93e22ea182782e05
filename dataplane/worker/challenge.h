// SPDX-License-Identifier: BSD-3-Clause
// Echo challenges (RFC 8613 appendix B.1.2, RFC 9175): for windows that are not known, for
// suspicions, and for freshness.

#ifndef POSTERN_DATAPLANE_WORKER_CHALLENGE_H
#define POSTERN_DATAPLANE_WORKER_CHALLENGE_H

#include "dataplane/worker/worker.h"

// Answers with a protected 4.01 and an Echo value of this phase, under this own Partial IV.
void dp_challenge_send(
	struct dp_worker *w, struct pkt_vec *vec, unsigned slot, uint64_t phase, uint64_t own_piv);
// Makes the plaintext of a challenge: 4.01 and an Echo value of this phase, whatever No-Response
// says.
void dp_challenge_write(struct dp_worker *w, struct pkt_answer *answer, uint64_t phase);
// Whether a verified request brings a value of this phase.
bool dp_echo_brought(
	const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, uint64_t phase);

#endif
