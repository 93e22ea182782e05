// SPDX-License-Identifier: BSD-3-Clause
// Writes and syncs of this process. They are counted, and can be made to fail; faults.c stands in
// front of the functions of libc.

#ifndef POSTERN_TESTS_UNIT_GW_STORE_FAULTS_H
#define POSTERN_TESTS_UNIT_GW_STORE_FAULTS_H

// Counts are from 1. The test sets all of it; 0 is off.
struct faults {
	unsigned calls, kill_at; // writes and syncs; the one at which the process is killed
	unsigned syncs;
	unsigned fail_sync_at;    // this sync fails
	unsigned fail_syncs_from; // this sync fails, and all behind it
	unsigned writes, full_at; // this write fails by ENOSPC, and all behind it
	int fail_range;           // errno of sync_file_range()
};

extern struct faults faults;

#endif
