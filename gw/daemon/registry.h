// SPDX-License-Identifier: BSD-3-Clause
// Which device each context of the data plane belongs to. Indexed as the context table. Main writes
// it; HTTP loops read names.

#ifndef POSTERN_GW_DAEMON_REGISTRY_H
#define POSTERN_GW_DAEMON_REGISTRY_H

#include "dataplane/dp.h"
#include "gw/daemon/policies.h"
#include "gw/handshake/credentials.h"
#include "gw/store/store.h"
#include "gw/store/vault.h"

#include <stdbool.h>

// The top bit of an id: a session of EDHOC, which has no row in the store. The name is that of its
// device.
#define REGISTRY_SESSION (UINT64_C(1) << 63)

#define REGISTRY_CREDENTIAL 8 // bytes that are kept of the SHA-256 of a session's credential

struct registry_entry {
	uint64_t id;         // struct device_keyed; 0: no device
	uint32_t generation; // of the context; even while the entry changes
	// The context that the device had before, which may drain still: one of each device may.
	uint32_t drains, drains_generation; // generation 0: none
	char name[DEVICE_NAME_MAX + 1];
	uint8_t credential[REGISTRY_CREDENTIAL]; // of a session, see struct registry_agreed; or
						 // zeros
};

// A device that is stored but cannot be served yet; registry_add() says why.
struct registry_waiting;

struct registry {
	struct dp *dp;
	struct registry_entry *entry; // [max]
	uint64_t *taken;              // a bit for each entry with a device
	uint32_t max;
	struct registry_waiting *waiting; // in the order in which they came
	struct registry_waiting **waiting_end;
	struct vault *vault; // of devices that derive contexts; the owner sets it; NULL: none
	struct credentials *credentials; // of devices, for EDHOC; the same
	uint32_t clock_count;            // devices with DEVICE_OWN_PIV_CLOCK
	struct policies policies;        // that the devices name, and the configuration has
	// Called when a context is gone: its device was removed, or has another context and this
	// one has drained. It has no name any more. NULL: nobody asks.
	void (*gone)(void *arg, uint32_t context, uint32_t generation);
	void *gone_arg;
};

// Returns 0 or -ENOMEM.
int registry_init(struct registry *registry, struct dp *dp, uint32_t max_devices)
	__attribute__((warn_unused_result));
void registry_fini(struct registry *registry);

// Publishes a device to the data plane, in place of any other with the same ids, whose context
// drains: what is in flight is answered under its keys still. Returns 0 or -errno. A device that
// needs a resync is not published, and that is no failure. A device waits for
// registry_turn() if a worker may still seal with the same keys of a device that was removed, or if
// only removed devices, which are not gone yet, have the places in the table. With
// device->changed it only gets its new limits, in the data plane or while it waits.
int registry_add(struct registry *registry, const struct device_keyed *device)
	__attribute__((warn_unused_result));
// After a resync is on the disk: publishes the device if it is not live. Else its worker forgets
// the window, or with DEVICE_FLOOR goes on at `from` unless it is beyond that. Returns 0, -EAGAIN
// if the worker has no room for the command now, or another -errno.
int registry_resync(struct registry *registry, const struct device_keyed *device, uint64_t from)
	__attribute__((warn_unused_result));
// Whether this device, with these keys, is served or waits.
bool registry_has(const struct registry *registry, const struct device_keyed *device);
// The same for a device that was `before` and has other keys, and maybe other ids, now.
int registry_rotate(struct registry *registry, const struct device_info *before,
	const struct device_keyed *device) __attribute__((warn_unused_result));
// The same for a device that derived another context (store_rederive()): its own Partial IVs go on
// where those of the context before stand. *context and *generation are those of the new one,
// generation 0 if the device waits for its place (see registry_turn()).
int registry_rederive(struct registry *registry, const struct device_keyed *device,
	uint32_t *context, uint32_t *generation) __attribute__((warn_unused_result));
// The run base that the context which a device derives needs: that of the context before, or one
// more if the counter of that one is nearly used up.
uint32_t registry_next_base(const struct registry *registry, uint32_t context);
// After DP_EVENT_DRAINED: the context has no name any more.
void registry_drained(struct registry *registry, uint32_t context, uint32_t generation);
// Removes a device from the data plane: on return no new request of it is accepted. Returns 0 or
// -ENOENT.
int registry_remove(struct registry *registry, const struct device_info *info)
	__attribute__((warn_unused_result));
// How a session of EDHOC came about.
struct registry_agreed {
	const struct dp_flow *from;
	const uint8_t *
		credential; // SHA-256 of the device's; its first REGISTRY_CREDENTIAL bytes are kept
};

// Publishes a session of EDHOC, with an id that has REGISTRY_SESSION. Returns 0 or -errno: -EEXIST
// if a device has its kid, -ENOSPC or -EAGAIN if there is no place.
int registry_session_add(struct registry *registry, const struct device_keyed *session,
	const struct registry_agreed *agreed, uint32_t *context, uint32_t *generation)
	__attribute__((warn_unused_result));
// The device of a session has other settings.
void registry_session_limit(struct registry *registry, uint32_t context, uint32_t generation,
	const struct device_settings *settings);
// A session is over: its next request is answered 4.01, whatever it asks for.
void registry_session_over(struct registry *registry, uint32_t context, uint32_t generation);
// Ends one: what is in flight is answered under its keys. No effect if it is not there any more.
void registry_session_end(struct registry *registry, uint32_t context, uint32_t generation);
// In each turn of main, after dp_poll(): publishes devices that need not wait any longer.
void registry_turn(struct registry *registry);
// Whether a device waits.
bool registry_waits(const struct registry *registry, uint64_t id);
// The context of a stored device and its index, or NULL if it is not live.
const struct dp_context *registry_find(
	const struct registry *registry, const struct device_info *info, uint32_t *index);
// Index of the first entry with a device, from `from` on; registry->max if there is none.
uint32_t registry_next(const struct registry *registry, uint32_t from);
// The entry of the context that an event names, or NULL if the context is another device's by now.
const struct registry_entry *registry_get(
	const struct registry *registry, uint32_t context, uint32_t generation);

// Copies the name of the device behind a context to buf, with a 0 at the end. Returns false if the
// device is gone or the name has no room. For any thread. `registry` is a struct registry.
bool registry_name(void *registry, uint32_t context, uint32_t generation, char *buf, size_t room);
// The same: sets what is known of the credential of a session. False if it is none, or gone.
bool registry_credential(void *registry, uint32_t context, uint32_t generation,
	uint8_t credential[REGISTRY_CREDENTIAL]);

#endif
