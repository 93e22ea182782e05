// SPDX-License-Identifier: BSD-3-Clause
// The file of a listening UNIX socket.

#ifndef POSTERN_GW_CTL_SOCKET_H
#define POSTERN_GW_CTL_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

struct ctl_socket {
	int fd;
	dev_t dev; // of the file that was made; another in its place has other numbers
	ino_t ino;
};

// Listens (SOCK_SEQPACKET, non-blocking) on path with this mode and group; gid (gid_t)-1 leaves
// the group. No client can connect before both are set. A socket file on which no process listens
// is replaced. Returns 0 or -errno: -EADDRINUSE if a process listens there, -EEXIST if there is
// something that is no socket, -EBUSY if another process is about to listen there, -ENOLCK if there
// is a lock that is not ours, -ENAMETOOLONG.
int ctl_socket_listen(struct ctl_socket *sock, const char *path, mode_t mode, gid_t gid)
	__attribute__((warn_unused_result));
// The same without waiting for another process that holds the lock: -EBUSY.
int ctl_socket_listen_now(struct ctl_socket *sock, const char *path, mode_t mode, gid_t gid)
	__attribute__((warn_unused_result));
// Whether the file is still the one that was made.
bool ctl_socket_is_there(const struct ctl_socket *sock, const char *path);
// What such an error means, for people.
const char *ctl_socket_error(int error);
// Stops listening, and removes the file if it is still the one that was made.
void ctl_socket_close(struct ctl_socket *sock, const char *path);

#endif
