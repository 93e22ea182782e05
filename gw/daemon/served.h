// SPDX-License-Identifier: BSD-3-Clause
// How a device of the store is served: one that has keys by the data plane (registry.h), and one
// that has a credential once it has agreed on keys by EDHOC, which looks it up in the index of
// registry->credentials. Without EDHOC that is NULL, and such a device is only stored.
//
// The names of both are in the index, so that no rule of EDHOC makes another device of that name.
// If a device was replaced by one of another name, its own stays there until the next start.

#ifndef POSTERN_GW_DAEMON_SERVED_H
#define POSTERN_GW_DAEMON_SERVED_H

#include "gw/daemon/registry.h"

// As registry_add().
int served_add(struct registry *registry, const struct device_keyed *device)
	__attribute__((warn_unused_result));
// As registry_rotate(). What is in flight under keys is not answered if the device has a credential
// instead from now on.
int served_rotate(struct registry *registry, const struct device_info *before,
	const struct device_keyed *device) __attribute__((warn_unused_result));
// As registry_remove(): what a device with a credential agreed on ends.
int served_remove(struct registry *registry, const struct device_info *info)
	__attribute__((warn_unused_result));
// As registry_resync(): a device with a credential must agree on keys again.
int served_resync(struct registry *registry, const struct device_keyed *device, uint64_t from)
	__attribute__((warn_unused_result));

#endif
