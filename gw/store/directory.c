// SPDX-License-Identifier: BSD-3-Clause
// Opens the two directories of a store, and takes the lock that keeps other processes out.

#include "gw/store/directory.h"

#include "gw/store/file.h"
#include "gw/store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int directory_open(const char *path, mode_t mode, struct error *error)
{
	if (mkdir(path, mode) != 0 && errno != EEXIST) {
		int code = -errno;
		return error_set(error, code, "cannot make %s: %s", path, strerror(-code));
	}
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		int code = -errno;
		return error_set(error, code, "cannot open %s: %s", path, strerror(-code));
	}
	return fd;
}

// Without its name a new store would be lost as a whole, and a newer one would begin with the same
// run.
static int directory_name_sync(const char *path, struct error *error)
{
	int code = file_name_sync(path);

	// Made by somebody else, where we may not even look.
	if (code == 0 || code == -EACCES)
		return 0;
	return error_set(error, code, "cannot sync the name of %s: %s", path, strerror(-code));
}

// Only the owner of the file can open it, as each user who can open a lock can hold it.
static int lock_take(struct store *store, struct error *error)
{
	struct stat directory, st;
	int code = 0;

	store->lock_fd = openat(store->directory_fd, STORE_LOCK,
		O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
	if (store->lock_fd < 0 || fstat(store->lock_fd, &st) != 0 ||
		fstat(store->directory_fd, &directory) != 0)
		code = -errno;
	else if (!S_ISREG(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != directory.st_uid))
		code = -EPERM;
	else if ((st.st_mode & 077) != 0 && fchmod(store->lock_fd, 0600) != 0)
		code = -errno;
	else
		code = file_give(store->lock_fd, store->directory_fd);
	if (code != 0)
		return error_set(error, code, "cannot use %s/" STORE_LOCK ": %s", store->directory,
			strerror(-code));
	if (flock(store->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	code = errno == EWOULDBLOCK ? -EBUSY : -errno;
	return error_set(error, code, "the store %s: %s", store->directory,
		code == -EBUSY ? "another process has it" : strerror(-code));
}

// Others come through here to the control socket.
static int runtime_open(const struct store *store, struct error *error)
{
	return directory_open(store->runtime, 0755, error);
}

int runtime_open_again(struct store *store)
{
	int fd = runtime_open(store, NULL);

	if (fd < 0)
		return fd;
	close(store->runtime_fd);
	store->runtime_fd = fd;
	return 0;
}

int directories_open(struct store *store, const struct store_config *config, struct error *error)
{
	store->directory_fd = directory_open(config->directory, 0700, error);
	if (store->directory_fd < 0)
		return store->directory_fd;
	int code = lock_take(store, error);
	if (code != 0)
		return code;
	store->runtime_fd = runtime_open(store, error);
	return store->runtime_fd < 0 ? store->runtime_fd
				     : directory_name_sync(config->directory, error);
}
