// SPDX-License-Identifier: BSD-3-Clause
// The few things the gateway asks of the kernel about a network device, by rtnetlink.
//
// All take the device's name and return 0 or -errno: -ENODEV if there is none of this name, -EPERM
// without CAP_NET_ADMIN, else what the kernel says. They wait for its answer.

#ifndef POSTERN_GW_OS_NETLINK_H
#define POSTERN_GW_OS_NETLINK_H

#include "gw/conf/conf.h"

#include <stdint.h>

int netlink_set_up(const char *netdev) __attribute__((warn_unused_result));
int netlink_set_mtu(const char *netdev, uint16_t mtu) __attribute__((warn_unused_result));
int netlink_set_mac(const char *netdev, const uint8_t mac[6]) __attribute__((warn_unused_result));

// Puts an address on it, with the network of its prefix reachable there. An IPv6 address works at
// once: no duplicate address detection (RFC 4862 section 5.4). 0 also if it is there already.
int netlink_add_address(const char *netdev, const struct conf_prefix *prefix)
	__attribute__((warn_unused_result));

#endif
