// SPDX-License-Identifier: BSD-3-Clause
// What a store has in memory, for the files of gw/store. Others use store.h.

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

struct changed;

// All fields belong to the thread that has the store. Who writes a field stands behind it: "open"
// is store_open() with all that it calls, before another thread has the store.
struct store {
	sqlite3 *db; // database.c; NULL: the last try to open it again failed
	sqlite3_stmt *statement[SQL_COUNT]; // sql.c prepares each at its first use
	struct store_secrets *secrets;      // sodium_malloc()ed; open
	char *directory, *runtime;          // open
	int directory_fd, runtime_fd;       // open; runtime_fd: run_mark.c, too
	int lock_fd;                        // open: of STORE_LOCK, with an flock
	int claim_fd;                       // open: see store_claim()
	dev_t db_dev;                       // of the file that is open; database.c, shadow.c
	ino_t db_ino;
	bool opened;          // open, at its end
	uint64_t next_id;     // of a device, all below are given; open, spec.c, recover.c
	uint64_t max_devices; // 0: any number; open
	struct device_reserved *reserved; // open; or NULL
	uint64_t count;                   // of devices; who adds or removes one
	uint64_t count_begun;    // commit.c: count when the transaction began, for its rollback
	uint64_t direct_rows;    // open: STORE_DIRECT_ROWS
	struct changed *changed; // shadow.c, while it makes a copy of the database; else NULL
	unsigned backups;        // under way; backup.c

	uint32_t run_next; // as committed: all runs below may have been used; open, commit.c,
			   // recover.c
	uint32_t run;      // of this start, if granted; run.c, recover.c
	bool granted;      // the same
	// A write, commit or sync failed: what is on the disk is not known before store_recover()
	// succeeds, which alone sets it to false.
	bool broken;
	int broken_by;    // run_mark.c: the -errno, if writing a mark failed
	uint64_t commits; // transactions that ever were; open, commit.c, recover.c
	int64_t hour; // Unix time at which the count of runs an hour began; open, run.c, recover.c
	uint32_t hour_runs; // the same

	int64_t clock; // Unix time above which no own Partial IV is, as committed; open, window.c
	int64_t clock_started; // the same, as this start found it; open
	bool copy;             // open: made by a backup, so that it opens by adoption only

	bool started;                        // window.c
	char boot_id[STORE_BOOT_ID_LEN + 1]; // open
	uint8_t token[STORE_TOKEN_LEN];      // window.c: of this start
};

#endif
