// SPDX-License-Identifier: BSD-3-Clause
// A set of names of devices, 16 bytes each or so whatever the name is: keyed hashes, of which two
// names have the same one in 2^64.

#ifndef POSTERN_GW_HANDSHAKE_NAMES_H
#define POSTERN_GW_HANDSHAKE_NAMES_H

#include "crypto/keyed_hash.h"

#include <stdbool.h>
#include <stdint.h>

struct names {
	uint64_t *slot; // [slots], a hash table without chains; 0: empty
	uint32_t slots; // a power of two
	uint32_t count; // slots that are not empty: at most half of them
	struct keyed_hash hash;
};

// Returns 0 or -ENOMEM; also then names_fini() may be called.
int names_init(struct names *names) __attribute__((warn_unused_result));
void names_fini(struct names *names);
// Does nothing if it is there. -ENOMEM
int names_put(struct names *names, const char *name) __attribute__((warn_unused_result));
// Takes it out, if it is there.
void names_take(struct names *names, const char *name);
bool names_has(const struct names *names, const char *name);

#endif
