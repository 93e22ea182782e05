// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/gw/store/faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

struct faults faults;

static void count_call(void)
{
	if (++faults.calls == faults.kill_at)
		kill(getpid(), SIGKILL);
}

static int sync_call(const char *name, int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

	count_call();
	if (++faults.syncs == faults.fail_sync_at ||
		(faults.fail_syncs_from != 0 && faults.syncs >= faults.fail_syncs_from)) {
		errno = EIO;
		return -1;
	}
	return real(fd);
}

// Counted as a write: what is renamed takes effect at once.
int rename(const char *from, const char *to)
{
	int (*real)(const char *, const char *) =
		(int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");

	count_call();
	return real(from, to);
}

int fsync(int fd)
{
	return sync_call("fsync", fd);
}

int fdatasync(int fd)
{
	return sync_call("fdatasync", fd);
}

// The kernel tells an error of writing once a descriptor: here, and then no sync of it fails.
int sync_file_range(int fd, off64_t at, off64_t len, unsigned int flags)
{
	int (*real)(int, off64_t, off64_t, unsigned int) =
		(int (*)(int, off64_t, off64_t, unsigned int))dlsym(RTLD_NEXT, "sync_file_range");

	if (faults.fail_range != 0) {
		errno = faults.fail_range;
		return -1;
	}
	return real(fd, at, len, flags);
}

static ssize_t pwrite_call(const char *name, int fd, const void *data, size_t len, off64_t at)
{
	ssize_t (*real)(int, const void *, size_t, off64_t) =
		(ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, name);

	count_call();
	if (++faults.writes >= faults.full_at && faults.full_at != 0) {
		errno = ENOSPC;
		return -1;
	}
	return real(fd, data, len, at);
}

// Large files make one name of the two in the headers, but libraries call either.
ssize_t pwrite_plain(int fd, const void *data, size_t len, off64_t at) __asm__("pwrite");
ssize_t pwrite_plain(int fd, const void *data, size_t len, off64_t at)
{
	return pwrite_call("pwrite", fd, data, len, at);
}

ssize_t pwrite_large(int fd, const void *data, size_t len, off64_t at) __asm__("pwrite64");
ssize_t pwrite_large(int fd, const void *data, size_t len, off64_t at)
{
	return pwrite_call("pwrite64", fd, data, len, at);
}
