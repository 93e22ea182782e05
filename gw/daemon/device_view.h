// SPDX-License-Identifier: BSD-3-Clause
// A device as the control socket shows it.

#ifndef POSTERN_GW_DAEMON_DEVICE_VIEW_H
#define POSTERN_GW_DAEMON_DEVICE_VIEW_H

#include "gw/daemon/daemon.h"

// State of a context as the control socket calls it.
enum ctl_device_state operations_state(const struct dp_context_table *table, uint32_t index);
// `info` points to `stored`.
void device_info(const struct daemon *daemon, const struct device_info *stored,
	struct ctl_device_info *info);

#endif
