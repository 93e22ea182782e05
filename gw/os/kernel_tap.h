// SPDX-License-Identifier: BSD-3-Clause
// A kernel TAP: the kernel's door to a DPDK port. What is not CoAP for us (ARP, neighbour
// discovery, ping, ssh, BGP) is written to it, and what the kernel sends there leaves by the port.
//
// MAC. The kernel takes frames for the TAP's own MAC only, and what peers learn by ARP and
// neighbour discovery is that MAC. So the TAP carries the MAC of the DPDK port: peers send to the
// port's MAC, which its NIC lets pass without promiscuous mode; no frame is rewritten on the way;
// requests come to one MAC and answers leave with it. That this is possible, kind by kind:
//   pci        the NIC belongs to DPDK, the kernel has no netdev for it: nobody else has its MAC.
//   memif      there is no netdev at all.
//   tap        net_tap gives the kernel's end of its TAP, the device's side, the port's MAC too;
//              dp_port_open() puts another one there.
//   af_packet  the netdev below stays in the kernel with the same MAC. Two netdevs may share one,
//   but
//              AF_PACKET only copies: the kernel goes on to receive at the netdev what it gets from
//              the TAP as well. Packets must be dropped at the netdev's ingress (nftables, table
//              netdev), and the netdev has no addresses of its own.
//   af_xdp     needs no kernel TAP: the addresses are on the netdev itself.

#ifndef POSTERN_GW_OS_KERNEL_TAP_H
#define POSTERN_GW_OS_KERNEL_TAP_H

#include "base/error.h"
#include "gw/conf/conf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kernel_tap_conf {
	const char *name;   // of the netdev to make
	const uint8_t *mac; // of the DPDK port, 6 bytes
	uint16_t mtu;       // bytes, as of the port
	const struct conf_prefix *addresses;
	size_t address_count;
};

// Bytes of the longest frame of a TAP with this MTU: Ethernet and two VLAN tags around it.
static inline uint16_t kernel_tap_frame_max(uint16_t mtu)
{
	return mtu + 14 + 2 * 4;
}

// Makes the TAP, with its addresses, up. It goes when the descriptor is closed. Returns the
// descriptor, non-blocking, or -errno with a line in *error that names the TAP and what is missing.
int kernel_tap_open(const struct kernel_tap_conf *conf, struct error *error)
	__attribute__((warn_unused_result));

// Whether the kernel sees a link on it; a new TAP has one. Returns 0 or -errno.
int kernel_tap_set_carrier(int fd, bool up) __attribute__((warn_unused_result));

// The next frame from the kernel: its length, 0 if there is none now, or -errno. A frame of more
// than `room` bytes is cut: pass kernel_tap_frame_max().
int kernel_tap_read(int fd, uint8_t *frame, size_t room) __attribute__((warn_unused_result));

// Hands a frame to the kernel. 0, or -errno: -EIO if the netdev was set down, -EINVAL if it is no
// Ethernet frame.
int kernel_tap_write(int fd, const uint8_t *frame, size_t len) __attribute__((warn_unused_result));

#endif
