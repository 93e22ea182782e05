// SPDX-License-Identifier: BSD-3-Clause
// The two directories of a store, and the lock that keeps other processes out.

#ifndef POSTERN_GW_STORE_DIRECTORY_H
#define POSTERN_GW_STORE_DIRECTORY_H

#include "gw/store/store.h"

#define STORE_LOCK "lock"

// Makes and opens both directories, and takes the lock; sets directory_fd, lock_fd and runtime_fd,
// which store_close() closes, also on failure. -EBUSY if another process has the lock.
int directories_open(struct store *store, const struct store_config *config, struct error *error)
	__attribute__((warn_unused_result));
// Makes and opens the runtime directory again after somebody removed it, and closes what was open
// of it. Returns 0 or -errno; then runtime_fd is as it was.
int runtime_open_again(struct store *store) __attribute__((warn_unused_result));

#endif
