// SPDX-License-Identifier: BSD-3-Clause
// A file as it was when it was opened, in memory.

#ifndef POSTERN_BASE_WHOLE_FILE_H
#define POSTERN_BASE_WHOLE_FILE_H

#include <stddef.h>

struct whole_file {
	char *bytes; // not ended by 0; may be NULL if len is 0
	size_t len;
};

// Reads a file of at most so many bytes, and waits for no pipe. Returns 0 or -errno: -EINVAL if it
// is no regular file, -EFBIG if it has more, -EBUSY if it changes while it is read, so that nobody
// takes a part for all of it.
int whole_file_read(struct whole_file *file, const char *path, size_t most)
	__attribute__((warn_unused_result));
// Wipes it, since it may be a key. Also after a failure.
void whole_file_wipe(struct whole_file *file);

#endif
