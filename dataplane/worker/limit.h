// SPDX-License-Identifier: BSD-3-Clause
// What a key has been through: messages under it, and tags that did not verify. Each limit that is
// reached is reported to main once. An event that found a full ring is sent again with the next
// packet that counts.

#ifndef POSTERN_DATAPLANE_WORKER_LIMIT_H
#define POSTERN_DATAPLANE_WORKER_LIMIT_H

#include "dataplane/worker/worker.h"

// After a request was accepted with more than half of DP_LIMIT_USES, where window.next was `before`
// it.
void dp_limit_uses(
	struct dp_worker *w, uint32_t index, const struct dp_context *ctx, uint64_t before);
// A message goes out under an own Partial IV that is not the answer to an accepted request: a
// notification or a challenge. It takes one of the uses of the sender key, as a request does.
void dp_limit_own(struct dp_worker *w, uint32_t index, const struct dp_context *ctx);
// After `count` tags did not verify under a context of this generation, whoever owns it.
void dp_limit_forged(struct dp_worker *w, uint32_t index, uint32_t generation, uint32_t count);

#endif
