// SPDX-License-Identifier: BSD-3-Clause
// Where each route is counted: a route is named by its path pattern, and a name keeps its slot for
// as long as the daemon runs. Routes with one pattern share a slot; those for which there is none
// left share DP_ROUTE_SLOT_OTHER.

#ifndef POSTERN_GW_DAEMON_ROUTE_SLOTS_H
#define POSTERN_GW_DAEMON_ROUTE_SLOTS_H

#include "dataplane/shared/route_stats.h"

#include <stdbool.h>
#include <stdint.h>

#define ROUTE_SLOTS_HASHED (2 * DP_ROUTE_SLOTS)

#define ROUTE_LABEL_MAX 80 // bytes of a pattern that is shown as it is

// Written by main; any thread may read the labels below route_slots_count().
struct route_slots {
	char *name[DP_ROUTE_SLOTS];
	char *label[DP_ROUTE_SLOTS]; // the name; of a long one the beginning, and the slot's number
	unsigned count;              // atomic
	uint16_t place[ROUTE_SLOTS_HASHED]; // slots by the hash of their names; 0: free
};

// Returns the slot of a pattern, which it gets now if it has none.
uint16_t route_slots_get(struct route_slots *slots, const char *pattern);
// Any thread: slots from 0 on that have names. DP_ROUTE_SLOT_OTHER has one from the first call of
// route_slots_get() on.
unsigned route_slots_count(const struct route_slots *slots);
void route_slots_free(struct route_slots *slots);

#endif
