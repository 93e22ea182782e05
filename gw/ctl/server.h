// SPDX-License-Identifier: BSD-3-Clause
// Server of the control socket (docs/control.md): accepts clients, reads their messages and sends
// them answers and events.
//
// All of it runs on one thread, that of the caller of ctl_server_poll(), and never blocks: not on
// a client that does not read, nor on one that does not write. Other threads hand their results to
// that thread, which answers.

#ifndef POSTERN_GW_CTL_SERVER_H
#define POSTERN_GW_CTL_SERVER_H

#include "gw/ctl/protocol.h"
#include "gw/ctl/request.h"
#include "gw/ctl/stats.h"

#include <stddef.h>
#include <sys/types.h>

struct ctl_server_conf {
	const char *path;      // of the socket; shorter than sun_path
	mode_t mode;           // of the socket, e.g. 0660: who may connect
	gid_t gid;             // of the socket, whose members operate; (gid_t)-1 leaves it
	uid_t owner;           // this user and root are admin
	enum ctl_level others; // level of everybody else who may connect
	const struct ctl_verb *verbs;
	size_t verb_count;
	void *arg;                // handed to the handlers
	unsigned idle_timeout_ms; // 0: CTL_IDLE_TIMEOUT_MS
};

struct ctl_server;

// Makes the socket and listens. What conf points to must outlive the server; conf itself need not.
// The socket file of a daemon that is dead is replaced. NULL and errno on failure: EADDRINUSE if
// a daemon answers on that path, EEXIST if something is there that is no socket, ENAMETOOLONG,
// and those of socket(), bind(), chmod() and chown().
struct ctl_server *ctl_server_create(const struct ctl_server_conf *conf)
	__attribute__((warn_unused_result));
// Sends what the clients take at once, disconnects them, and removes the socket file if it is still
// ours. Requests that are not answered yet stay valid, and so does the memory they need: the last
// reply to them, which then goes nowhere, frees them. NULL is allowed.
void ctl_server_free(struct ctl_server *server);

// File descriptor (epoll) that is readable when ctl_server_poll() has something to do.
int ctl_server_fd(const struct ctl_server *server);
// Handles what is ready, at most a bounded piece of it, without waiting. Handlers run inside; they
// must not call this or ctl_server_free().
void ctl_server_poll(struct ctl_server *server);

// Looks whether the socket's file is the one that was made. If it was removed, as by what cleans
// directories, makes it again and listens there; who is connected stays. Never waits. Returns 0 if
// it is there, 1 if it was made again, or -errno as ctl_server_create() says.
int ctl_server_look(struct ctl_server *server) __attribute__((warn_unused_result));

void ctl_server_get_stats(const struct ctl_server *server, struct ctl_server_stats *stats);

// Sends [0, name, body] to all clients that subscribed, and empties the body. Never waits: a
// client that does not read is cut off.
void ctl_server_event(struct ctl_server *server, const char *name, struct ctl_writer *body);
unsigned ctl_server_subscribers(const struct ctl_server *server);

#endif
