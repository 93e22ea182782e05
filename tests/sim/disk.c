// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/disk.h"

#include "tests/sim/disk_inside.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct disk disk;
static struct disk saved[DISK_SAVED_MAX];
static enum disk_mood mood;
static unsigned calls, cut_at, fail_at, failed;
static void (*cut_by)(void);

// --- files ------------------------------------------------------------------------------------

int disk_find(const char *path)
{
	for (unsigned i = 0; i < disk.now.count; i++)
		if (!strcmp(disk.now.name[i].path, path))
			return disk.now.name[i].file;
	return -1;
}

static void moment_add(const char *path)
{
	// Only the store's directory outlives the power.
	if (strncmp(path, DISK_STORE "/", sizeof(DISK_STORE)))
		return;
	if (disk.moments == DISK_MOMENTS_MAX) {
		memmove(&disk.moment[1], &disk.moment[2],
			(DISK_MOMENTS_MAX - 2) * sizeof(disk.moment[0]));
		disk.moments--;
	}
	disk.moment[disk.moments++] = disk.now;
}

void disk_name_remove(const char *path)
{
	for (unsigned i = 0; i < disk.now.count; i++)
		if (!strcmp(disk.now.name[i].path, path)) {
			disk.now.name[i] = disk.now.name[--disk.now.count];
			moment_add(path);
			return;
		}
}

void disk_name_set(const char *path, int file)
{
	unsigned i = 0;

	while (i < disk.now.count && strcmp(disk.now.name[i].path, path))
		i++;
	must(i < DISK_NAMES_MAX && strlen(path) < DISK_PATH_MAX, "the disk has too many names");
	strcpy(disk.now.name[i].path, path);
	disk.now.name[i].file = file;
	disk.now.count += i == disk.now.count;
	moment_add(path);
}

static bool is_used(int file)
{
	for (unsigned m = 0; m <= disk.moments; m++) {
		const struct disk_names *names = m < disk.moments ? &disk.moment[m] : &disk.now;

		for (unsigned i = 0; i < names->count; i++)
			if (names->name[i].file == file)
				return true;
	}
	for (int fd = SIM_FD_FIRST; fd < SIM_FD_FIRST + SIM_FDS; fd++) {
		const struct sim_fd *of = sim_fd_get(fd);

		if (of && of->kind == SIM_FD_FILE && of->file == file)
			return true;
	}
	return false;
}

int disk_file_new(void)
{
	for (int i = 0; i < DISK_FILES_MAX; i++) {
		struct disk_file *file = &disk.file[i];

		if (is_used(i))
			continue;
		file->len = file->synced_len = 0;
		memset(file->dirty, 0, sizeof(file->dirty));
		memset(file->lost, 0, sizeof(file->lost));
		return i;
	}
	must(false, "the disk has too many files");
}

static void sectors_mark(uint8_t *bits, uint64_t from, uint64_t to, bool set)
{
	for (uint64_t s = from / DISK_SECTOR; s < (to + DISK_SECTOR - 1) / DISK_SECTOR; s++)
		bits[s] = set;
}

void disk_file_write(struct disk_file *file, uint64_t at, const void *data, size_t len)
{
	must(at + len <= DISK_FILE_MAX, "a file of the disk is too large");
	if (at > file->len)
		memset(file->now + file->len, 0, at - file->len);
	memcpy(file->now + at, data, len);
	sectors_mark(file->dirty, at, at + len, true);
	sectors_mark(file->lost, at, at + len, false);
	if (at + len > file->len)
		file->len = at + len;
}

void disk_file_truncate(struct disk_file *file, uint64_t len)
{
	must(len <= DISK_FILE_MAX, "a file of the disk is too large");
	if (len > file->len)
		memset(file->now + file->len, 0, len - file->len);
	file->len = len;
}

// What a file grew by and lost is zeros: a file system shows no blocks of before.
static void file_grow(struct disk_file *file)
{
	if (file->len > file->synced_len)
		memset(file->synced + file->synced_len, 0, file->len - file->synced_len);
	file->synced_len = file->len;
}

static void file_sync(struct disk_file *file)
{
	file_grow(file);
	for (unsigned s = 0; s < DISK_SECTORS; s++) {
		// What a kernel forgot after a sync that failed, a later one does not bring.
		if (!file->dirty[s] || file->lost[s])
			continue;
		memcpy(file->synced + s * DISK_SECTOR, file->now + s * DISK_SECTOR, DISK_SECTOR);
		file->dirty[s] = 0;
	}
}

int disk_sync(const struct sim_fd *fd)
{
	int code = disk_call();

	if (fd->kind == SIM_FD_DIRECTORY) {
		if (!code) {
			disk.moment[0] = disk.now;
			disk.moments = 1;
		}
		return code;
	}
	if (!code)
		file_sync(&disk.file[fd->file]);
	else if (mood != DISK_DEAD)
		memcpy(disk.file[fd->file].lost, disk.file[fd->file].dirty, DISK_SECTORS);
	return code;
}

// --- the whole --------------------------------------------------------------------------------

void disk_put(const char *path, const char *text)
{
	int file = disk_file_new();

	disk_name_set(path, file);
	disk_file_truncate(&disk.file[file], 0);
	disk_file_write(&disk.file[file], 0, text, strlen(text));
	file_sync(&disk.file[file]);
}

