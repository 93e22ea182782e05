// SPDX-License-Identifier: BSD-3-Clause
#include "tests/crash/disk_calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *watched[FDS]; // path of a descriptor, NULL: not ours

#define REAL(name, ...)                       \
	static __typeof__(name) *real_##name; \
	if (!real_##name)                     \
		real_##name = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);

// The absolute path of a name as the system calls take it. Its directory has no links.
static bool watched_path(int dirfd, const char *name, char path[PATH_MAX])
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
	return disk_watched(path);
}

static const char *path_of_fd(int fd)
{
	return fd >= 0 && fd < FDS ? watched[fd] : NULL;
}

// --- open and close ---------------------------------------------------------------------------

static int opened(int dirfd, const char *name, int flags, mode_t mode)
{
	char path[PATH_MAX];
	struct stat st;

	REAL(openat64)
	if (!watched_path(dirfd, name, path))
		return real_openat64(dirfd, name, flags, mode);
	pthread_mutex_lock(&lock);
	bool made = flags & O_CREAT && stat(path, &st) != 0;
	int fd = -1;

	// Opening to read changes nothing.
	if ((flags & O_ACCMODE) == O_RDONLY || disk_fate("open", path, false) == DISK_DO)
		fd = real_openat64(dirfd, name, flags, mode);
	if (fd >= 0 && fd < FDS) {
		free(watched[fd]);
		watched[fd] = strdup(path);
		if (made)
			disk_note('o', path, made, NULL, 0);
		if (flags & O_TRUNC)
			disk_note('t', path, 0, NULL, 0);
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
	enum disk_fate what = disk_fate("write", watched[fd], true);

	if (what != DISK_FAIL)
		n = real_pwrite(fd, data, what == DISK_SHORT ? len / 2 : len, at);
	if (n > 0)
		disk_note('w', watched[fd], at, data, n);
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
	if (disk_fate("truncate", watched[fd], false) == DISK_DO)
		rc = real_ftruncate64(fd, len);
	if (!rc)
		disk_note('t', watched[fd], len, NULL, 0);
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
	if (disk_fate("sync", watched[fd], false) == DISK_DO)
		rc = real(fd);
	disk_note(rc ? 'f' : 's', watched[fd], 0, NULL, 0);
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

static int renamed(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	char from_path[PATH_MAX], to_path[PATH_MAX];
	int rc = -1;

	REAL(renameat2)
	if (!watched_path(from_dir, from, from_path) || !watched_path(to_dir, to, to_path))
		return real_renameat2(from_dir, from, to_dir, to, flags);
	pthread_mutex_lock(&lock);
	if (disk_fate("rename", from_path, false) == DISK_DO)
		rc = real_renameat2(from_dir, from, to_dir, to, flags);
	if (!rc)
		disk_note('r', from_path, 0, to_path, strlen(to_path));
	pthread_mutex_unlock(&lock);
	return rc;
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return renamed(from_dir, from, to_dir, to, 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return renamed(from_dir, from, to_dir, to, flags);
}

int unlinkat(int dir, const char *name, int flags)
{
	char path[PATH_MAX];
	int rc = -1;

	REAL(unlinkat)
	if (!watched_path(dir, name, path))
		return real_unlinkat(dir, name, flags);
	pthread_mutex_lock(&lock);
	if (disk_fate("unlink", path, false) == DISK_DO)
		rc = real_unlinkat(dir, name, flags);
	if (!rc)
		disk_note('u', path, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return rc;
}

int unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

static int made_directory(const char *name, mode_t mode)
{
	char path[PATH_MAX];
	int rc = -1;

	REAL(mkdir)
	if (!watched_path(AT_FDCWD, name, path))
		return real_mkdir(name, mode);
	pthread_mutex_lock(&lock);
	if (disk_fate("mkdir", path, false) == DISK_DO)
		rc = real_mkdir(name, mode);
	if (!rc)
		disk_note('m', path, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return rc;
}

static bool started;

__attribute__((constructor)) static void start(void)
{
	started = true;
}

// ASan makes the directory of its reports before code that it checks can run.
__attribute__((no_sanitize("address", "undefined"))) int mkdir(const char *name, mode_t mode)
{
	return started ? made_directory(name, mode) : (int)syscall(SYS_mkdir, name, mode);
}
