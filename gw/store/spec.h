// SPDX-License-Identifier: BSD-3-Clause
// Makes a row of what an operator says of a new device.

#ifndef POSTERN_GW_STORE_SPEC_H
#define POSTERN_GW_STORE_SPEC_H

#include "gw/store/row.h"

// Checks a spec for itself, and makes the sealed row of it. Without a name in it the row is for a
// device that has one.
int row_prepare(struct store *store, const struct device_spec *spec, struct store_row *row,
	struct error *error) __attribute__((warn_unused_result));
// The same for a device that is not there: one with a credential has a name (-EINVAL).
int row_prepare_new(struct store *store, const struct device_spec *spec, struct store_row *row,
	struct error *error) __attribute__((warn_unused_result));
// Refuses (-EINVAL) a device without Echo of which it is not known where its mark begins, and a
// mark for one with Echo.
int spec_floor_check(const struct store_row *row, struct error *error)
	__attribute__((warn_unused_result));
// Refuses (-EINVAL) a way to recover that does not go with what the device derives.
int spec_rederive_check(const struct store_row *row, struct error *error)
	__attribute__((warn_unused_result));

#endif
