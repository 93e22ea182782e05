// SPDX-License-Identifier: BSD-3-Clause
// What the start needs of the machine: descriptors, memory, NICs, and EAL.

#ifndef POSTERN_GW_DAEMON_MACHINE_H
#define POSTERN_GW_DAEMON_MACHINE_H

#include "gw/daemon/daemon.h"

// mtu: the largest of all ports.
// What the memory of the data plane follows from. The rest of it is zero.
struct dp_conf machine_dp_sizes(const struct conf *conf, uint16_t mtu);
// What the configuration needs of a machine, before anything is started: memory of DPDK (MB, from
// huge pages unless the configuration says no) and file descriptors.
void machine_needs(const struct conf *conf, uint64_t *memory_mb, uint64_t *descriptors);
// Both return 0, or -errno after the reason was logged.
// Raises the limit of file descriptors to what this configuration can need.
int machine_raise_descriptors(const struct conf *conf, uint16_t mtu)
	__attribute__((warn_unused_result));
// Checks huge pages and NICs and starts EAL.
int machine_start_eal(struct daemon *daemon, uint16_t mtu) __attribute__((warn_unused_result));

#endif
