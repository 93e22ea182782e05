// SPDX-License-Identifier: BSD-3-Clause
// Copies of a store while it is used. A copy is made in turns, so that other work on the store goes
// on between two of them.

#ifndef POSTERN_GW_STORE_BACKUP_H
#define POSTERN_GW_STORE_BACKUP_H

#include "base/error.h"

#include <stdbool.h>

struct store;
struct store_backup;

// Begins a copy of the store in a new file. The copy has no windows and is marked as a copy, so
// that store_open() refuses it until it is adopted. The file gets its name when it is complete and
// on the disk. -EEXIST if a file of this name is there.
int store_backup_open(struct store *store, const char *path, struct store_backup **backup,
	struct error *error) __attribute__((warn_unused_result));
// One turn: copies some pages. What the store writes between two turns gets into the copy, too.
// *done is set when the copy is complete and on the disk.
int store_backup_step(struct store_backup *backup, bool *done, struct error *error)
	__attribute__((warn_unused_result));
// Frees; NULL is allowed. A copy that is not complete is removed.
void store_backup_free(struct store_backup *backup);

#endif
