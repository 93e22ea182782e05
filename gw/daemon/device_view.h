// SPDX-License-Identifier: BSD-3-Clause
// A device as the control socket shows it: what is stored, and what its worker has.

#ifndef POSTERN_GW_DAEMON_DEVICE_VIEW_H
#define POSTERN_GW_DAEMON_DEVICE_VIEW_H

#include "gw/daemon/daemon.h"

// The state of the live context at `index`.
enum ctl_device_state device_view_state(const struct dp_context_table *table, uint32_t index);
// For how long nothing that verified came from it: since the gateway started at most, or since it
// was added.
uint64_t device_view_silent_ms(const struct daemon *daemon, uint32_t index, uint64_t now_ms);

// The limits of all devices, to be taken on main.
struct device_limits {
	uint32_t rate_cost, rate_fill;
	uint8_t max_in_flight;
};
// Whether a request of it would be refused now for its rate or for what is under way, or its keys
// have been used too often.
bool device_view_limited(const struct daemon *daemon, const struct device_limits *limits,
	uint32_t index, uint64_t now_ms);
// Fills *info, which then points to *stored. The worker's part is read while the worker writes it:
// each value is right by itself.
void device_view_make(const struct daemon *daemon, const struct device_info *stored,
	struct ctl_device_info *info);

#endif
