// SPDX-License-Identifier: BSD-3-Clause
// Finds the devices of a filter among all that are live, in the order of their names, without a
// pause for main or for a worker: the store thread looks at some thousand at a time.

#ifndef POSTERN_GW_DAEMON_DEVICE_SEARCH_H
#define POSTERN_GW_DAEMON_DEVICE_SEARCH_H

#include "gw/daemon/daemon.h"
#include "gw/daemon/device_view.h"
#include "gw/store/thread.h"

struct device_search {
	struct store_job job; // in: done
	// In:
	const struct daemon *daemon;
	struct ctl_device_filter filter;
	uint16_t permit; // of filter.policy
	struct device_limits limits;
	char after[DEVICE_NAME_MAX + 1]; // only names behind this one
	size_t room;                     // of page, at most CTL_LIST_MAX
	struct device_info *page;
	// Out, if job.result is 0. Fewer than `room`: no more follow.
	size_t count;
	// The store thread's: the first names yet, and the order of these.
	uint32_t at; // context that is looked at next
	char name[CTL_LIST_MAX][DEVICE_NAME_MAX + 1];
	uint16_t order[CTL_LIST_MAX];
	size_t found;
};

void device_search_init(struct device_search *search);

#endif
