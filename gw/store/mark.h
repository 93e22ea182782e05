// SPDX-License-Identifier: BSD-3-Clause
// Marks of devices that cannot answer an Echo challenge.

#ifndef POSTERN_GW_STORE_MARK_H
#define POSTERN_GW_STORE_MARK_H

#include "base/error.h"

struct store;

// Within a transaction: demands a resync of each device without Echo, before which it is not
// served.
int marks_distrust(struct store *store, struct error *error) __attribute__((warn_unused_result));

#endif
