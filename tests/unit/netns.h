// SPDX-License-Identifier: BSD-3-Clause
// Network namespaces for tests: what is made in them goes with the process.

#ifndef POSTERN_TESTS_UNIT_NETNS_H
#define POSTERN_TESTS_UNIT_NETNS_H

#include <stdint.h>

// Moves this thread into a network namespace of its own. Returns a descriptor of it for setns().
// Aborts with a message if it cannot.
int netns_enter(void);

// The MAC of a netdev of this namespace.
void netns_mac(const char *netdev, uint8_t mac[6]);
// Its MTU and flags.
int netns_mtu(const char *netdev);
int netns_flags(const char *netdev);

#endif
