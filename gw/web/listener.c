// SPDX-License-Identifier: BSD-3-Clause

#include "gw/web/listener.h"

#include "gw/conf/listen.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16

// Returns 0 if nothing is at the path any more, or -errno.
static int stale_remove(const struct sockaddr_un *at)
{
	struct stat st;
	int fd, rc;

	if (lstat(at->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	rc = connect(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 ? errno : 0;
	close(fd);
	// Anything but a refusal may come from a process that listens.
	if (rc != ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(at->sun_path) < 0 ? -errno : 0;
}

static int unix_listen(struct web_listener *listener, const struct sockaddr_un *at)
{
	struct stat st;
	int rc = stale_remove(at);

	if (rc)
		return rc;
	if (bind(listener->fd, (const struct sockaddr *)at, sizeof(*at)) < 0)
		return -errno;
	// Nobody can connect before listen().
	if (chmod(at->sun_path, 0660) < 0 || lstat(at->sun_path, &st) < 0 ||
		listen(listener->fd, BACKLOG) < 0) {
		rc = -errno;
		unlink(at->sun_path);
		return rc;
	}
	listener->dev = st.st_dev;
	listener->ino = st.st_ino;
	return 0;
}

static int inet_listen(
	struct web_listener *listener, const struct sockaddr_storage *at, socklen_t len)
{
	const int on = 1;

	if (setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (bind(listener->fd, (const struct sockaddr *)at, len) < 0 ||
		listen(listener->fd, BACKLOG) < 0)
		return -errno;
	return 0;
}

static const char *reason(int error, bool has_path)
{
	switch (error) {
	case EADDRINUSE:
		return has_path ? "another process listens there"
				: "another process listens there: name another port, or off";
	case EADDRNOTAVAIL:
		return "this machine does not have the address";
	case EEXIST:
		return "something is there that is no socket";
	default:
		return strerror(error);
	}
}

int web_listen(
	struct web_listener *listener, const char *key, const char *where, struct error *error)
{
	struct sockaddr_storage at;
	socklen_t len = 0;
	int rc;

	*listener = (struct web_listener){.fd = -1};
	if (!conf_listen_parse(where, &at, &len) || !len)
		return error_set(error, -EINVAL, "%s.listen: %s: is no address", key, where);
	listener->path = at.ss_family == AF_UNIX ? where : NULL;
	listener->fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener->fd < 0)
		rc = -errno;
	else
		rc = listener->path ? unix_listen(listener, (const struct sockaddr_un *)&at)
				    : inet_listen(listener, &at, len);
	if (!rc)
		return 0;
	if (listener->fd >= 0)
		close(listener->fd);
	listener->fd = -1;
	return error_set(error, rc, "%s.listen: %s: %s", key, where, reason(-rc, listener->path));
}

void web_listener_remove(const struct web_listener *listener)
{
	struct stat st;

	if (listener->path && lstat(listener->path, &st) == 0 && st.st_dev == listener->dev &&
		st.st_ino == listener->ino)
		unlink(listener->path);
}
