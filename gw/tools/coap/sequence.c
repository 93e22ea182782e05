// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/sequence.h"

#include "dataplane/oscore/option.h"
#include "gw/tools/coap/number.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD     "oscore-sequence next "
#define FILE_MAX 64 // bytes of a state file

static int system_failure(struct error *f, const char *path)
{
	return error_set(f, -errno, "%s: %s", path, strerror(errno));
}

static char *with_ending(const char *keys)
{
	char *path;

	return asprintf(&path, "%s.seq", keys) < 0 ? NULL : path;
}

static bool same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	return !stat(a, &sa) && !stat(b, &sb) && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

int sequence_path(const char *keys, char **path, struct error *f)
{
	char *real = realpath(keys, NULL), *beside = NULL, *wanted = NULL;
	struct stat st;
	int err = 0;

	if (!real || stat(real, &st))
		err = system_failure(f, keys);
	else if (!S_ISREG(st.st_mode))
		err = error_set(f, -EINVAL,
			"%s: not a file, so that no sequence numbers can be kept beside it", keys);
	else if (st.st_nlink > 1)
		err = error_set(f, -EMLINK,
			"%s: this file has %lu names (hard links), and each would have sequence "
			"numbers of its own; remove the others",
			keys, (unsigned long)st.st_nlink);
	else if (!(beside = with_ending(keys)) || !(wanted = with_ending(real)))
		err = error_set(f, -ENOMEM, "out of memory");
	else if (!access(beside, F_OK) && !same_file(beside, wanted))
		err = error_set(f, -EEXIST,
			"%s is not the sequence file of these keys, which are in %s: keep the "
			"higher number in %s, and remove the other file",
			beside, real, wanted);
	free(real);
	free(beside);
	if (err)
		free(wanted);
	*path = err ? NULL : wanted;
	return err;
}

static int read_state(const char *path, uint64_t *next, bool *started, struct error *f)
{
	char text[FILE_MAX] = "";
	// Writing replaces a link by a file, and what it pointed to would be given out again.
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	*next = 0;
	*started = fd < 0 && errno == ENOENT;
	if (*started)
		return 0;
	if (fd < 0)
		return system_failure(f, path);
	ssize_t len = read(fd, text, sizeof(text) - 1);
	int err = len < 0 ? system_failure(f, path) : 0;
	close(fd);
	if (err)
		return err;
	// An empty or cut file must never look like a new one.
	char *end = memchr(text, '\n', (size_t)len);
	if (!end || end != text + len - 1 || strncmp(text, HEAD, strlen(HEAD)))
		return error_set(f, -EBADMSG, "%s: not a sequence number file", path);
	*end = 0;
	if (!number_parse(text + strlen(HEAD), OSC_PIV_MAX + 1, next))
		return error_set(f, -EBADMSG, "%s: not a sequence number file", path);
	return 0;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

// Makes a rename in the folder of path durable.
static int sync_folder(const char *path, struct error *f)
{
	char *copy = strdup(path);

	if (!copy)
		return error_set(f, -ENOMEM, "out of memory");
	const char *folder = dirname(copy);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 || fsync(fd) ? system_failure(f, folder) : 0;
	if (fd >= 0)
		close(fd);
	free(copy);
	return err;
}

static int write_state(const char *path, const char *temporary, uint64_t next, struct error *f)
{
	char text[FILE_MAX];
	int len = snprintf(text, sizeof(text), HEAD "%" PRIu64 "\n", next);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return system_failure(f, temporary);
	int err = write_all(fd, text, (size_t)len) || fsync(fd) ? system_failure(f, temporary) : 0;
	if (close(fd) && !err)
		err = system_failure(f, temporary);
	if (!err && rename(temporary, path))
		err = system_failure(f, path);
	return err ? err : sync_folder(path, f);
}

// Runs on the state while no other process can change it.
struct change {
	bool give_back;
	uint64_t first, end; // give_back: the numbers; else first is set
	uint64_t count;      // to be taken
	bool started;
};

static int change_locked(
	const char *path, const char *temporary, struct change *change, struct error *f)
{
	uint64_t next;
	int err = read_state(path, &next, &change->started, f);

	if (err)
		return err;
	if (change->give_back)
		return next == change->end ? write_state(path, temporary, change->first, f) : 0;
	if (next > OSC_PIV_MAX || change->count > OSC_PIV_MAX + 1 - next)
		return error_set(f, -EOVERFLOW,
			"%s: all sequence numbers are used up; the device needs new keys", path);
	change->first = next;
	return write_state(path, temporary, next + change->count, f);
}

static int change_state(const char *path, struct change *change, struct error *f)
{
	char *lock = NULL, *temporary = NULL;
	int err = 0, fd = -1;

	if (asprintf(&lock, "%s.lock", path) < 0 || asprintf(&temporary, "%s.new", path) < 0)
		err = error_set(f, -ENOMEM, "out of memory");
	if (!err) {
		fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 || flock(fd, LOCK_EX))
			err = system_failure(f, lock);
	}
	if (!err)
		err = change_locked(path, temporary, change, f);
	if (fd >= 0)
		close(fd);
	free(lock);
	free(temporary);
	return err;
}

int sequence_take_range(
	const char *path, uint64_t count, uint64_t *first, bool *started, struct error *f)
{
	struct change change = {.count = count};
	int err = change_state(path, &change, f);

	*first = change.first;
	*started = change.started;
	return err;
}

int sequence_take(const char *path, uint64_t *number, bool *started, struct error *f)
{
	return sequence_take_range(path, 1, number, started, f);
}

int sequence_give_back(const char *path, uint64_t first, uint64_t end, struct error *f)
{
	struct change change = {.give_back = true, .first = first, .end = end};

	return change_state(path, &change, f);
}

int sequence_stock_take(const char *path, struct sequence_stock *stock, uint64_t *number,
	bool *started, struct error *f)
{
	uint64_t next;
	bool none;

	*started = false;
	if (stock->next < stock->end) {
		int err = read_state(path, &next, &none, f);

		if (err)
			return err;
		if (none || next < stock->end)
			return error_set(
				f, -EBADMSG, "%s: somebody has put an older state there", path);
		if (next == stock->end) {
			*number = stock->next++;
			return 0;
		}
		stock->taken = 0;
	}
	uint64_t count = stock->taken ? 2 * stock->taken : 1;
	if (count > SEQUENCE_STOCK_MAX)
		count = SEQUENCE_STOCK_MAX;
	stock->next = stock->end = 0;
	int err = sequence_take_range(path, count, number, started, f);
	if (err == -EOVERFLOW) // but there may be one
		err = sequence_take_range(path, count = 1, number, started, f);
	if (err)
		return err;
	*stock = (struct sequence_stock){
		.next = *number + 1, .end = *number + count, .taken = count};
	return 0;
}

int sequence_stock_return(const char *path, struct sequence_stock *stock, struct error *f)
{
	int err = 0;

	if (stock->next < stock->end)
		err = sequence_give_back(path, stock->next, stock->end, f);
	*stock = (struct sequence_stock){0};
	return err;
}
