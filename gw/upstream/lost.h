// SPDX-License-Identifier: BSD-3-Clause
// Bodies whose device, keys or route are gone: they are wiped at once. Private to the loop.

#ifndef POSTERN_GW_UPSTREAM_LOST_H
#define POSTERN_GW_UPSTREAM_LOST_H

#include "gw/upstream/call.h"

#include <stdbool.h>
#include <stdint.h>

// The ids of all routes of a configuration, sorted; free() frees them. NULL if out of memory.
uint64_t *up_lost_ids(const struct conf *conf);

// Main: the device of this context is gone, up to this generation; up_lost_turn() drops its bodies.
void up_lost_device(struct up_loop *loop, uint32_t context, uint32_t generation);
// Whether main said so and the loop did not look yet.
bool up_lost_pending(const struct up_loop *loop);

// Drops what is lost, a bounded part of it in a turn. Returns whether there is more.
bool up_lost_turn(struct up_loop *loop);

static inline bool up_device_is_there(
	const struct up_loop *loop, uint32_t context, uint32_t generation)
{
	char name[UP_NAME_MAX + 1];

	return loop->config.name(loop->config.name_arg, context, generation, name, sizeof(name));
}

// Whether the device of a call is still there, to be asked once the call has a new body: else it
// has none.
bool up_body_is_owned(const struct up_call *call);

// The bodies of routes that loop->snapshot does not have any more die: no request of another route
// finds them, and the next turns wipe them, a bounded part in each. A fetch that is under way goes
// on for those who wait for it, as any request does. Two routes are the same if their conf_route.id
// is.
void up_bodies_routes_gone(struct up_loop *loop);

#endif
