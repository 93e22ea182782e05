// SPDX-License-Identifier: BSD-3-Clause
// The table of all derived keys that are or were in the store, in either role. No nonce is used
// again because no key returns below the highest run that its tombstone has.

#ifndef POSTERN_GW_STORE_KEY_PAST_H
#define POSTERN_GW_STORE_KEY_PAST_H

#include "gw/store/row.h"

// In the place of the run of a tombstone.
#define STORE_TOMBSTONE_NONE_LEFT (STORE_RUN_MAX + 1) // perhaps used with all runs
#define STORE_TOMBSTONE_CLOCK     (STORE_RUN_MAX + 2) // with own Partial IVs from the clock

// Within a transaction: notes that the key with this hash belongs to a device (run and mark are 0
// then), or with device 0 leaves its tombstone.
int key_put(struct store *store, const uint8_t hash[STORE_HASH_LEN], uint64_t device, uint32_t run,
	uint64_t mark, struct error *error) __attribute__((warn_unused_result));
// Within a transaction: a device has the derived keys of `row` now, and no more those of `before`.
// These leave no tombstones: that of their secret, which comes when the device is retired, stands
// for all contexts that were derived from it.
int keys_move(struct store *store, const struct store_row *before, const struct store_row *row,
	struct error *error) __attribute__((warn_unused_result));
// -EEXIST if a device has or had a key with this hash.
int key_is_new(struct store *store, const uint8_t hash[STORE_HASH_LEN], struct error *error)
	__attribute__((warn_unused_result));
// Checks one derived key of a new row against all keys of the table, and raises row->run_base above
// the runs that the key was used with, and row->mark to the mark that it had. -ENOTUNIQ if a device
// has it, *other is that device then; -EKEYREVOKED if the row is never_used and the key was here;
// -ERANGE if no Partial IVs are left.
int key_check(struct store *store, const uint8_t hash[STORE_HASH_LEN], struct store_row *row,
	uint64_t *other, struct error *error) __attribute__((warn_unused_result));
// The first Partial IV that the clock makes for keys that were used before: the next second's.
uint64_t key_clock_first(void);
// Within a transaction: deletes the row and leaves tombstones of its keys.
int row_retire(struct store *store, const struct store_row *row, struct error *error)
	__attribute__((warn_unused_result));
// Within a transaction: raises the tombstones of a device that was retired in a copy of the
// database, and whose base or mark was raised in the store since; *row is the row of the store.
int row_retire_again(struct store *store, const struct store_row *row, struct error *error)
	__attribute__((warn_unused_result));

#endif
