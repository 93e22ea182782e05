// SPDX-License-Identifier: BSD-3-Clause
// What a store holds in memory, for the files of the store.

#ifndef POSTERN_GW_STORE_STATE_H
#define POSTERN_GW_STORE_STATE_H

#include "gw/store/hashes.h"
#include "gw/store/statements.h"
#include "gw/store/store.h"

#include <sys/types.h>

// Rows of an import that are written to the database itself, in one transaction: with more it is
// written to a copy, see shadow.c.
#define STORE_DIRECT_ROWS 256

#define STORE_BOOT_ID_LEN 36

struct store {
	sqlite3 *db;
	sqlite3_stmt *statement[SQL_COUNT]; // prepared at first use
	struct store_secrets *secrets;      // sodium_malloc()
	char *directory;
	int directory_fd, runtime_fd;
	int lock_fd;  // of STORE_LOCK, with an flock
	int claim_fd; // see store_claim()
	dev_t db_dev; // of the file that is open
	ino_t db_ino;
	bool opened;      // as a whole, by store_open()
	uint64_t next_id; // of a device
	uint64_t count, max_devices;
	uint64_t count_begun;  // count when the transaction began, for its rollback
	uint64_t direct_rows;  // STORE_DIRECT_ROWS
	struct shadow *shadow; // a copy that is to take the place of the database; NULL: none
	unsigned backups;      // under way

	uint32_t run_next; // as committed: all runs below may have been used
	uint32_t run;      // of this start, if granted
	bool granted;
	// A write, commit or sync failed: what is on the disk is not known before store_recover().
	// Then db may be NULL.
	bool broken;
	int broken_by;    // -errno, if it was a mark
	uint64_t commits; // transactions that ever were
	int64_t hour;     // Unix time at which the count of runs an hour began
	uint32_t hour_runs;

	int64_t clock;         // Unix time above which no own Partial IV is of, as committed
	int64_t clock_started; // the same, as this start found it
	bool copy;             // made by a backup: opens by adoption only

	bool started;
	char boot_id[STORE_BOOT_ID_LEN + 1];
	uint8_t token[STORE_TOKEN_LEN]; // of this start
};

#endif
