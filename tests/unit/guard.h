// SPDX-License-Identifier: BSD-3-Clause
// Buffers that end exactly where the address space ends: a read or write of one byte behind them
// faults. The bytes before them hold a pattern, so that a write there is found too.

#ifndef POSTERN_TESTS_UNIT_GUARD_H
#define POSTERN_TESTS_UNIT_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct guard {
	uint8_t *map; // the whole mapping; its last page is not accessible
	size_t room;  // accessible bytes
	size_t len;   // bytes in use, at the end of the room
};

// Room for len bytes at most. Aborts without memory.
struct guard guard_create(size_t len);
void guard_free(struct guard *guard);
// The last len bytes before the page that faults; what is before them is filled with a pattern.
uint8_t *guard_take(struct guard *guard, size_t len);
// False if a byte before the taken ones changed.
bool guard_intact(const struct guard *guard);

#endif
