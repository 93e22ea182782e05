// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/revoked_file.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP    (64 << 10) // bytes that are read at once
#define ENTRIES 4096       // that are put into the table at once

struct revoked_file {
	char *path;
	int fd;
	size_t size; // as it was opened
	struct timespec changed;
	size_t got; // bytes that were read
	struct revoked *revoked;
	bool whole; // the text was taken
	size_t len; // bytes in text[] that were not taken
	char text[REVOKED_LINE_MAX + STEP];
};

static int wrong(const char *path, int rc, struct error *error)
{
	return error_set(error, rc, "%s: %s", path,
		rc == -EBUSY            ? "it changes while it is read"
			: rc == -EFBIG  ? "it is larger than 64 MB"
			: rc == -EINVAL ? "it is no file"
			: rc == -ENOMEM ? "no memory"
					: strerror(-rc));
}

static int look(struct revoked_file *file)
{
	struct stat st;

	if (file->fd < 0 || fstat(file->fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > REVOKED_FILE_MAX)
		return -EFBIG;
	file->size = (size_t)st.st_size;
	file->changed = st.st_mtim;
	return 0;
}

// Whether it is as it was opened. One that another took the place of is.
static bool is_unchanged(const struct revoked_file *file)
{
	struct stat st;

	return !fstat(file->fd, &st) && (size_t)st.st_size == file->size &&
		st.st_mtim.tv_sec == file->changed.tv_sec &&
		st.st_mtim.tv_nsec == file->changed.tv_nsec;
}

struct revoked_file *revoked_file_open(const char *path, struct error *error)
{
	struct revoked_file *file = malloc(sizeof(*file));
	int rc = -ENOMEM;

	_Static_assert(REVOKED_FILE_MAX == 64 << 20, "what an error says");
	if (!file) {
		wrong(path, rc, error);
		return NULL;
	}
	file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	rc = look(file);
	file->path = strdup(path);
	file->revoked = revoked_begin();
	file->got = file->len = 0;
	file->whole = false;
	if (!rc && (!file->path || !file->revoked))
		rc = -ENOMEM;
	if (!rc)
		return file;
	wrong(path, rc, error);
	revoked_file_free(file);
	return NULL;
}

// Reads some more of the text. Returns 1, or 0 at its end.
static int fill(struct revoked_file *file)
{
	ssize_t n;

	do
		n = read(file->fd, file->text + file->len, STEP);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	file->got += (size_t)n;
	file->len += (size_t)n;
	if (file->got > file->size || (!n && !is_unchanged(file)))
		return -EBUSY;
	return n != 0;
}

// Reads a piece, and takes the lines that are complete.
static int text_step(struct revoked_file *file, struct error *error)
{
	struct error why;
	const int rc = fill(file);

	if (rc < 0)
		return wrong(file->path, rc, error);
	const ssize_t n = revoked_take(file->revoked, file->text, file->len, !rc, &why);

	if (n < 0)
		return error_set(error, why.code, "%s: %s", file->path, why.text);
	file->len -= (size_t)n;
	memmove(file->text, file->text + n, file->len);
	file->whole = !rc;
	return 1;
}

static int table_step(struct revoked_file *file, struct error *error)
{
	const int rc = revoked_index(file->revoked, ENTRIES, NULL);

	return rc < 0 ? wrong(file->path, rc, error) : rc;
}

int revoked_file_read(struct revoked_file *file, uint64_t until_ns, struct error *error)
{
	int rc;

	do
		rc = file->whole ? table_step(file, error) : text_step(file, error);
	while (rc > 0 && clock_ns() < until_ns);
	return rc;
}

struct revoked *revoked_file_take(struct revoked_file *file)
{
	struct revoked *revoked = file->revoked;

	file->revoked = NULL;
	return revoked;
}

void revoked_file_free(struct revoked_file *file)
{
	if (!file)
		return;
	if (file->fd >= 0)
		close(file->fd);
	revoked_free(file->revoked);
	free(file->path);
	free(file);
}

int revoked_file_whole(const char *path, struct revoked **revoked, struct error *error)
{
	struct revoked_file *file = revoked_file_open(path, error);
	int rc = file ? 1 : error->code;

	while (rc > 0)
		rc = revoked_file_read(file, UINT64_MAX, error);
	if (!rc)
		*revoked = revoked_file_take(file);
	revoked_file_free(file);
	return rc;
}
