// SPDX-License-Identifier: BSD-3-Clause
// The calls of libc on files, of this program and of SQLite: those of the simulated disk end here.

#include "tests/sim/disk_inside.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define REAL(name)                            \
	static __typeof__(name) *real_##name; \
	if (!real_##name)                     \
	real_##name = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

struct sim_fd sim_fds[SIM_FDS];

int sim_fd_make(enum sim_fd_kind kind)
{
	for (int i = 0; i < SIM_FDS; i++)
		if (sim_fds[i].kind == SIM_FD_FREE) {
			sim_fds[i] = (struct sim_fd){.kind = kind};
			return SIM_FD_FIRST + i;
		}
	errno = EMFILE;
	return -1;
}

unsigned sim_fd_count(void)
{
	unsigned count = 0;

	for (int i = 0; i < SIM_FDS; i++)
		count += sim_fds[i].kind != SIM_FD_FREE;
	return count;
}

// The two directories of the store are the only ones, and always there.
static bool is_directory(const char *path)
{
	return !strcmp(path, DISK_STORE) || !strcmp(path, DISK_RUNTIME) || !strcmp(path, DISK_TOP);
}

// The path of a name below the simulated disk. false: it is not.
static bool path_of(int dirfd, const char *name, char path[PATH_MAX])
{
	const struct sim_fd *fd;

	if (name[0] == '/') {
		if (strncmp(name, DISK_TOP, sizeof(DISK_TOP) - 1) ||
			(name[sizeof(DISK_TOP) - 1] && name[sizeof(DISK_TOP) - 1] != '/'))
			return false;
		snprintf(path, PATH_MAX, "%s", name);
		return true;
	}
	fd = sim_fd_get(dirfd);
	if (!fd || fd->kind != SIM_FD_DIRECTORY)
		return false;
	snprintf(path, PATH_MAX, "%s/%s",
		fd->file == 0           ? DISK_TOP
			: fd->file == 1 ? DISK_STORE
					: DISK_RUNTIME,
		name);
	return true;
}

// --- open and close ---------------------------------------------------------------------------

static int opened(const char *path, int flags)
{
	int file = disk_find(path);

	if (is_directory(path)) {
		int fd = sim_fd_make(SIM_FD_DIRECTORY);

		if (fd >= 0)
			sim_fd_get(fd)->file = !strcmp(path, DISK_STORE) ? 1
				: !strcmp(path, DISK_RUNTIME)            ? 2
									 : 0;
		return fd;
	}
	if (file < 0 && !(flags & O_CREAT)) {
		errno = ENOENT;
		return -1;
	}
	if (file >= 0 && flags & O_EXCL) {
		errno = EEXIST;
		return -1;
	}
	if ((file < 0 || flags & O_TRUNC) && disk_call())
		return -1;
	int fd = sim_fd_make(SIM_FD_FILE);

	if (fd < 0)
		return -1;
	if (file < 0) {
		file = disk_file_new();
		disk_name_set(path, file);
	}
	sim_fd_get(fd)->file = file;
	if (flags & O_TRUNC)
		disk_file_truncate(&disk.file[file], 0);
	return fd;
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

int openat64(int dirfd, const char *name, int flags, ...)
{
	char path[PATH_MAX];
	va_list args;

	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	if (path_of(dirfd, name, path))
		return opened(path, flags);
	REAL(openat64);
	return real_openat64(dirfd, name, flags, mode);
}

int open64(const char *name, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	return openat64(AT_FDCWD, name, flags, mode);
}

// No epoll watches what is closed.
static void unwatch(int fd)
{
	for (int i = 0; i < SIM_FDS; i++)
		for (unsigned k = 0; sim_fds[i].kind == SIM_FD_EPOLL && k < SIM_EPOLL_MAX; k++)
			if (sim_fds[i].watch[k].fd == fd)
				sim_fds[i].watch[k].fd = 0;
}

int close(int fd)
{
	struct sim_fd *of = sim_fd_get(fd);

	if (of) {
		unwatch(fd);
		of->kind = SIM_FD_FREE;
		return 0;
	}
	REAL(close);
	return real_close(fd);
}

// --- reads and writes -------------------------------------------------------------------------

static ssize_t file_read(struct sim_fd *fd, void *data, size_t len, uint64_t at)
{
	const struct disk_file *file = &disk.file[fd->file];

	if (at >= file->len)
		return 0;
	if (len > file->len - at)
		len = file->len - at;
	memcpy(data, file->now + at, len);
	return len;
}

static ssize_t file_write(struct sim_fd *fd, const void *data, size_t len, uint64_t at)
{
	if (disk_call_write(&len))
		return -1;
	disk_file_write(&disk.file[fd->file], at, data, len);
	return len;
}

static ssize_t event_read(struct sim_fd *fd, void *data, size_t len)
{
	if (fd->kind != SIM_FD_EVENT || !fd->count) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(data, &fd->count, sizeof(fd->count));
	fd->count = 0;
	return sizeof(fd->count);
}

ssize_t read(int fd, void *data, size_t len)
{
	struct sim_fd *of = sim_fd_get(fd);

	if (!of) {
		REAL(read);
		return real_read(fd, data, len);
	}
	if (of->kind != SIM_FD_FILE)
		return event_read(of, data, len);
	ssize_t n = file_read(of, data, len, of->at);

	of->at += n;
	return n;
}

ssize_t pread64(int fd, void *data, size_t len, off64_t at)
{
	struct sim_fd *of = sim_fd_get(fd);

	if (of)
		return file_read(of, data, len, at);
	REAL(pread64);
	return real_pread64(fd, data, len, at);
}

ssize_t write(int fd, const void *data, size_t len)
{
	struct sim_fd *of = sim_fd_get(fd);
	uint64_t count;

	if (!of) {
		REAL(write);
		return real_write(fd, data, len);
	}
	if (of->kind == SIM_FD_EVENT) {
		memcpy(&count, data, sizeof(count));
		of->count += count;
		return len;
	}
	ssize_t n = file_write(of, data, len, of->at);

	if (n > 0)
		of->at += n;
	return n;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	struct sim_fd *of = sim_fd_get(fd);

	if (of)
		return file_write(of, data, len, at);
	REAL(pwrite64);
	return real_pwrite64(fd, data, len, at);
}

int ftruncate64(int fd, off64_t len)
{
	struct sim_fd *of = sim_fd_get(fd);

	if (!of) {
		REAL(ftruncate64);
		return real_ftruncate64(fd, len);
	}
	if (disk_call())
		return -1;
	disk_file_truncate(&disk.file[of->file], len);
	return 0;
}

int fsync(int fd)
{
	struct sim_fd *of = sim_fd_get(fd);

	if (of)
		return disk_call_sync(of);
	REAL(fsync);
	return real_fsync(fd);
}

int fdatasync(int fd)
{
	struct sim_fd *of = sim_fd_get(fd);

	if (of)
		return disk_call_sync(of);
	REAL(fdatasync);
	return real_fdatasync(fd);
}

// --- names ------------------------------------------------------------------------------------

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	char from_path[PATH_MAX], to_path[PATH_MAX];

	if (!path_of(from_dir, from, from_path) || !path_of(to_dir, to, to_path)) {
		REAL(renameat);
		return real_renameat(from_dir, from, to_dir, to);
	}
	int file = disk_find(from_path);

	if (file < 0)
		errno = ENOENT;
	if (file < 0 || disk_call())
		return -1;
	disk_name_set(to_path, file);
	disk_name_remove(from_path);
	return 0;
}

int unlinkat(int dir, const char *name, int flags)
{
	char path[PATH_MAX];

	if (!path_of(dir, name, path)) {
		REAL(unlinkat);
		return real_unlinkat(dir, name, flags);
	}
	if (disk_find(path) < 0) {
		errno = ENOENT;
		return -1;
	}
	if (disk_call())
		return -1;
	disk_name_remove(path);
	return 0;
}

int unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

int __wrap_mkdir(const char *name, mode_t mode);
int __wrap_mkdir(const char *name, mode_t mode)
{
	errno = EEXIST;
	return -1;
}

// --- what is asked of files -------------------------------------------------------------------

static void fill(struct stat64 *st, int file)
{
	memset(st, 0, sizeof(*st));
	st->st_dev = 1;
	st->st_ino = file < 0 ? 1 : 100 + file;
	st->st_nlink = 1;
	st->st_mode = file < 0 ? S_IFDIR | 0700 : S_IFREG | 0600;
	st->st_size = file < 0 ? 0 : disk.file[file].len;
	st->st_blksize = 4096;
}

static int look(const char *path, struct stat64 *st)
{
	int file = disk_find(path);

	if (file < 0 && !is_directory(path)) {
		errno = ENOENT;
		return -1;
	}
	fill(st, file);
	return 0;
}

int fstat64(int fd, struct stat64 *st)
{
	const struct sim_fd *of = sim_fd_get(fd);

	if (of) {
		fill(st, of->kind == SIM_FD_FILE ? of->file : -1);
		return 0;
	}
	REAL(fstat64);
	return real_fstat64(fd, st);
}

int fstatat64(int dir, const char *name, struct stat64 *st, int flags)
{
	char path[PATH_MAX];

	if (path_of(dir, name, path))
		return look(path, st);
	REAL(fstatat64);
	return real_fstatat64(dir, name, st, flags);
}

int stat64(const char *name, struct stat64 *st)
{
	char path[PATH_MAX];

	if (path_of(AT_FDCWD, name, path))
		return look(path, st);
	REAL(stat64);
	return real_stat64(name, st);
}

int lstat64(const char *name, struct stat64 *st)
{
	char path[PATH_MAX];

	if (path_of(AT_FDCWD, name, path))
		return look(path, st);
	REAL(lstat64);
	return real_lstat64(name, st);
}

int access(const char *name, int mode)
{
	char path[PATH_MAX];
	struct stat64 st;

	if (path_of(AT_FDCWD, name, path))
		return look(path, &st);
	REAL(access);
	return real_access(name, mode);
}

int flock(int fd, int operation)
{
	if (sim_fd_get(fd))
		return 0;
	REAL(flock);
	return real_flock(fd, operation);
}

int fchmod(int fd, mode_t mode)
{
	if (sim_fd_get(fd))
		return 0;
	REAL(fchmod);
	return real_fchmod(fd, mode);
}

int fchown(int fd, uid_t owner, gid_t group)
{
	if (sim_fd_get(fd))
		return 0;
	REAL(fchown);
	return real_fchown(fd, owner, group);
}

// Locks are always free, and flags of no interest.
int fcntl64(int fd, int what, ...)
{
	va_list args;

	va_start(args, what);
	void *arg = va_arg(args, void *);
	va_end(args);
	if (!sim_fd_get(fd)) {
		REAL(fcntl64);
		return real_fcntl64(fd, what, arg);
	}
	if (what == F_GETLK)
		((struct flock *)arg)->l_type = F_UNLCK;
	return 0;
}

// What waits beside the database in a file without name is in memory: no rule is about it.
FILE *__wrap_fdopen(int fd, const char *mode);
FILE *__wrap_fdopen(int fd, const char *mode)
{
	if (!sim_fd_get(fd))
		return NULL;
	close(fd);
	return fmemopen(NULL, 64 << 10, "w+");
}
