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
//   LOSTWRITES_CUT=N          a power cut at the N-th: it is not done, and the process is killed
//
// A record stands in the log after its call was done, and before the caller is told: a call without
// a record may be lost with the power, as one that was not synced.

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 4096

// In the log, in the order of the machine; path and data follow.
struct record {
	// o open, w write, t truncate, s sync, f sync that failed, r rename (data: the new path),
	// u unlink
	char call;
	uint8_t unused;
	uint16_t path_len;
	uint32_t data_len;
	uint64_t at; // of a write, or the new length; of an open: whether the file was made
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *watched[FDS]; // path of a descriptor, NULL: not ours
static unsigned calls;

#define REAL(name, ...)                       \
	static __typeof__(name) *real_##name; \
	if (!real_##name)                     \
		real_##name = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);

// The descriptor of a file that is named in the environment, or -1.
static int log_open(const char *variable)
{
	const char *path = getenv(variable);

	REAL(open64)
	return path ? real_open64(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
}

static void note(char call, const char *path, uint64_t at, const void *data, size_t len)
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

static bool is_watched(const char *path)
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

// The absolute path of a name as the system calls take it. Its directory has no links.
static bool path_of(int dirfd, const char *name, char path[PATH_MAX])
{
	char link[64];
	ssize_t len = 0;

	if (name[0] != '/') {
		if (dirfd == AT_FDCWD)
			snprintf(link, sizeof(link), "/proc/self/cwd");
		else
			snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
		len = readlink(link, path, PATH_MAX - 2);
		if (len < 0)
			return false;
		path[len++] = '/';
	}
	snprintf(path + len, PATH_MAX - len, "%s", name);
	return is_watched(path);
}

static const char *path_of_fd(int fd)
{
	return fd >= 0 && fd < FDS ? watched[fd] : NULL;
}

enum fate { DO, FAIL, SHORT };

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
static enum fate fate(const char *call, const char *path, bool is_write)
{
	static int fd = -2;
	const char *fail = getenv("LOSTWRITES_FAIL"), *cut = getenv("LOSTWRITES_CUT");
	char *how = NULL;

	calls++;
	if (fd == -2)
		fd = log_open("LOSTWRITES_CALLS");
	if (fd >= 0)
		dprintf(fd, "%u %s %s\n", calls, call, path);
	if (cut && calls == strtoul(cut, NULL, 10))
		kill(getpid(), SIGKILL);
	if (fails_now(call))
		return FAIL;
	unsigned at = fail ? strtoul(fail, &how, 10) : 0;

	if (!at || calls < at || *how++ != ':')
		return DO;
	errno = ENOSPC;
	if (!strcmp(how, "full"))
		return is_write ? FAIL : DO;
	if (calls != at)
		return DO;
	if (!strcmp(how, "short"))
		return is_write ? SHORT : FAIL;
	if (!strcmp(how, "EIO"))
		errno = EIO;
	return FAIL;
}

// --- open and close ---------------------------------------------------------------------------

static int opened(int dirfd, const char *name, int flags, mode_t mode)
{
	char path[PATH_MAX];
	struct stat st;

	REAL(openat64)
	if (!path_of(dirfd, name, path))
		return real_openat64(dirfd, name, flags, mode);
	pthread_mutex_lock(&lock);
	bool made = flags & O_CREAT && stat(path, &st) != 0;
	int fd = -1;

	// Opening to read changes nothing.
	if ((flags & O_ACCMODE) == O_RDONLY || fate("open", path, false) == DO)
		fd = real_openat64(dirfd, name, flags, mode);
	if (fd >= 0 && fd < FDS) {
		free(watched[fd]);
		watched[fd] = strdup(path);
		if (made)
			note('o', path, made, NULL, 0);
		if (flags & O_TRUNC)
			note('t', path, 0, NULL, 0);
	}
	pthread_mutex_unlock(&lock);
	return fd;
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

int open64(const char *name, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	return opened(AT_FDCWD, name, flags, mode);
}

int openat64(int dirfd, const char *name, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	return opened(dirfd, name, flags, mode);
}

int close(int fd)
{
	REAL(close)
	if (path_of_fd(fd)) {
		pthread_mutex_lock(&lock);
		free(watched[fd]);
		watched[fd] = NULL;
		pthread_mutex_unlock(&lock);
	}
	return real_close(fd);
}

// --- writes -------------------------------------------------------------------------------------

static ssize_t real_pwrite(int fd, const void *data, size_t len, off64_t at)
{
	REAL(pwrite64)
	return real_pwrite64(fd, data, len, at);
}

static ssize_t written(int fd, const void *data, size_t len, off64_t at)
{
	ssize_t n = -1;

	pthread_mutex_lock(&lock);
	enum fate what = fate("write", watched[fd], true);

	if (what != FAIL)
		n = real_pwrite(fd, data, what == SHORT ? len / 2 : len, at);
	if (n > 0)
		note('w', watched[fd], at, data, n);
	pthread_mutex_unlock(&lock);
	return n;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	return path_of_fd(fd) ? written(fd, data, len, at) : real_pwrite(fd, data, len, at);
}

ssize_t write(int fd, const void *data, size_t len)
{
	REAL(write)
	if (!path_of_fd(fd))
		return real_write(fd, data, len);
	off64_t at = lseek(fd, 0, SEEK_CUR);
	ssize_t n = written(fd, data, len, at);

	if (n > 0)
		lseek(fd, at + n, SEEK_SET);
	return n;
}

int ftruncate64(int fd, off64_t len)
{
	int rc = -1;

	REAL(ftruncate64)
	if (!path_of_fd(fd))
		return real_ftruncate64(fd, len);
	pthread_mutex_lock(&lock);
	if (fate("truncate", watched[fd], false) == DO)
		rc = real_ftruncate64(fd, len);
	if (!rc)
		note('t', watched[fd], len, NULL, 0);
	pthread_mutex_unlock(&lock);
	return rc;
}

// --- syncs --------------------------------------------------------------------------------------

static int synced(int fd, int (*real)(int))
{
	int rc = -1;

	if (!path_of_fd(fd))
		return real(fd);
	pthread_mutex_lock(&lock);
	if (fate("sync", watched[fd], false) == DO)
		rc = real(fd);
	note(rc ? 'f' : 's', watched[fd], 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return rc;
}

int fsync(int fd)
{
	REAL(fsync)
	return synced(fd, real_fsync);
}

int fdatasync(int fd)
{
	REAL(fdatasync)
	return synced(fd, real_fdatasync);
}

// --- names --------------------------------------------------------------------------------------

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	char from_path[PATH_MAX], to_path[PATH_MAX];
	int rc = -1;

	REAL(renameat)
	if (!path_of(from_dir, from, from_path) || !path_of(to_dir, to, to_path))
		return real_renameat(from_dir, from, to_dir, to);
	pthread_mutex_lock(&lock);
	if (fate("rename", from_path, false) == DO)
		rc = real_renameat(from_dir, from, to_dir, to);
	if (!rc)
		note('r', from_path, 0, to_path, strlen(to_path));
	pthread_mutex_unlock(&lock);
	return rc;
}

int unlinkat(int dir, const char *name, int flags)
{
	char path[PATH_MAX];
	int rc = -1;

	REAL(unlinkat)
	if (!path_of(dir, name, path))
		return real_unlinkat(dir, name, flags);
	pthread_mutex_lock(&lock);
	if (fate("unlink", path, false) == DO)
		rc = real_unlinkat(dir, name, flags);
	if (!rc)
		note('u', path, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return rc;
}

int unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}
