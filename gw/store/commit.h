// SPDX-License-Identifier: BSD-3-Clause
// Transactions. One that was committed is on the disk, and counted in both marks (run_mark.h).

#ifndef POSTERN_GW_STORE_COMMIT_H
#define POSTERN_GW_STORE_COMMIT_H

#include "gw/device/error.h"

#include <stdint.h>

struct store;

int store_begin(struct store *store, struct store_error *error) __attribute__((warn_unused_result));
// If it fails, the transaction is not there, or, with the store broken, that is not known.
int store_commit(struct store *store, struct store_error *error)
	__attribute__((warn_unused_result));
// The same for a transaction that makes this the next run to be granted. With 0 and the store
// broken the transaction is there, but the marks are not.
int store_commit_run(struct store *store, uint32_t run_next, struct store_error *error)
	__attribute__((warn_unused_result));
void store_rollback(struct store *store);

#endif
