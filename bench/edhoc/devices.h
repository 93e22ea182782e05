// SPDX-License-Identifier: BSD-3-Clause
// Devices with key pairs, as many as wanted: each key pair is derived from one secret seed and the
// device's number, so that nothing of a device is in a file but its row for an import.

#ifndef POSTERN_BENCH_EDHOC_DEVICES_H
#define POSTERN_BENCH_EDHOC_DEVICES_H

#include "gw/edhoc/session.h"

#define SEED_LEN        32
#define DEVICE_NAME_LEN 16
#define DEVICE_CCS_MAX  160

// What all of them have in common.
struct devices {
	struct edhoc_engine engine;
	uint8_t seed[SEED_LEN];
	unsigned suite; // 0 or 2
	struct edhoc_credential gateway;
	uint8_t gateway_item[EDHOC_CREDENTIAL_MAX];
};

// A device and its credential, a CCS that messages name by its kid. Not to be moved.
struct device {
	char name[DEVICE_NAME_LEN];
	uint8_t kid[4];
	uint8_t ccs[DEVICE_CCS_MAX], id_cred[EDHOC_KID_MAP_MAX];
	struct edhoc_identity identity;
};

// Prints what is wrong, and ends the program.
void die(const char *what) __attribute__((noreturn));

// seed: 64 digits. gateway: the gateway's CCS in digits, NULL if no handshake is to be made.
void devices_init(struct devices *devices, const char *seed, unsigned suite, const char *gateway);
void device_make(struct devices *devices, uint32_t number, struct device *device);
// Writes rows for an import (docs/import.md) of the devices with the numbers below count.
void devices_print(struct devices *devices, uint32_t count);

#endif
