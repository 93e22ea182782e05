// SPDX-License-Identifier: BSD-3-Clause
// Small files, and names of files, that are on the disk when a function returns.

#ifndef POSTERN_GW_STORE_FILE_H
#define POSTERN_GW_STORE_FILE_H

#include <stddef.h>
#include <sys/types.h>

// Replaces a file, or makes it, with mode 0600. On the disk on return; if it fails, the old or the
// new content is there.
int file_replace(int directory_fd, const char *name, const void *data, size_t len)
	__attribute__((warn_unused_result));
// If the process is root, gives a file to the owner of its directory, so that the service can use
// it after a command of root.
int file_give(int fd, int directory_fd) __attribute__((warn_unused_result));
// Reads a file as a whole. Returns its length, at most room, or -errno; -EFBIG if it is longer.
ssize_t file_read(int directory_fd, const char *name, void *data, size_t room)
	__attribute__((warn_unused_result));
// Closes a file that has no name any more. A large one is closed by a thread of its own, as freeing
// its blocks takes longer than others may wait.
void file_close_later(int fd);
// Syncs the directory that has the name of this file.
int file_name_sync(const char *path) __attribute__((warn_unused_result));

#endif
