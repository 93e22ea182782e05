// SPDX-License-Identifier: BSD-3-Clause
// The Master Secrets of devices that derive contexts in service (DEVICE_REDERIVE_B2), sealed in
// memory as they are on the disk, and found by the device_id, which no other device has. Main puts
// and takes them; any thread may have one opened, for one run, which it wipes.

#ifndef POSTERN_GW_STORE_VAULT_H
#define POSTERN_GW_STORE_VAULT_H

#include "gw/device/device.h"

#include <stdbool.h>
#include <stdint.h>

struct store;
struct vault;

// A device and its Master Secret: wipe it after use.
struct vault_device {
	uint64_t id;              // struct device_keyed
	uint32_t rederived;       // contexts that it derived up to now
	uint64_t fingerprint;     // of the keys that it has now
	struct osc_params params; // with the ID Context that it has now
};

// For the secrets of an open store, which it may outlive. NULL without memory.
struct vault *vault_create(const struct store *store);
// Wipes and frees; NULL is allowed.
void vault_free(struct vault *vault);

// Main: puts a device in, in place of the one with its device_id. Does nothing for one that derives
// no contexts. -ENOMEM
int vault_put(struct vault *vault, const struct device_keyed *device)
	__attribute__((warn_unused_result));
// Main: takes out the device with this device_id, if it is there with this id.
void vault_take(struct vault *vault, const uint8_t *device_id, uint8_t len, uint64_t id);
// Main: how many devices there are.
uint32_t vault_count(const struct vault *vault);
// Any thread: opens the secret of the device with this device_id. False if there is none, or its
// secret does not open.
bool vault_open(struct vault *vault, const uint8_t *device_id, uint8_t len,
	struct vault_device *device) __attribute__((warn_unused_result));

#endif
