// SPDX-License-Identifier: BSD-3-Clause
// A copy of the database, to which a large import is written and which then takes its place.

#ifndef POSTERN_GW_STORE_SHADOW_H
#define POSTERN_GW_STORE_SHADOW_H

#include "base/error.h"

#include <stdbool.h>

#define STORE_SHADOW "devices.new"

struct shadow;
struct store;

// Begins a copy. There is one at a time, and until shadow_free() no device can be added or removed.
int shadow_open(struct store *store, struct shadow **shadow, struct error *error)
	__attribute__((warn_unused_result));
// A turn of copying; *done after the last.
int shadow_copy_step(struct shadow *shadow, bool *done, struct error *error)
	__attribute__((warn_unused_result));
// The copy, for functions that read and write rows. Its transactions are begun by store_begin() and
// ended by SQL_COMMIT, as only store_commit() writes marks.
struct store *shadow_store(struct shadow *shadow);
// When all rows are committed in the copy: a turn of syncing it, of copying devices that changed
// meanwhile, and at last of renaming it. *done is set when it is in the place of the database and
// that is on the disk. If it fails, the database is as it was, or the store is broken.
int shadow_swap_step(struct shadow *shadow, bool *done, struct error *error)
	__attribute__((warn_unused_result));
// Frees; NULL is allowed. A copy that did not take the place of the database is removed.
void shadow_free(struct shadow *shadow);

#endif
