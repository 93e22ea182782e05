// SPDX-License-Identifier: BSD-3-Clause
// What others than its thread see of a loop.

#include "gw/upstream/call.h"
#include "gw/upstream/snapshot.h"

struct up_slot *up_loop_slot(const struct up_loop *loop, size_t upstream)
{
	return upstream < loop->snapshot->conf->upstream_count
		? loop->snapshot->group[upstream]->slot
		: loop->config.slots->none;
}

const struct up_route_stats *up_loop_route_stats(const struct up_loop *loop, unsigned slot)
{
	return &loop->routes[slot];
}

uint64_t up_loop_stat(const struct up_loop *loop, size_t upstream, enum up_stat stat)
{
	const struct up_slot *slot = up_loop_slot(loop, upstream);

	return __atomic_load_n(&slot->loop[loop->config.loop].stat[stat], __ATOMIC_RELAXED);
}

void up_loop_server(
	const struct up_loop *loop, size_t upstream, size_t server, struct up_server_view *view)
{
	const char *url = loop->snapshot->conf->upstreams[upstream].servers[server].text;

	up_server_slot_view(up_server_slot_find(up_loop_slot(loop, upstream), url), view);
}

size_t up_loop_servers_up(const struct up_loop *loop, size_t upstream)
{
	const struct up_slot *slot = up_loop_slot(loop, upstream);

	return __atomic_load_n(&slot->loop[loop->config.loop].servers_up, __ATOMIC_RELAXED);
}
