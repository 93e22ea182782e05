// SPDX-License-Identifier: BSD-3-Clause
// Copies of a store while it is used. A copy is made in turns, so that other work on the store goes
// on between two of them.

#ifndef POSTERN_GW_STORE_BACKUP_H
#define POSTERN_GW_STORE_BACKUP_H

#include "gw/device/error.h"

#include <stdbool.h>

struct store;
struct store_backup;

// Begins a copy of the store in a new file, which store_open() refuses until it is adopted: it has
// no windows, and is marked as a copy. The file has its name only when it is complete.
// -EEXIST if something is there.
int store_backup_open(struct store *store, const char *path, struct store_backup **backup,
	struct store_error *error) __attribute__((warn_unused_result));
// One turn: a piece of the copy. What the store writes in between is in the copy too. *done when it
// is complete and durable.
int store_backup_step(struct store_backup *backup, bool *done, struct store_error *error)
	__attribute__((warn_unused_result));
// NULL is allowed. What is not complete is removed.
void store_backup_free(struct store_backup *backup);

#endif
