// SPDX-License-Identifier: BSD-3-Clause
// A device as the control socket shows it: what is stored, and what its worker has.

#ifndef POSTERN_GW_DAEMON_DEVICE_VIEW_H
#define POSTERN_GW_DAEMON_DEVICE_VIEW_H

#include "gw/daemon/daemon.h"

// The state of the live context at `index`.
enum ctl_device_state device_view_state(const struct dp_context_table *table, uint32_t index);
// Fills *info, which then points to *stored. The worker's part is read while the worker writes it:
// each value is right by itself.
void device_view_make(const struct daemon *daemon, const struct device_info *stored,
	struct ctl_device_info *info);

#endif
