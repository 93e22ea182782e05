// SPDX-License-Identifier: BSD-3-Clause
// Small files, replaced as a whole and durably.

#ifndef POSTERN_GW_STORE_FILE_H
#define POSTERN_GW_STORE_FILE_H

#include <stddef.h>
#include <sys/types.h>

int file_replace(int directory_fd, const char *name, const void *data, size_t len)
	__attribute__((warn_unused_result));
// As root, by hand: gives a file to the owner of its directory, so that the service can have it
// afterwards. Nobody else gives anything away.
int file_give(int fd, int directory_fd) __attribute__((warn_unused_result));
// Returns the length, at most room, or -errno; -EFBIG if there is more.
ssize_t file_read(int directory_fd, const char *name, void *data, size_t room)
	__attribute__((warn_unused_result));
// Closes a file that has no name any more. The blocks of a large one are freed meanwhile by a
// thread of its own: that takes longer than others may have to wait.
void file_close_later(int fd);
// Makes the name of a file durable in its directory.
int file_name_sync(const char *path) __attribute__((warn_unused_result));

#endif
