// SPDX-License-Identifier: BSD-3-Clause
// The HTTP loops together: starting them, and what they know of each upstream.

#ifndef POSTERN_GW_DAEMON_UPSTREAMS_H
#define POSTERN_GW_DAEMON_UPSTREAMS_H

#include "gw/daemon/daemon.h"

// Opens the access log, makes the loops and starts them. Returns 0 or -errno after the reason was
// logged.
int upstreams_start(struct daemon *daemon) __attribute__((warn_unused_result));

// What an operator ordered of a server; any thread. It is kept in memory only: a restart makes all
// ready.
enum ctl_server_order upstreams_ordered(const struct up_server_slot *server);
// Orders it, for that user: all loops follow within a turn. Logged, and told as an event, unless it
// is so already.
void upstreams_order(struct daemon *daemon, struct up_server_slot *server,
	enum ctl_server_order order, uid_t by);

// In each turn of main: sends an event for each upstream whose number of servers up has changed.
void upstreams_turn(struct daemon *daemon);

#endif
