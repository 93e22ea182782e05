// SPDX-License-Identifier: BSD-3-Clause
// The connection to the database file. It is opened, closed and opened again here; what it must
// then have is checked in recover.c.

#ifndef POSTERN_GW_STORE_DATABASE_H
#define POSTERN_GW_STORE_DATABASE_H

#include "base/error.h"

#define STORE_DB "devices.db"

struct store;

// Opens the database of store->directory, and makes an empty one if there is none; sets db, db_dev
// and db_ino.
int database_open(struct store *store, struct error *error) __attribute__((warn_unused_result));
// -EBUSY while a backup reads it.
int database_close(struct store *store, struct error *error) __attribute__((warn_unused_result));
// Takes away, durably, the name of a journal that is empty.
int journal_forget(struct store *store, struct error *error) __attribute__((warn_unused_result));

#endif
