// SPDX-License-Identifier: BSD-3-Clause
// A library in front of the C library's fsync() and fdatasync(): each takes as many seconds longer
// as the file $SLOW_SYNC has bytes, like a disk that is busy or failing.

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int file = -1;

__attribute__((constructor)) static void open_file(void)
{
	const char *path = getenv("SLOW_SYNC");

	if (path)
		file = open(path, O_RDONLY | O_CLOEXEC);
}

static void wait(void)
{
	struct timespec left = {0};
	struct stat stat;

	if (file < 0 || fstat(file, &stat))
		return;
	left.tv_sec = stat.st_size;
	while (nanosleep(&left, &left))
		;
}

int fsync(int fd)
{
	wait();
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	wait();
	return (int)syscall(SYS_fdatasync, fd);
}
