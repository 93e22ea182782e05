// SPDX-License-Identifier: BSD-3-Clause
// A copy of the database that is written at leisure and then takes its place at once.

#ifndef POSTERN_GW_STORE_SHADOW_H
#define POSTERN_GW_STORE_SHADOW_H

#include "gw/device/error.h"

#include <stdbool.h>

#define STORE_SHADOW "devices.new"

struct shadow;
struct store;

// Begins a copy of the store. One at a time: while it is there, no row of a device may come or go.
int shadow_open(struct store *store, struct shadow **shadow, struct store_error *error)
	__attribute__((warn_unused_result));
// A turn of copying; *done after the last.
int shadow_copy_step(struct shadow *shadow, bool *done, struct store_error *error)
	__attribute__((warn_unused_result));
// The copy, for functions that take rows: in transactions without store_commit().
struct store *shadow_store(struct shadow *shadow);
// A turn of what is left to do when all rows are in the copy, and committed there: *done when it is
// in the place of the database, durably. If it fails the database is as it was, or the store is
// broken.
int shadow_swap_step(struct shadow *shadow, bool *done, struct store_error *error)
	__attribute__((warn_unused_result));
// NULL is allowed. A copy that did not take the place of the database is removed.
void shadow_free(struct shadow *shadow);

#endif
