// SPDX-License-Identifier: BSD-3-Clause
// The devices whose state was written to the store while a copy of its database was made. shadow.c
// has the list and copies these devices again; row.c adds to it.

#ifndef POSTERN_GW_STORE_CHANGED_H
#define POSTERN_GW_STORE_CHANGED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// All zero at the start; free(id) at the end.
struct changed {
	uint64_t *id; // some may be in it twice
	size_t count, room;
	size_t fresh; // added since the last turn of shadow_swap_step(), which sets it to 0
	bool lost;    // there was no memory for one
};

// Adds a device.
void changed_add(struct changed *changed, uint64_t id);

#endif
