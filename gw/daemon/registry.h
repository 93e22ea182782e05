// SPDX-License-Identifier: BSD-3-Clause
// What the control plane knows of each context in the data plane: which device it is. Indexed as
// the context table; main writes, an upstream loop may ask for a name.

#ifndef POSTERN_GW_DAEMON_REGISTRY_H
#define POSTERN_GW_DAEMON_REGISTRY_H

#include "dataplane/dp.h"
#include "gw/store/store.h"

#include <stdbool.h>

struct registry_entry {
	uint64_t id;         // struct device_keyed; 0: nobody
	uint32_t generation; // of the context; even while the entry changes
	char name[DEVICE_NAME_MAX + 1];
};

// A device whose keys a worker may still seal with, in the place of one that was removed.
struct registry_waiting;

struct registry {
	struct dp *dp;
	struct registry_entry *entry; // [max]
	uint64_t *taken;              // a bit for each entry with a device
	uint32_t max;
	struct registry_waiting *waiting; // in the order in which they came
	struct registry_waiting **waiting_end;
	uint32_t clock_count; // devices with DEVICE_OWN_PIV_CLOCK
};

// Returns 0 or -ENOMEM.
int registry_init(struct registry *registry, struct dp *dp, uint32_t max_devices)
	__attribute__((warn_unused_result));
void registry_fini(struct registry *registry);

// Takes a device into the data plane, in place of one with the same ids. Returns 0 or -errno. One
// that needs a resync is not taken, which is no failure. One with keys that were retired just now
// is taken by registry_turn() when no worker can seal with them any more, and one for which there
// is no place when one that was removed is gone. One that has changed (struct device_keyed) only
// gets its limits, where it is: in the data plane or among those that wait.
int registry_add(struct registry *registry, const struct device_keyed *device)
	__attribute__((warn_unused_result));
// After a resync that is durable: takes the device in if it is not there, else forgets its window,
// or with DEVICE_FLOOR goes on at `from` unless it is beyond that. Returns 0, -EAGAIN if its owner
// is too busy to be told now, or another -errno.
int registry_resync(struct registry *registry, const struct device_keyed *device, uint64_t from)
	__attribute__((warn_unused_result));
// Takes a device out of it; no new request of it is accepted on return. Returns 0 or -ENOENT.
int registry_remove(struct registry *registry, const struct device_info *info)
	__attribute__((warn_unused_result));
// In each turn of main, after dp_poll(): takes in the devices that waited for their keys.
void registry_turn(struct registry *registry);
// Whether a device waits for that.
bool registry_waits(const struct registry *registry, uint64_t id);
// Context of a device that the store knows, or NULL if it is not in the data plane.
const struct dp_context *registry_find(
	const struct registry *registry, const struct device_info *info, uint32_t *index);
// Index of the first entry with a device, from `from` on; registry->max if there is none.
uint32_t registry_next(const struct registry *registry, uint32_t from);
// Entry of a context that an event names, or NULL if it is another device's by now.
const struct registry_entry *registry_get(
	const struct registry *registry, uint32_t context, uint32_t generation);

// From any thread: the name of the device behind a context; false if it is gone. `registry` is a
// struct registry.
bool registry_name(void *registry, uint32_t context, uint32_t generation, char *buf, size_t room);

#endif
