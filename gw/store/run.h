// SPDX-License-Identifier: BSD-3-Clause
// Run numbers, which own Partial IVs begin with; store_run_grant() in store.h grants one.

#ifndef POSTERN_GW_STORE_RUN_H
#define POSTERN_GW_STORE_RUN_H

#include <stdint.h>

struct store;

// The run that this start has, or will have when it asks for one.
uint32_t store_current_run(const struct store *store);

#endif
