// SPDX-License-Identifier: BSD-3-Clause
// The tables of the database.

#ifndef POSTERN_GW_STORE_SCHEMA_H
#define POSTERN_GW_STORE_SCHEMA_H

#include "base/error.h"

#include <stdint.h>

#define STORE_VERSION 10         // of the schema: PRAGMA user_version
#define STORE_APP_ID  0x5053544e // "PSTN": PRAGMA application_id

// Own Partial IVs of versions before this one were run (18 bits) || counter (22 bits).
#define STORE_VERSION_NARROW 5

struct store;

// Within a transaction: makes the tables of a new database.
int schema_create(struct store *store, struct error *error) __attribute__((warn_unused_result));
// Within a transaction: changes the tables of an older version to those of this one. It may raise
// meta.run in the database; the caller passes the same run to store_commit_run().
int schema_upgrade(struct store *store, int64_t version, struct error *error)
	__attribute__((warn_unused_result));

#endif
