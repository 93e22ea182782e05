// SPDX-License-Identifier: BSD-3-Clause
// What the store remembers of keys that no device has any more, for operators: tombstones, in the
// order of their keys' hashes.

#ifndef POSTERN_GW_STORE_TOMBSTONES_H
#define POSTERN_GW_STORE_TOMBSTONES_H

#include "gw/store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_TOMBSTONE_KEY_LEN 16 // bytes

// What the key was used with.
enum store_tombstone_used {
	STORE_USED_RUNS,  // with own Partial IVs of runs up to `run`
	STORE_USED_CLOCK, // with own Partial IVs from the clock
	STORE_USED_ALL,   // perhaps with all of them: it never comes back
};

struct store_tombstone {
	uint8_t key[STORE_TOMBSTONE_KEY_LEN]; // keyed hash of a derived key, which nobody can undo
	enum store_tombstone_used used;
	uint32_t run;  // if STORE_USED_RUNS
	uint64_t mark; // no sequence number from here on was accepted; 0: it had none
	bool damaged;  // it was changed on the disk: its key is not taken again
};

// A walk over all of them, in bounded steps. Set `has_after` and `after` to go on behind a key,
// page and room before the first step; all else is 0.
struct store_tombstones {
	bool has_after;
	uint8_t after[STORE_TOMBSTONE_KEY_LEN]; // the last key that was looked at
	struct store_tombstone *page;
	size_t room;
	size_t count; // in the page
};

// Looks at some more keys. *done: the page is full, or there is none behind it. Returns 0 or
// -errno.
int store_tombstones_step(struct store *store, struct store_tombstones *walk, bool *done,
	struct error *error) __attribute__((warn_unused_result));

#endif
