// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

// Two daemons that start at once must not both find the file stale, so the directory is locked
// while it is looked at. Returns its descriptor or -errno; closing that unlocks.
static int directory_lock(const struct sockaddr_un *addr)
{
	char path[sizeof(addr->sun_path)];
	int fd, ret;

	memcpy(path, addr->sun_path, sizeof(path));
	fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	do
		ret = flock(fd, LOCK_EX);
	while (ret < 0 && errno == EINTR);
	if (ret < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
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
	// Anything but a refusal may come from somebody who listens: a full queue (EAGAIN),
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
	// chown() clears bits of the mode on some file systems, so chmod() comes second.
	if ((gid != (gid_t)-1 && chown(addr->sun_path, -1, gid) < 0) ||
		chmod(addr->sun_path, mode) < 0 || lstat(addr->sun_path, &st) < 0 ||
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

int ctl_socket_listen(struct ctl_socket *sock, const char *path, mode_t mode, gid_t gid)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int lock, ret;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	lock = directory_lock(&addr);
	if (lock < 0)
		return lock;
	ret = listen_at(sock, &addr, mode, gid);
	close(lock);
	return ret;
}

void ctl_socket_close(struct ctl_socket *sock, const char *path)
{
	struct stat st;

	close(sock->fd);
	if (lstat(path, &st) == 0 && st.st_dev == sock->dev && st.st_ino == sock->ino)
		unlink(path);
}
