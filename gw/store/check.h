// SPDX-License-Identifier: BSD-3-Clause
// Integrity of a store, and copies of it, while it is used: both are turned by hand, so that other
// work on the store goes on between two turns.

#ifndef POSTERN_GW_STORE_CHECK_H
#define POSTERN_GW_STORE_CHECK_H

#include "gw/device/reports.h"
#include "gw/store/store.h"

#define CHECK_NO_CONTEXT (-1)

// What devices are found by.
struct check_address {
	uint8_t device_id[OSC_KID_LEN_MAX];
	uint8_t id_context[OSC_ID_CONTEXT_LEN_MAX];
	int device_id_len, id_context_len; // bytes; CHECK_NO_CONTEXT
};

// All zero at the start. Holds no memory and no lock: it may be forgotten at any time.
struct store_check {
	struct check_report report; // whole when the check is done
	// Of the check:
	unsigned part;
	uint64_t until_ns; // of this turn; CLOCK_MONOTONIC
	// The row of this part that was looked at last, and how many there were.
	uint64_t rows;
	uint64_t id;
	char name[DEVICE_NAME_MAX + 1];
	struct check_address address;
	uint8_t hash[16];
};

// One turn, of some milliseconds however large the store is: rows of a table or an index. Each
// device opens, its keys are those that its Master Secret derives, their hashes are known as its
// own, and it is found by its name and its device_id; what is in an index, or known of a key, is of
// a device that is there. *done at the end. What is found is no failure of the check; -errno if the
// database cannot be read at all.
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
