// SPDX-License-Identifier: BSD-3-Clause
// The row of a device that derived another context.

#ifndef POSTERN_GW_STORE_REDERIVE_H
#define POSTERN_GW_STORE_REDERIVE_H

#include "gw/store/row.h"

// Within a transaction: writes ID Context, keys and count of `row`, which is `before` in the
// database.
int row_write_rederived(struct store *store, const struct store_row *before,
	const struct store_row *row, struct error *error) __attribute__((warn_unused_result));

#endif
