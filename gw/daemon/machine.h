// SPDX-License-Identifier: BSD-3-Clause
// What the start needs of the machine: descriptors, memory, NICs, and EAL.

#ifndef POSTERN_GW_DAEMON_MACHINE_H
#define POSTERN_GW_DAEMON_MACHINE_H

#include "gw/daemon/daemon.h"

// Returns 0 or -errno after the reason was logged. mtu: the largest of all ports.
int raise_descriptors(const struct conf *conf, uint16_t mtu) __attribute__((warn_unused_result));
int start_eal(struct daemon *daemon, uint16_t mtu) __attribute__((warn_unused_result));

#endif
