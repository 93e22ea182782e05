// SPDX-License-Identifier: BSD-3-Clause
// What the simulated disk is made of, for disk.c and disk_calls.c.

#ifndef POSTERN_TESTS_SIM_DISK_INSIDE_H
#define POSTERN_TESTS_SIM_DISK_INSIDE_H

#include "tests/sim/disk.h"

#define DISK_FILES_MAX   24
#define DISK_NAMES_MAX   16
#define DISK_MOMENTS_MAX 8
#define DISK_PATH_MAX    48
#define DISK_SECTOR      512
#define DISK_FILE_MAX    (192 * 1024)
#define DISK_SECTORS     (DISK_FILE_MAX / DISK_SECTOR)

struct disk_file {
	uint64_t len, synced_len;
	uint8_t dirty[DISK_SECTORS]; // written since they were synced
	uint8_t lost[DISK_SECTORS];  // of these, those that were there when a sync failed
	uint8_t now[DISK_FILE_MAX], synced[DISK_FILE_MAX];
};

struct disk_names {
	struct {
		char path[DISK_PATH_MAX];
		int file;
	} name[DISK_NAMES_MAX];
	unsigned count;
};

struct disk {
	struct disk_names now;
	struct disk_names moment[DISK_MOMENTS_MAX]; // [0] as synced, then after each change
	unsigned moments;
	struct disk_file file[DISK_FILES_MAX];
};

extern struct disk disk;

// Index of a file, or -1.
int disk_find(const char *path);
int disk_file_new(void);
void disk_name_set(const char *path, int file);
void disk_name_remove(const char *path);
void disk_file_write(struct disk_file *file, uint64_t at, const void *data, size_t len);
void disk_file_truncate(struct disk_file *file, uint64_t len);
// Before a call that changes something: 0, or -1 with errno, and it is not done. A write may be
// done in part.
int disk_call(void);
int disk_call_write(size_t *len);
int disk_call_sync(const struct sim_fd *fd);
int disk_sync(const struct sim_fd *fd);

#endif
