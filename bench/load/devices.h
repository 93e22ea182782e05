// SPDX-License-Identifier: BSD-3-Clause
// The devices that the load comes from: read from a file that posternctl imports, too
// (docs/import.md), or made up and written to one.

#ifndef POSTERN_BENCH_LOAD_DEVICES_H
#define POSTERN_BENCH_LOAD_DEVICES_H

#include "base/error.h"
#include "crypto/aead_algs.h"
#include "dataplane/oscore/option.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVICES_MAX \
	(1u << 24) // kids of made devices count this far in four bytes, and no gateway
		   // of ours holds more

struct load_device {
	// What sealing a request reads: one cache line.
	uint8_t sender_key[AEAD_KEY_MAX];
	uint8_t common_iv[AEAD_NONCE_MAX];
	uint8_t kid[OSC_KID_LEN_MAX];
	uint8_t kid_len;
	uint8_t alg;        // enum aead_alg
	uint8_t id_context; // whether there is one
	uint8_t id_context_len;
	const uint8_t *id_context_bytes;
	// What opening an answer reads.
	uint8_t recipient_key[AEAD_KEY_MAX];
	uint8_t gateway_id[OSC_KID_LEN_MAX];
	uint8_t gateway_id_len;
	bool known;       // an answer other than a challenge was opened in this run
	bool own_piv;     // the last answer opened carried a Partial IV
	uint8_t echo_len; // of the challenge that the next request answers; 0: none
	uint8_t *echo;
	uint8_t pad[8];
};
_Static_assert(sizeof(struct load_device) == 128, "two cache lines a device");

struct load_devices {
	struct load_device *device;
	size_t count;
	size_t room; // for so many there is memory
};

// Reads at most max devices (0: all) of a CSV or JSON file and derives their keys; -EINVAL if two
// of them have the same. They are in random order afterwards, so that no server's cache or
// prefetcher knows which comes next.
int devices_read(struct load_devices *devices, const char *path, size_t max, struct error *f)
	__attribute__((warn_unused_result));
// Wipes and frees.
void devices_free(struct load_devices *devices);

// Writes a new file of count devices with random secrets: ids first, first + 1, .. in four bytes.
// -EEXIST rather than to replace the secrets of others.
int devices_make(const char *path, size_t count, uint32_t first, enum aead_alg alg, struct error *f)
	__attribute__((warn_unused_result));

#endif
