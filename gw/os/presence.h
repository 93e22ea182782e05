// SPDX-License-Identifier: BSD-3-Clause
// Whether network devices that this process uses are still there. A TAP may have been moved to
// another namespace, and any may have another name since: they are asked by what does not change.

#ifndef POSTERN_GW_OS_PRESENCE_H
#define POSTERN_GW_OS_PRESENCE_H

#include <stdbool.h>

// Finds a descriptor of this process, as a driver has opened it, of the TAP that has this name now.
// It stays the driver's. Returns -ENOENT if there is none, or another -errno.
int presence_tap_find(const char *name) __attribute__((warn_unused_result));
// Whether the TAP of a descriptor was removed.
bool presence_tap_gone(int fd);

// Whether the network device with this index is not in this process's namespace any more: removed,
// or moved away, which for sockets on it is the same. False if it cannot be asked.
bool presence_netdev_gone(unsigned index);

#endif
