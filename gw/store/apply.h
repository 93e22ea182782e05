// SPDX-License-Identifier: BSD-3-Clause
// A new device against all others.

#ifndef POSTERN_GW_STORE_APPLY_H
#define POSTERN_GW_STORE_APPLY_H

#include "gw/store/row.h"

// Within a transaction, which must be rolled back if this fails: checks the row against all others
// and writes it. *other is the id of the device in the way, if there is one. With DEVICE_CHANGED
// the row becomes the one that was there, with its new settings.
int row_apply(struct store *store, struct store_row *row, bool replace,
	enum device_outcome *outcome, uint64_t *other, struct store_error *error)
	__attribute__((warn_unused_result));
// What is not said of a row is as it was before.
void row_inherit(struct store_row *row, const struct store_row *before);
bool row_same_keys(const struct store_row *a, const struct store_row *b);

#endif
