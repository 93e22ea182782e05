// SPDX-License-Identifier: BSD-3-Clause
// Changes network devices by rtnetlink(7). Each call waits for the kernel's answer and returns 0 or
// -errno: -ENODEV if there is no device of this name, -EPERM without CAP_NET_ADMIN, or another
// error of the kernel.

#ifndef POSTERN_GW_OS_NETLINK_H
#define POSTERN_GW_OS_NETLINK_H

#include "gw/conf/conf.h"

#include <stdint.h>

int netlink_set_up(const char *netdev) __attribute__((warn_unused_result));
int netlink_set_mtu(const char *netdev, uint16_t mtu) __attribute__((warn_unused_result));
int netlink_set_mac(const char *netdev, const uint8_t mac[6]) __attribute__((warn_unused_result));

// Adds an address and the route to the network of its prefix. An IPv6 address can be used at once,
// without duplicate address detection (RFC 4862 section 5.4). Returns 0 if it has the address
// already.
int netlink_add_address(const char *netdev, const struct conf_prefix *prefix)
	__attribute__((warn_unused_result));

#endif
