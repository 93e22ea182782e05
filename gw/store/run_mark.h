// SPDX-License-Identifier: BSD-3-Clause
// The mark files, one beside the database and one in the runtime directory, by which an older copy
// of the database is found out.

#ifndef POSTERN_GW_STORE_RUN_MARK_H
#define POSTERN_GW_STORE_RUN_MARK_H

#include "base/error.h"

#include <stdint.h>

#define STORE_MARK "run.mark"

// Versions before STORE_VERSION_NARROW had wide runs.
#define STORE_WIDE_RUN     64 // runs of now in one of those
#define STORE_WIDE_RUN_MAX ((UINT32_C(1) << 18) - 1)

struct store;

struct run_mark {
	uint32_t run; // the next to be granted
	uint64_t commits;
};

// Converts a next or highest run of versions before STORE_VERSION_NARROW to one of now, above all
// runs that it may have used: min(run * 64 + 63, 2^24).
uint32_t run_of_wide(uint32_t run);
// Writes store->run_next and store->commits to both marks and syncs them; every commit does. If
// that fails, the store is broken.
int run_marks_write(struct store *store, struct error *error) __attribute__((warn_unused_result));
// Reads the mark in a directory. -ENOENT if there is none, -EBADMSG if it is damaged; *mark is 0
// then.
int run_mark_read(int directory_fd, struct run_mark *mark) __attribute__((warn_unused_result));

#endif
