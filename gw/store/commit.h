// SPDX-License-Identifier: BSD-3-Clause
// Transactions of the store. A committed one is on the disk, and both marks (run_mark.h) count it.

#ifndef POSTERN_GW_STORE_COMMIT_H
#define POSTERN_GW_STORE_COMMIT_H

#include "base/error.h"

#include <stdint.h>

struct store;

// -EIO if the store is broken. Transactions do not nest.
int store_begin(struct store *store, struct error *error) __attribute__((warn_unused_result));
// Returns 0 if the transaction is on the disk. If it fails and the store is not broken, the
// transaction was rolled back; if the store is broken, the transaction may be there.
int store_commit(struct store *store, struct error *error) __attribute__((warn_unused_result));
// The same for a transaction that wrote this as the next run to be granted. If it returns 0 and the
// store is broken, the transaction is there, but a mark could not be written.
int store_commit_run(struct store *store, uint32_t run_next, struct error *error)
	__attribute__((warn_unused_result));
// Ends a transaction that is not committed; store->count is as it was when that began.
void store_rollback(struct store *store);

#endif
