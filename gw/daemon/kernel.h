// SPDX-License-Identifier: BSD-3-Clause
// Frames between the ports and the kernel TAPs beside them.

#ifndef POSTERN_GW_DAEMON_KERNEL_H
#define POSTERN_GW_DAEMON_KERNEL_H

#include "gw/daemon/daemon.h"

// In each turn of main: writes the frames of all workers to the TAPs of their ports.
void kernel_put_frames(struct daemon *daemon);
// When the TAP of a port is readable: hands its frames to the first worker, which sends them.
void kernel_take_frames(struct daemon *daemon, struct daemon_port *port);

#endif
