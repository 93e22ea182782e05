// SPDX-License-Identifier: BSD-3-Clause
// Messages whose keys the gateway does not have, on their way to an HTTP service and back (RFC 8613
// section 11.2). Nothing of them can be verified, so all that a sender is given is bounded by where
// it sends from: a rate, places at the upstream loops, what is remembered of it; and what it is
// sent, by what it has sent, until it shows by Echo that it receives that (RFC 9175 section 2.4).

#ifndef POSTERN_DATAPLANE_WORKER_PASSTHROUGH_H
#define POSTERN_DATAPLANE_WORKER_PASSTHROUGH_H

#include "dataplane/worker/worker.h"

#define DP_PASS_TAG               8 // last bytes of a ciphertext, by which copies are told
#define DP_PASS_AMPLIFICATION_MAX 3 // RFC 9175 section 2.4

// Returns 0 or -ENOMEM.
int dp_pass_init(struct dp_worker *w) __attribute__((warn_unused_result));
void dp_pass_free(struct dp_worker *w);

// A message with a name that no device has, while something is passed through. True if it has a
// name of that: then it ends here. Else nothing is done.
bool dp_pass_take(struct dp_worker *w, struct pkt_vec *vec, unsigned slot) __attribute__((cold));

// The handle of such an exchange came back: sends the answer, or ends it.
void dp_pass_returned(struct dp_worker *w, uint32_t index) __attribute__((cold));
// Its deadline has passed.
void dp_pass_timed_out(struct dp_worker *w, uint32_t index) __attribute__((cold));

// For both files of this. Whether an endpoint has shown that it receives what is sent to it.
bool dp_pass_is_shown(const struct dp_worker *w, const struct dp_flow *flow);
// What an endpoint is to send back to show that.
void dp_pass_echo_make(
	const struct dp_worker *w, const struct dp_flow *flow, uint8_t echo[DP_ECHO_LEN]);
// The count of what a network has under way of an entry with this slot.
uint16_t *dp_pass_prefix_in_flight(
	const struct dp_worker *w, const struct dp_flow *flow, uint16_t slot);

#endif