static void boot_id_put(void)
{
	char text[64];

	snprintf(text, sizeof(text), "%08lx-89ab-cdef-0123-456789abcdef\n", sim_rnd(1u << 31));
	disk_name_remove(DISK_BOOT);
	disk_put(DISK_BOOT, text);
}

void disk_format(void)
{
	memset(&disk, 0, sizeof(disk));
	disk.moments = 1;
	mood = DISK_GOOD;
	cut_at = fail_at = 0;
	disk_put(DISK_MACHINE, "0123456789abcdef0123456789abcdef\n");
	boot_id_put();
}

static void disk_copy(struct disk *to, const struct disk *from)
{
	to->now = from->now;
	to->moments = 1;
	to->moment[0] = from->now;
	for (unsigned i = 0; i < DISK_FILES_MAX; i++) {
		struct disk_file *file = &to->file[i];

		file->len = file->synced_len = from->file[i].len;
		memcpy(file->now, from->file[i].now, file->len);
		memcpy(file->synced, from->file[i].now, file->len);
		memset(file->dirty, 0, sizeof(file->dirty));
		memset(file->lost, 0, sizeof(file->lost));
	}
}

void disk_save(unsigned which)
{
	disk_copy(&saved[which], &disk);
}

void disk_load(unsigned which)
{
	disk_copy(&disk, &saved[which]);
	mood = DISK_GOOD;
	cut_at = fail_at = 0;
}

void disk_process_gone(void)
{
	for (int fd = SIM_FD_FIRST; fd < SIM_FD_FIRST + SIM_FDS; fd++)
		if (sim_fd_get(fd))
			sim_fd_get(fd)->kind = SIM_FD_FREE;
	cut_at = fail_at = 0;
}

// Each sector is as it was synced, or as it was written last.
static void file_after_cut(struct disk_file *file)
{
	bool all = sim_once_in(4), none = sim_once_in(4);
	uint64_t len = file->synced_len;

	if (file->len != len && !none && (all || sim_once_in(2)))
		len = file->len;
	for (unsigned s = 0; s < DISK_SECTORS; s++)
		if (file->dirty[s] && (file->lost[s] || none || (!all && sim_once_in(2)))) {
			uint8_t *now = file->now + s * DISK_SECTOR;

			if (s * DISK_SECTOR < file->synced_len)
				memcpy(now, file->synced + s * DISK_SECTOR, DISK_SECTOR);
			else
				memset(now, 0, DISK_SECTOR);
		}
	if (len > file->len)
		memset(file->now + file->len, 0, len - file->len);
	file->len = len;
	memset(file->dirty, 1, (len + DISK_SECTOR - 1) / DISK_SECTOR);
	memset(file->lost, 0, sizeof(file->lost));
	file_sync(file);
	memset(file->dirty, 0, sizeof(file->dirty));
}

void disk_power_cut(void)
{
	struct disk_names left = disk.moment[sim_rnd(disk.moments)], kept = {0};

	for (unsigned i = 0; i < left.count; i++) {
		const char *path = left.name[i].path;

		if (!strncmp(path, DISK_RUNTIME "/", sizeof(DISK_RUNTIME)))
			continue;
		kept.name[kept.count++] = left.name[i];
	}
	// Names outside of the store's directory are as they are.
	disk.now = kept;
	disk.moment[0] = kept;
	disk.moments = 1;
	for (unsigned i = 0; i < kept.count; i++)
		file_after_cut(&disk.file[kept.name[i].file]);
	boot_id_put();
	disk.moment[0] = disk.now;
	disk.moments = 1;
}

// --- faults -----------------------------------------------------------------------------------

void disk_mood(enum disk_mood to)
{
	if (mood != to)
		sim_trace("disk: mood %d", to);
	mood = to;
}

enum disk_mood disk_mood_now(void)
{
	return mood;
}

void disk_cut_after(unsigned n, void (*cut)(void))
{
	cut_at = n ? calls + n : 0;
	cut_by = cut;
}

void disk_fail_after(unsigned n)
{
	fail_at = n ? calls + n : 0;
}

unsigned disk_failed(void)
{
	return failed;
}

unsigned disk_calls(void)
{
	return calls;
}

int disk_call(void)
{
	calls++;
	if (cut_at && calls >= cut_at) {
		cut_at = 0;
		sim_trace("disk: cut at a call");
		cut_by();
	}
	if (fail_at && calls >= fail_at && mood != DISK_DEAD) {
		fail_at = 0;
		failed++;
		sim_trace("disk: a call fails");
		errno = EIO;
		return -1;
	}
	switch (mood) {
	case DISK_DEAD:
		errno = EIO;
		return -1;
	case DISK_EIO:
		errno = EIO;
		return sim_once_in(3) ? -1 : 0;
	default:
		return 0;
	}
}

int disk_call_write(size_t *len)
{
	int code = disk_call();

	if (code || mood != DISK_FULL || !sim_once_in(3))
		return code;
	errno = ENOSPC;
	*len /= 2;
	return *len && sim_once_in(2) ? 0 : -1;
}

int disk_call_sync(const struct sim_fd *fd)
{
	if (mood == DISK_BAD_SYNC && sim_once_in(2)) {
		calls++;
		errno = EIO;
		if (fd->kind == SIM_FD_FILE)
			memcpy(disk.file[fd->file].lost, disk.file[fd->file].dirty, DISK_SECTORS);
		return -1;
	}
	return disk_sync(fd);
}
