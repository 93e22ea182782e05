// SPDX-License-Identifier: BSD-3-Clause
// A database that failed is opened again, and must have what it had taken.

#ifndef POSTERN_GW_STORE_RECOVER_H
#define POSTERN_GW_STORE_RECOVER_H

#include "gw/device/error.h"

struct store;

// Opens the database again, which must have all transactions that were ever reported.
int database_resume(struct store *store, struct store_error *error)
	__attribute__((warn_unused_result));

#endif
