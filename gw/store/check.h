// SPDX-License-Identifier: BSD-3-Clause
// Integrity of a store while it is used. A check is done in turns, so that other work on the store
// goes on between two of them.

#ifndef POSTERN_GW_STORE_CHECK_H
#define POSTERN_GW_STORE_CHECK_H

#include "gw/device/reports.h"
#include "gw/store/store.h"

#define CHECK_NO_CONTEXT (-1)

// The device_id and ID Context that a device is found by.
struct check_address {
	uint8_t device_id[DEVICE_DIGEST_LEN]; // row_place()
	uint8_t id_context[OSC_ID_CONTEXT_LEN_MAX];
	int device_id_len, id_context_len; // bytes; CHECK_NO_CONTEXT
};

// The caller sets it to zero before the first turn. It owns no memory and no lock, so a check can
// be given up between two turns.
struct store_check {
	struct check_report report; // complete when the check is done
	// Written by store_check_step() alone:
	unsigned part;
	uint64_t until_ns; // of this turn; CLOCK_MONOTONIC
	// The row of this part that was looked at last, and how many there were.
	uint64_t rows;
	uint64_t id;
	char name[DEVICE_NAME_MAX + 1];
	struct check_address address;
	uint8_t hash[16];
};

// One turn of some milliseconds, however large the store is. It checks of each device that its keys
// open, that its Master Secret derives them, that their hashes are stored as its own, and that it
// is found by its name and by its device_id; and of each entry of an index and each key that its
// device is there. Problems go to the report. *done is set after the last row. Returns -errno if
// the database cannot be read.
int store_check_step(struct store *store, struct store_check *check, bool *done,
	struct error *error) __attribute__((warn_unused_result));

#endif
