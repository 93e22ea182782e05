// SPDX-License-Identifier: BSD-3-Clause
// What a process does to the files below some directories: the calls of libc that open, write,
// sync, rename and remove are taken over, and whoever is linked with them decides what becomes of
// each. What stdio writes by itself is not seen.

#ifndef POSTERN_TESTS_CRASH_DISK_CALLS_H
#define POSTERN_TESTS_CRASH_DISK_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum disk_fate {
	DISK_DO,
	DISK_FAIL,
	DISK_SHORT, // half of a write is done
};

// To be defined by whoever is linked with this. All but the first are called under a lock.

// Whether an absolute path is to be watched.
bool disk_watched(const char *path);
// Before a call that changes or syncs; errno is set unless it is to be done.
enum disk_fate disk_fate(const char *call, const char *path, bool is_write);
// After a call was done, before its caller is told:
//   o open of a new file   w write   t truncate   s sync   f sync that failed
//   r rename (data: the new path)   u unlink   m mkdir
// `at` is the position of a write, or the new length; of an open 1 if the file was made.
void disk_note(char call, const char *path, uint64_t at, const void *data, size_t len);

#endif
