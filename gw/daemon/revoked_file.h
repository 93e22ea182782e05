// SPDX-License-Identifier: BSD-3-Clause
// Reads the file of edhoc.revoked in slices, so that main does other things meanwhile: a list of
// tens of megabytes takes a second.

#ifndef POSTERN_GW_DAEMON_REVOKED_FILE_H
#define POSTERN_GW_DAEMON_REVOKED_FILE_H

#include "base/error.h"
#include "gw/handshake/revoked.h"

#include <stdint.h>

struct revoked_file;

// Opens it. NULL and *error with the path and what is wrong: -EINVAL if it is no regular file,
// -EFBIG if it is larger than REVOKED_FILE_MAX, -EMFILE, -ENOMEM and others.
struct revoked_file *revoked_file_open(const char *path, struct error *error);
// Reads until the list is made, or the time is over (clock_ns()), of which little is more than a
// step of some 64 KB. Returns 1 if there is more, 0 if it is made, or -errno and
// *error: -EINVAL with the line, -EBUSY if the file changes while it is read.
int revoked_file_read(struct revoked_file *file, uint64_t until_ns, struct error *error)
	__attribute__((warn_unused_result));
// The list that was made, which is the caller's then.
struct revoked *revoked_file_take(struct revoked_file *file);
// Closes it, and frees what was not taken. NULL is allowed.
void revoked_file_free(struct revoked_file *file);

// All of it at once. Returns 0 or -errno and *error.
int revoked_file_whole(const char *path, struct revoked **revoked, struct error *error)
	__attribute__((warn_unused_result));

#endif
