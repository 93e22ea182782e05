// SPDX-License-Identifier: BSD-3-Clause
// The disk under a directory of this process: its calls are counted, one of them can fail, and what
// a power cut would leave of the files is known at every moment. tests/crash/power_cut does the
// same for another process.

#ifndef POSTERN_TESTS_MODEL_DISK_H
#define POSTERN_TESTS_MODEL_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISK_FILES_MAX 32
#define DISK_PATH_MAX  64

// Files and directories below the directory, directories before what is in them.
struct disk_image {
	struct {
		char path[DISK_PATH_MAX]; // below the directory
		bool is_directory;
		uint8_t *data; // malloc()ed
		size_t len;
	} file[DISK_FILES_MAX];
	size_t count;
};

void disk_image_take(struct disk_image *image, const char *directory);
// Makes the directory as the image has it.
void disk_image_put(const struct disk_image *image, const char *directory);
void disk_image_free(struct disk_image *image);

enum disk_fault {
	DISK_EIO,
	DISK_ENOSPC,
	DISK_HALF, // of a write; what is no write fails by ENOSPC
	DISK_CUT,  // the power: this call and all after it do nothing
};

// From now on calls below the directory are counted, and the N-th of them (from 1) fails. All that
// is there now is taken as synced.
void disk_begin(const char *directory, unsigned n, enum disk_fault fault);
// Counts a call that is none of libc's, as that may fail: 0 or -errno.
int disk_call(void);
// Whether the N-th call was reached.
bool disk_failed(void);
// Whether the power is cut.
bool disk_is_off(void);
void disk_end(void);

// After disk_end(): how many calls there were, and whether the N-th was a write, or takes room.
unsigned disk_calls(void);
bool disk_call_writes(unsigned n);
bool disk_call_takes_room(unsigned n);
// After disk_end(), until the next disk_begin(): what a power cut leaves. What was synced is there:
// of a file its content, of a directory its names. With `some`, of the writes since then any 512
// bytes may be there or not, and the names as they were at some moment since then. What was written
// before a sync that failed is as not synced for ever.
void disk_after_cut(struct disk_image *image, bool some, uint64_t seed);

#endif
