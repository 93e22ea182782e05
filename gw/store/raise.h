// SPDX-License-Identifier: BSD-3-Clause
// What rises and never falls, of many devices in one transaction.

#ifndef POSTERN_GW_STORE_RAISE_H
#define POSTERN_GW_STORE_RAISE_H

#include "gw/store/row.h"

// Raises something in many rows, in one transaction: see store_bases_raise(). raise() changes,
// seals and writes one row.
int rows_raise(struct store *store, struct store_raise *raises, size_t count,
	int (*raise)(struct store *store, struct store_row *row, uint64_t value,
		struct store_error *error),
	struct store_error *error) __attribute__((warn_unused_result));

#endif
