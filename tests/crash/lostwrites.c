// SPDX-License-Identifier: BSD-3-Clause
// For LD_PRELOAD: notes what the daemon does to the files of a directory, so that a power cut can
// be told from a kill (tests/crash/power_cut makes the directory of it), and lets calls fail.
//
//   LOSTWRITES_DIR=DIR[:DIR]  absolute, without links: files in and below them are noted
//   LOSTWRITES_LOG=FILE       one record a call that was done, appended in its order
//   LOSTWRITES_CALLS=FILE     one line a call that changes or syncs, done or not
//   LOSTWRITES_FAIL=N:HOW     the N-th call (from 1) that changes or syncs fails by an error
//                             (EIO, ENOSPC), or `short`: half of a write is done, a call that
//                             is no write fails with ENOSPC; `full`: all writes from N on fail with
//                             ENOSPC, as on a full disk
//   LOSTWRITES_WHILE=FILE     while there is a FILE, calls fail: in it `EIO`, `EROFS` or `ENOSPC`,
//                             and behind that `sync` if no others shall
//   LOSTWRITES_SYNC_MS=N      a sync takes so long, as on a disk
//   LOSTWRITES_CUT=N          a power cut at the N-th: it is not done, and the process is killed
//
// A record stands in the log after its call was done, and before the caller is told: a call without
// a record may be lost with the power, as one that was not synced.

#include "tests/crash/disk_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

// In the log, in the order of the machine; path and data follow.
struct record {
	char call; // as of disk_note()
	uint8_t unused;
	uint16_t path_len;
	uint32_t data_len;
	uint64_t at;
};

static unsigned calls;

// The descriptor of a file that is named in the environment, or -1.
static int log_open(const char *variable)
{
	const char *path = getenv(variable);

	return path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
}

void disk_note(char call, const char *path, uint64_t at, const void *data, size_t len)
{
	static int fd = -2;
	struct record record = {.call = call, .path_len = strlen(path), .data_len = len, .at = at};
	struct iovec parts[] = {{&record, sizeof(record)}, {(void *)(uintptr_t)path, strlen(path)},
		{(void *)(uintptr_t)data, len}};

	if (fd == -2)
		fd = log_open("LOSTWRITES_LOG");
	if (fd >= 0 && writev(fd, parts, 3) != (ssize_t)(sizeof(record) + strlen(path) + len))
		abort();
}

bool disk_watched(const char *path)
{
	const char *dir = getenv("LOSTWRITES_DIR");

	while (dir && *dir) {
		size_t len = strcspn(dir, ":");

		if (!strncmp(path, dir, len) && (path[len] == '/' || !path[len]))
			return true;
		dir += len + (dir[len] == ':');
	}
	return false;
}

// Whether a call fails for as long as there is a file; errno is set then.
static bool fails_now(const char *call)
{
	const char *path = getenv("LOSTWRITES_WHILE");
	FILE *in = path ? fopen(path, "re") : NULL;
	char error[16] = "", only[16] = "";

	if (!in)
		return false;
	if (fscanf(in, "%15s %15s", error, only) < 1)
		abort();
	fclose(in);
	errno = !strcmp(error, "EROFS") ? EROFS : !strcmp(error, "ENOSPC") ? ENOSPC : EIO;
	return !*only || !strcmp(only, call);
}

// Counts a call, under the lock. errno is set unless it is to be done.
enum disk_fate disk_fate(const char *call, const char *path, bool is_write)
{
	static int fd = -2;
	const char *fail = getenv("LOSTWRITES_FAIL"), *cut = getenv("LOSTWRITES_CUT");
	const char *sync_ms = getenv("LOSTWRITES_SYNC_MS");
	char *how = NULL;

	calls++;
	if (fd == -2)
		fd = log_open("LOSTWRITES_CALLS");
	if (fd >= 0)
		dprintf(fd, "%u %s %s\n", calls, call, path);
	if (cut && calls == strtoul(cut, NULL, 10))
		raise(SIGKILL); // the filters of system calls let it signal itself
	if (sync_ms && !strcmp(call, "sync"))
		usleep(1000 * strtoul(sync_ms, NULL, 10));
	if (fails_now(call))
		return DISK_FAIL;
	unsigned at = fail ? strtoul(fail, &how, 10) : 0;

	if (!at || calls < at || *how++ != ':')
		return DISK_DO;
	errno = ENOSPC;
	if (!strcmp(how, "full"))
		return is_write ? DISK_FAIL : DISK_DO;
	if (calls != at)
		return DISK_DO;
	if (!strcmp(how, "short"))
		return is_write ? DISK_SHORT : DISK_FAIL;
	if (!strcmp(how, "EIO"))
		errno = EIO;
	return DISK_FAIL;
}
