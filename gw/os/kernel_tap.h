// SPDX-License-Identifier: BSD-3-Clause
// A kernel TAP: the kernel's way to and from a DPDK port. Main writes to it the frames that are not
// CoAP for us (ARP, neighbour discovery, ping, ssh, BGP), and frames that the kernel sends to it
// leave by the port.
//
// MAC. The TAP has the MAC of the DPDK port. The kernel takes only frames for the TAP's own MAC,
// and announces that MAC by ARP and neighbour discovery. With the port's MAC the NIC passes these
// frames without promiscuous mode, frames need no rewriting, and answers leave from the MAC that
// requests are sent to. Why no other netdev gets in the way, for each kind of port:
//   pci        The NIC belongs to DPDK: the kernel has no netdev for it.
//   memif      There is no other netdev.
//   tap        net_tap gives the kernel's end of its own TAP the port's MAC, too; dp_port_open()
//              gives that end another one.
//   af_packet  The netdev below keeps the same MAC, which is allowed. But AF_PACKET gets copies:
//              the kernel would receive every packet twice, from the netdev and from the TAP. So
//              the operator drops packets at the netdev's ingress (nftables, table netdev) and
//              gives it no addresses.
//   af_xdp     Needs no kernel TAP: the addresses are on the netdev itself.

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

// Returns the bytes of the longest frame at this MTU, with its Ethernet header and two VLAN tags.
static inline uint16_t kernel_tap_frame_max(uint16_t mtu)
{
	return mtu + 14 + 2 * 4;
}

// Makes the TAP, gives it its addresses and sets it up; closing the descriptor removes it. Returns
// a non-blocking descriptor, or -errno with a line in *error that names the TAP and what is
// missing.
int kernel_tap_open(const struct kernel_tap_conf *conf, struct error *error)
	__attribute__((warn_unused_result));

// Tells the kernel whether the TAP has a link; a new TAP has one. Returns 0 or -errno.
int kernel_tap_set_carrier(int fd, bool up) __attribute__((warn_unused_result));

// Gives the TAP this MAC again if it has another one: udev may give new netdevs one of its own.
// Returns 1 if it had another one, 0 or -errno.
int kernel_tap_keep_mac(int fd, const uint8_t mac[6]) __attribute__((warn_unused_result));

// Reads the next frame from the kernel, without waiting. Returns its length, 0 if there is none
// now, or -errno. A frame of more than `room` bytes is cut off, so pass kernel_tap_frame_max().
int kernel_tap_read(int fd, uint8_t *frame, size_t room) __attribute__((warn_unused_result));

// Writes a frame to the kernel, without waiting. Returns 0, or -errno: -EIO if the TAP is set down,
// -EINVAL if it is no Ethernet frame.
int kernel_tap_write(int fd, const uint8_t *frame, size_t len) __attribute__((warn_unused_result));

#endif
