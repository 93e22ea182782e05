// SPDX-License-Identifier: BSD-3-Clause

#include "base/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Reads what fstat() told of, and one byte more if there is one.
static int fill(struct whole_file *file, int fd, size_t size)
{
	ssize_t n = 0;

	file->bytes = malloc(size + 1);
	if (!file->bytes)
		return -ENOMEM;
	while (file->len <= size) {
		n = read(fd, file->bytes + file->len, size + 1 - file->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		file->len += (size_t)n;
	}
	if (n < 0)
		return -errno;
	return file->len == size ? 0 : -EBUSY;
}

int whole_file_read(struct whole_file *file, const char *path, size_t most)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int rc;

	*file = (struct whole_file){.bytes = NULL};
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EINVAL;
	else if ((size_t)st.st_size > most)
		rc = -EFBIG;
	else
		rc = fill(file, fd, (size_t)st.st_size);
	close(fd);
	return rc;
}

void whole_file_wipe(struct whole_file *file)
{
	if (file->bytes)
		explicit_bzero(file->bytes, file->len);
	free(file->bytes);
	*file = (struct whole_file){.bytes = NULL};
}
