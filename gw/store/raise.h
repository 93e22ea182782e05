// SPDX-License-Identifier: BSD-3-Clause
// Raises a number of many devices in one transaction.

#ifndef POSTERN_GW_STORE_RAISE_H
#define POSTERN_GW_STORE_RAISE_H

#include "gw/store/row.h"

// Does what store_bases_raise() and store_marks_raise() promise. raise() changes, seals and writes
// one row; -ENOENT, -EINVAL, -EBADMSG and -ERANGE of it are the result of that device, and anything
// else ends the transaction.
int rows_raise(struct store *store, struct store_raise *raises, size_t count,
	int (*raise)(
		struct store *store, struct store_row *row, uint64_t value, struct error *error),
	struct error *error) __attribute__((warn_unused_result));

#endif
