// SPDX-License-Identifier: BSD-3-Clause
// Run numbers: what own Partial IVs begin with.

#ifndef POSTERN_GW_STORE_RUN_H
#define POSTERN_GW_STORE_RUN_H

#include <stdint.h>

struct store;

// The run that this start has, or will have when it asks.
uint32_t store_current_run(const struct store *store);

#endif
