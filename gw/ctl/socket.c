// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

// Two daemons that start at once must not both find the socket stale, so each takes a lock while it
// looks: a file next to the socket that only its owner can open, so that no other user can hold it.

#define LOCK_SUFFIX ".lock"
#define LOCK_TRIES  250 // of 20 ms each; it is held for no longer than a few system calls

struct lock {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + sizeof(LOCK_SUFFIX)];
	int fd;
};

// Returns 0, -EAGAIN if it is to be tried again, or another -errno.
static int lock_try(struct lock *lock)
{
	struct stat held, there;
	int ret = 0;

	lock->fd = open(lock->path,
		O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
	if (lock->fd < 0) {
		ret = -errno;
		return (ret == -EACCES || ret == -EISDIR || ret == -ELOOP) &&
				!lstat(lock->path, &there)
			? -ENOLCK
			: ret;
	}
	if (fstat(lock->fd, &held) < 0)
		ret = -errno;
	else if (!S_ISREG(held.st_mode) || held.st_uid != geteuid() || (held.st_mode & 077))
		ret = -ENOLCK;
	else if (flock(lock->fd, LOCK_EX | LOCK_NB) < 0)
		ret = errno == EINTR ? -EAGAIN : -errno;
	// The process that held it has removed its name, and another may have made a new file.
	else if (lstat(lock->path, &there) < 0 || there.st_ino != held.st_ino ||
		there.st_dev != held.st_dev)
		ret = -EAGAIN;
	if (ret < 0)
		close(lock->fd);
	return ret;
}

static int lock_take(struct lock *lock, const struct sockaddr_un *addr, unsigned tries)
{
	const struct timespec moment = {.tv_nsec = 20000000};
	int ret = -EAGAIN;

	snprintf(lock->path, sizeof(lock->path), "%s" LOCK_SUFFIX, addr->sun_path);
	for (unsigned i = 0; i < tries && ret == -EAGAIN; i++) {
		if (i)
			nanosleep(&moment, NULL);
		ret = lock_try(lock);
	}
	return ret == -EAGAIN ? -EBUSY : ret;
}

static void lock_give(const struct lock *lock)
{
	unlink(lock->path);
	close(lock->fd);
}

// Returns 0 if nothing is at the path any more, or -errno.
static int stale_remove(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd, ret;

	if (lstat(addr->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	ret = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 ? errno : 0;
	close(fd);
	// Anything but a refusal may come from a process that listens: a full queue (EAGAIN),
	// another type of socket (EPROTOTYPE), no permission.
	if (ret != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(addr->sun_path) < 0 ? -errno : 0;
}

static int listen_at(
	struct ctl_socket *sock, const struct sockaddr_un *addr, mode_t mode, gid_t gid)
{
	struct stat st;
	int ret;

	ret = stale_remove(addr);
	if (ret < 0)
		return ret;
	sock->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock->fd < 0)
		return -errno;
	if (bind(sock->fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0) {
		ret = -errno;
		close(sock->fd);
		return ret;
	}
	// A new group clears bits of the mode on some file systems, so the mode comes second. By
	// the calls that main's filter allows.
	if ((gid != (gid_t)-1 && fchownat(AT_FDCWD, addr->sun_path, -1, gid, 0) < 0) ||
		fchmodat(AT_FDCWD, addr->sun_path, mode, 0) < 0 || lstat(addr->sun_path, &st) < 0 ||
		listen(sock->fd, SOMAXCONN) < 0) {
		ret = -errno;
		unlink(addr->sun_path);
		close(sock->fd);
		return ret;
	}
	sock->dev = st.st_dev;
	sock->ino = st.st_ino;
	return 0;
}

const char *ctl_socket_error(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "another postern answers there";
	case EEXIST:
		return "something is there that is no socket";
	case EBUSY:
		return "another postern is starting there";
	case ENOLCK:
		return "the lock file beside it (" LOCK_SUFFIX ") is not ours: remove it";
	default:
		return strerror(error);
	}
}

static int lock_and_listen(
	struct ctl_socket *sock, const char *path, mode_t mode, gid_t gid, unsigned tries)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct lock lock;
	int ret;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	ret = lock_take(&lock, &addr, tries);
	if (ret < 0)
		return ret;
	ret = listen_at(sock, &addr, mode, gid);
	lock_give(&lock);
	return ret;
}

int ctl_socket_listen(struct ctl_socket *sock, const char *path, mode_t mode, gid_t gid)
{
	return lock_and_listen(sock, path, mode, gid, LOCK_TRIES);
}

int ctl_socket_listen_now(struct ctl_socket *sock, const char *path, mode_t mode, gid_t gid)
{
	return lock_and_listen(sock, path, mode, gid, 1);
}

bool ctl_socket_is_there(const struct ctl_socket *sock, const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && st.st_dev == sock->dev && st.st_ino == sock->ino;
}

void ctl_socket_close(struct ctl_socket *sock, const char *path)
{
	close(sock->fd);
	if (ctl_socket_is_there(sock, path))
		unlink(path);
}
