// SPDX-License-Identifier: BSD-3-Clause
// Ports of the configuration become ports of the data plane, with the kernel TAPs beside them.

#ifndef POSTERN_GW_DAEMON_PORTS_H
#define POSTERN_GW_DAEMON_PORTS_H

#include "gw/daemon/daemon.h"

// Whether no port is a NIC of its own: the kernel, or another process, is behind each.
bool ports_are_software(const struct conf *conf);
// Most mbufs that the queues of all ports hold, of one worker.
unsigned ports_queue_mbufs(const struct conf *conf);
// Opens all ports and their TAPs. Returns 0, or -errno after the reason was logged.
int ports_start(struct daemon *daemon) __attribute__((warn_unused_result));

#endif
