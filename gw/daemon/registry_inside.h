// SPDX-License-Identifier: BSD-3-Clause
// What the files of the registry have in common.

#ifndef POSTERN_GW_DAEMON_REGISTRY_INSIDE_H
#define POSTERN_GW_DAEMON_REGISTRY_INSIDE_H

#include "gw/daemon/registry.h"

// A context that drains, or none: generation 0.
struct drained {
	uint32_t context, generation;
};

// The name of a device in the table.
void registry_device_key(const struct registry *registry, const struct device_keyed *device,
	struct dp_context_key *key);
// Takes a place for a device and fills it. `before` is the context that it had, own_first where its
// own Partial IVs begin; credential: of a session, else NULL.
int registry_publish(struct registry *registry, const struct device_keyed *device,
	const struct drained *before, uint64_t own_first, const uint8_t *credential,
	uint32_t *index) __attribute__((warn_unused_result));
// The context keeps its name until it has drained, but is no device's any more. If the one before
// it drains still, that is over now: a device keeps two places at most.
int registry_drain_key(
	struct registry *registry, const struct dp_context_key *key, struct drained *drained);

#endif
