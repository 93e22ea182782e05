// SPDX-License-Identifier: BSD-3-Clause
// Marks of devices that cannot answer an Echo challenge.

#ifndef POSTERN_GW_STORE_MARK_H
#define POSTERN_GW_STORE_MARK_H

#include "gw/device/error.h"

struct store;

// Within a transaction: no device without Echo is served before a resync.
int marks_distrust(struct store *store, struct store_error *error)
	__attribute__((warn_unused_result));

#endif
