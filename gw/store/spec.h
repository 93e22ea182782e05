// SPDX-License-Identifier: BSD-3-Clause
// A new device for itself.

#ifndef POSTERN_GW_STORE_SPEC_H
#define POSTERN_GW_STORE_SPEC_H

#include "gw/store/row.h"

// Checks a spec for itself, and makes the sealed row of it.
int row_prepare(struct store *store, const struct device_spec *spec, struct store_row *row,
	struct store_error *error) __attribute__((warn_unused_result));
// Where the mark of a device without Echo begins must be known; with Echo there is none.
int spec_floor_check(const struct store_row *row, struct store_error *error)
	__attribute__((warn_unused_result));

#endif
