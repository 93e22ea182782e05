// SPDX-License-Identifier: BSD-3-Clause
// The mark files, one beside the database and one in the runtime directory. Each has the next run
// and the count of transactions. A database with a lower count is an older copy, which does not
// know what was accepted or removed since, even if no run was granted.

#include "gw/store/run_mark.h"

#include "gw/store/directory.h"
#include "gw/store/file.h"
#include "gw/store/run_token.h"
#include "gw/store/state.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MARK_HEAD(format) "postern run mark " format ": "
#define MARK_FORMAT       MARK_HEAD("3") "%" PRIu32 " %" PRIu64 "\n"
#define MARK_FORMAT_2     MARK_HEAD("2") "%" PRIu32 " %" PRIu64 "\n" // of a wide run
#define MARK_FORMAT_1     MARK_HEAD("1") "%" PRIu32 "\n" // the same, without transactions

uint32_t run_of_wide(uint32_t run)
{
	uint64_t narrow = (uint64_t)run * STORE_WIDE_RUN + STORE_WIDE_RUN - 1;

	return narrow < STORE_RUN_MAX + 1 ? narrow : STORE_RUN_MAX + 1;
}

int run_mark_read(int directory_fd, struct run_mark *mark)
{
	char text[64], again[64];

	*mark = (struct run_mark){0};

	ssize_t len = file_read(directory_fd, STORE_MARK, text, sizeof(text) - 1);
	if (len < 0)
		return len == -EFBIG ? -EBADMSG : len;
	text[len] = 0;
	// What is read must be what we would write, to the last byte.
	again[0] = 0;
	bool wide = true;
	if (sscanf(text, MARK_FORMAT, &mark->run, &mark->commits) == 2) {
		snprintf(again, sizeof(again), MARK_FORMAT, mark->run, mark->commits);
		wide = false;
	} else if (sscanf(text, MARK_FORMAT_2, &mark->run, &mark->commits) == 2) {
		snprintf(again, sizeof(again), MARK_FORMAT_2, mark->run, mark->commits);
	} else if (sscanf(text, MARK_FORMAT_1, &mark->run) == 1) {
		snprintf(again, sizeof(again), MARK_FORMAT_1, mark->run);
	}
	if (again[0] != 0 && strcmp(text, again) == 0) {
		mark->run = wide ? run_of_wide(mark->run) : mark->run;
		return 0;
	}
	*mark = (struct run_mark){0};
	return -EBADMSG;
}

// If somebody, or what cleans /run, removed the runtime directory, makes it again with what this
// start had in it, else no mark could be written before the next start.
static int runtime_mark_write(struct store *store, const char *mark, size_t len)
{
	int code = file_replace(store->runtime_fd, STORE_MARK, mark, len);

	if (code != -ENOENT)
		return code;
	code = runtime_open_again(store);
	if (code == 0)
		code = file_replace(store->runtime_fd, STORE_MARK, mark, len);
	if (code == 0 && store->started)
		code = run_token_write(store);
	return code;
}

int run_marks_write(struct store *store, struct error *error)
{
	char text[64];

	assert(store->run_next <= STORE_RUN_MAX + 1);
	int len = snprintf(text, sizeof(text), MARK_FORMAT, store->run_next, store->commits);
	int code = file_replace(store->directory_fd, STORE_MARK, text, len);
	if (code == 0)
		code = runtime_mark_write(store, text, len);
	if (code == 0)
		return 0;
	store->broken = true;
	// A directory that is gone is a disk that takes no writes, not a device that is not there.
	store->broken_by = code == -ENOENT || code == -ENOTDIR ? -EIO : code;
	return error_set(
		error, store->broken_by, "cannot write " STORE_MARK ": %s", strerror(-code));
}
