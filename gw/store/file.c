// SPDX-License-Identifier: BSD-3-Clause
// Small files that are replaced as a whole. A reader finds either the old or the new content, also
// after a power cut.

#include "gw/store/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FREE_AT_ONCE (32 << 20) // bytes of a file

static int write_and_sync(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= n;
	}
	return fsync(fd) == 0 ? 0 : -errno;
}

int file_give(int fd, int directory_fd)
{
	struct stat directory, st;

	if (geteuid() != 0)
		return 0;
	if (fstat(fd, &st) != 0 || fstat(directory_fd, &directory) != 0)
		return -errno;
	// A second name may be anywhere.
	if (st.st_uid == directory.st_uid || st.st_nlink != 1)
		return 0;
	return fchown(fd, directory.st_uid, directory.st_gid) == 0 ? 0 : -errno;
}

int file_replace(int directory_fd, const char *name, const void *data, size_t len)
{
	char temporary[64];

	assert(strlen(name) + sizeof(".new") <= sizeof(temporary));
	snprintf(temporary, sizeof(temporary), "%s.new", name);

	// A name of ours in a directory of ours: what a crash left there may go.
	int fd = openat(directory_fd, temporary,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int code = file_give(fd, directory_fd);
	if (code == 0)
		code = write_and_sync(fd, data, len);
	if (close(fd) != 0 && code == 0)
		code = -errno;
	if (code == 0 && renameat(directory_fd, temporary, directory_fd, name) != 0)
		code = -errno;
	if (code != 0) {
		unlinkat(directory_fd, temporary, 0);
		return code;
	}
	return fsync(directory_fd) == 0 ? 0 : -errno;
}

ssize_t file_read(int directory_fd, const char *name, void *data, size_t room)
{
	int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return -errno;

	uint8_t *to = data;
	size_t len = 0;
	ssize_t n;
	uint8_t more;
	for (;;) {
		n = len < room ? read(fd, to + len, room - len) : read(fd, &more, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || len == room)
			break;
		len += n;
	}
	int code = n < 0 ? -errno : n > 0 ? -EFBIG : 0;
	close(fd);
	return code != 0 ? code : (ssize_t)len;
}

static void *close_it(void *arg)
{
	close((int)(intptr_t)arg);
	return NULL;
}

void file_close_later(int fd)
{
	pthread_attr_t detached;
	pthread_t thread;
	struct stat st;
	bool later = fstat(fd, &st) == 0 && st.st_size > FREE_AT_ONCE &&
		pthread_attr_init(&detached) == 0;

	if (later) {
		pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
		later = pthread_create(&thread, &detached, close_it, (void *)(intptr_t)fd) == 0;
		pthread_attr_destroy(&detached);
	}
	if (!later)
		close(fd);
}

int file_name_sync(const char *path)
{
	char *copy = strdup(path);

	if (copy == NULL)
		return -ENOMEM;
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = fd < 0 || fsync(fd) != 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	free(copy);
	return code;
}
