// SPDX-License-Identifier: BSD-3-Clause
// The XDP program that keeps an AF_XDP port from taking more than CoAP.

#ifndef POSTERN_DATAPLANE_PORT_XDP_H
#define POSTERN_DATAPLANE_PORT_XDP_H

#include "dataplane/port/frame.h"

#include <stdint.h>

// The program for this UDP port (network order), as an ELF object in memory that net_af_xdp can
// load from /proc/self/fd/N. Returns its descriptor, to be closed after the port's queues are set
// up, or -errno.
int dp_xdp_program(uint16_t coap_port) __attribute__((warn_unused_result));

// Sets the addresses whose CoAP the program takes, once net_af_xdp has loaded it onto the netdev;
// until then it takes none. Again, when they change: packets to an address that stays are taken
// all the while. Returns 0 or -errno: -ENOENT if this process has no program of ours there.
int dp_xdp_addresses(const char *netdev, const struct dp_port_addresses *addresses)
	__attribute__((warn_unused_result));

// Ties the program that net_af_xdp has put onto the netdev to a descriptor: when it is closed, or
// the process ends in whatever way, the kernel takes the program off. net_af_xdp would do so when
// it closes the port, for which the process has no capability by then. Returns the descriptor or
// -errno.
int dp_xdp_hold(const char *netdev) __attribute__((warn_unused_result));

// Takes a program of ours off the netdev which a process left there that was killed before it held
// it, so that another can be put there. Programs of others stay. Returns 0 or -errno.
int dp_xdp_clean(const char *netdev) __attribute__((warn_unused_result));

#endif
