// SPDX-License-Identifier: BSD-3-Clause
// Opens a database again that failed or that another one took the place of.

#ifndef POSTERN_GW_STORE_RECOVER_H
#define POSTERN_GW_STORE_RECOVER_H

#include "base/error.h"

struct store;

// Opens the database, which was closed, again. -ESTALE if it is another file, or lacks a
// transaction that was reported as committed.
int database_resume(struct store *store, struct error *error) __attribute__((warn_unused_result));

#endif
