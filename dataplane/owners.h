// SPDX-License-Identifier: BSD-3-Clause
// Main and the workers that own contexts: removal of devices, contexts that drain, events and
// commands. A part of dp.h.

#ifndef POSTERN_DATAPLANE_OWNERS_H
#define POSTERN_DATAPLANE_OWNERS_H

#include "dataplane/shared/context.h"
#include "dataplane/shared/event.h"

#include <stdbool.h>
#include <stdint.h>

struct dp;

// Removes a device: from now on no new request of it is accepted, and those in flight are
// abandoned. dp_poll() wipes and frees its place once no worker can hold it. Returns 0, -ENOENT or
// -ENOMEM.
int dp_device_remove(struct dp *dp, const struct dp_context_key *key)
	__attribute__((warn_unused_result));
// The same, but what is in flight is answered under the keys of the context still: for a device
// that gets other keys. From now on no look-up finds the context; its owner is told, after a move
// of the context that is under way, and accepts nothing of it then, not even what is in its rings.
// Its generation lives on until nothing is in flight, or the longest deadline of any request has
// passed; then dp_poll() hands out DP_EVENT_DRAINED, and retires it. If
// dp_context_table.draining_max drain, the oldest of them is retired at once. -ENOENT or -ENOMEM.
int dp_context_drain(struct dp *dp, const struct dp_context_key *key)
	__attribute__((warn_unused_result));
// Retires a context that drains at once: what is in flight is abandoned. Does nothing if it does
// not drain any more.
void dp_context_drain_end(struct dp *dp, uint32_t context, uint32_t generation);
// Contexts that drain.
unsigned dp_contexts_draining(const struct dp *dp);
// Returns whether a device with this sender key was removed and a worker may still seal with it.
// Until dp_poll() has ended that, the key must not be published again: a late answer of the old
// context could have the nonce of an answer of the new one.
bool dp_key_retiring(const struct dp *dp, enum aead_alg alg, const uint8_t *sender_key);
// Contexts whose place is not free yet and that a worker will let go of in moments; not those that
// drain.
unsigned dp_devices_retiring(const struct dp *dp);

// Takes a bounded number of events of each worker, calls `event` for each that main must decide on,
// ends the draining of contexts, and frees the places of removed devices that no worker can hold
// any more.
void dp_poll(struct dp *dp, void (*event)(void *arg, const struct dp_event *event), void *arg);
// Sends a raised base to the owner of a context, after DP_EVENT_RUN_BASE_WANTED and when the base
// is durable. Returns 0, -ENOENT if no worker owns it, or -EAGAIN if the owner's ring is full or
// the context is about to get another owner.
int dp_run_base_raise(struct dp *dp, uint32_t context, uint32_t generation, uint32_t run_base)
	__attribute__((warn_unused_result));
// The same for a raised mark, after DP_EVENT_MARK_WANTED.
int dp_mark_raise(struct dp *dp, uint32_t context, uint32_t generation, uint64_t mark)
	__attribute__((warn_unused_result));
// Has dp_context_resync() done by the owner of a live context, or does it if no worker owns it.
// Returns as dp_run_base_raise(); -ENOENT also if the context is not of this generation.
int dp_resync(struct dp *dp, uint32_t context, uint32_t generation, uint64_t from)
	__attribute__((warn_unused_result));

#endif
