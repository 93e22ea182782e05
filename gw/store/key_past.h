// SPDX-License-Identifier: BSD-3-Clause
// What is known of each derived key that is or was here, in either role: the device that has it, or
// the tombstone of the one that had it.

#ifndef POSTERN_GW_STORE_KEY_PAST_H
#define POSTERN_GW_STORE_KEY_PAST_H

#include "gw/store/row.h"

// Within a transaction: the key with this hash is that of a device, or with 0 has a tombstone.
int key_put(struct store *store, const uint8_t hash[STORE_HASH_LEN], uint64_t device, uint32_t run,
	uint64_t mark, struct store_error *error) __attribute__((warn_unused_result));
// Checks one derived key of a new row against all that are or were here, and raises row->run_base
// beyond what it was used with, and row->mark to what it had. *other is the device that has the key
// (-ENOTUNIQ).
int key_check(struct store *store, const uint8_t hash[STORE_HASH_LEN], struct store_row *row,
	uint64_t *other, struct store_error *error) __attribute__((warn_unused_result));
// The Partial IV from which the clock goes on with keys that were used before.
uint64_t key_clock_first(void);
// Within a transaction: deletes the row, leaves tombstones.
int row_retire(struct store *store, const struct store_row *row, struct store_error *error)
	__attribute__((warn_unused_result));
// Within a transaction: the tombstones of a row that was retired as it was, and had its base or
// mark raised since.
int row_retire_again(struct store *store, const struct store_row *row, struct store_error *error)
	__attribute__((warn_unused_result));

#endif
