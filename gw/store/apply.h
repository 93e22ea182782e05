// SPDX-License-Identifier: BSD-3-Clause
// Checks a new device against all others, and adds it.

#ifndef POSTERN_GW_STORE_APPLY_H
#define POSTERN_GW_STORE_APPLY_H

#include "gw/store/row.h"

// Within a transaction, which the caller rolls back if this fails: checks the row against all
// others and writes it. *other is the id of the device in the way, or 0. With DEVICE_CHANGED *row
// becomes the one that was there, with its new settings.
int row_apply(struct store *store, struct store_row *row, bool replace,
	enum device_outcome *outcome, uint64_t *other, struct error *error)
	__attribute__((warn_unused_result));
// Fills what the operator left out with the values of the device that this one replaces.
void row_inherit(struct store_row *row, const struct store_row *before);
// Whether both have the same derived keys in the same roles.
bool row_same_keys(const struct store_row *a, const struct store_row *b);

#endif
