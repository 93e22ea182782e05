// SPDX-License-Identifier: BSD-3-Clause
// Integrity of a store while it is used. A check is done in turns, so that other work on the store
// goes on between two of them.

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

#endif
