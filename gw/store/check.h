// SPDX-License-Identifier: BSD-3-Clause
// Integrity of a store, and copies of it, while it is used: both are turned by hand, so that other
// work on the store goes on between two turns.

#ifndef POSTERN_GW_STORE_CHECK_H
#define POSTERN_GW_STORE_CHECK_H

#include "gw/store/store.h"

#define CHECK_PROBLEMS_MAX 20 // that are told in words; all are counted

// All zero at the start. Holds no memory and no lock: it may be forgotten at any time.
struct store_check {
	uint64_t devices; // looked at
	uint64_t problems;
	unsigned told; // in problem[]
	struct store_error problem[CHECK_PROBLEMS_MAX];
	// Of the check:
	unsigned part;
	uint64_t after; // id of the last device
};

// One turn: a table of the database, or some hundred devices: each row opens, its keys are those
// that its Master Secret derives, and their hashes are known as its own. *done at the end. What is
// found is no failure of the check; -errno if the database cannot be read at all.
int store_check_step(struct store *store, struct store_check *check, bool *done,
	struct store_error *error) __attribute__((warn_unused_result));

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
