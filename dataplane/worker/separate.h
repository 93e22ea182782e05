// SPDX-License-Identifier: BSD-3-Clause
// Separate answers (RFC 7252 section 5.2.2): a confirmable request whose backend is slow gets an
// empty ACK, and its answer later as a confirmable message of ours, which is sent again until it is
// acknowledged, rejected, or given up (section 4.2).
//
// An answer is sealed once: what is sent again are its bytes, which its exchange keeps. So an
// exchange is taken until the ACK comes, at most 93 s after the answer with an ACK_TIMEOUT of 2 s;
// but a new request that finds none free takes one of the device that holds most.

#ifndef POSTERN_DATAPLANE_WORKER_SEPARATE_H
#define POSTERN_DATAPLANE_WORKER_SEPARATE_H

#include "dataplane/worker/worker.h"

// The backend is slow: sends an empty ACK, unless there is no message id for the answer to come.
void dp_separate_begin(struct dp_worker *w, uint32_t index);
// Acts on a copy of a request whose exchange is still there, from where that came from. Returns the
// counter in which it ends.
enum dp_stat dp_separate_copy(
	struct dp_worker *w, uint32_t index, const struct dp_flow *flow, enum coap_type type);
// After the deadline of a request that got an empty ACK: makes an exchange like it, to deliver a
// 5.04 while the upstream loop holds this one. DP_INDEX_NONE if none is free.
uint32_t dp_separate_clone(struct dp_worker *w, uint32_t index);
// Before the separate answer of an exchange is sealed: it has a message id, and not too old a one.
// false, counted: there is none now.
bool dp_separate_mid(struct dp_worker *w, uint32_t index) __attribute__((warn_unused_result));
// A separate answer was sealed and is sent: keeps its bytes until the ACK.
void dp_separate_sent(
	struct dp_worker *w, const struct pkt_answer *answer, const uint8_t *coap, uint16_t len);
// It could not be sealed for now: keeps its plaintext for the next try.
void dp_separate_later(struct dp_worker *w, const struct pkt_answer *answer);
// No ACK in time: sends it once more, or gives up.
void dp_separate_again(struct dp_worker *w, uint32_t index);
// An ACK or RST of this worker's message id came, perhaps. Returns the counter in which it ends.
enum dp_stat dp_separate_acked(
	struct dp_worker *w, const struct dp_flow *flow, uint8_t type, uint16_t mid);

#endif
