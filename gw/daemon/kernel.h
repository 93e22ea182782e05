// SPDX-License-Identifier: BSD-3-Clause
// Frames between the ports and the kernel TAPs beside them.

#ifndef POSTERN_GW_DAEMON_KERNEL_H
#define POSTERN_GW_DAEMON_KERNEL_H

#include "gw/daemon/daemon.h"

// Frames that the workers have for the kernel.
void to_kernel(struct daemon *daemon);
// Frames that the kernel has for a port.
void from_kernel(struct daemon *daemon, struct daemon_port *port);

#endif
