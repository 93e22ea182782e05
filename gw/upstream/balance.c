// SPDX-License-Identifier: BSD-3-Clause
// Which server a request goes to.

#include "gw/upstream/servers.h"

_Static_assert(CONF_SERVERS_MAX <= 64, "`tried` has a bit for each");

static bool usable(const struct up_servers *servers, uint64_t tried, size_t index)
{
	const struct up_server *server = &servers->server[index];

	return !server->down && !server->ejected && !(tried >> index & 1);
}

bool up_servers_left(const struct up_servers *servers, uint64_t tried)
{
	for (size_t i = 0; i < servers->count; i++)
		if (usable(servers, tried, i))
			return true;
	return false;
}

static int pick_next(struct up_servers *servers, uint64_t tried)
{
	for (size_t n = 0; n < servers->count; n++) {
		size_t i = (servers->next + n) % servers->count;

		if (!usable(servers, tried, i))
			continue;
		servers->next = (i + 1) % servers->count;
		return (int)i;
	}
	return -1;
}

// The less busy of two at random: nearly as even as the least busy of all, but not all requests go
// to a server that looks idle since it fails fast.
static int pick_least(const struct up_servers *servers, uint64_t tried, uint32_t random)
{
	size_t fit[CONF_SERVERS_MAX], count = 0;

	for (size_t i = 0; i < servers->count; i++)
		if (usable(servers, tried, i))
			fit[count++] = i;
	if (count < 2)
		return count ? (int)fit[0] : -1;
	size_t a = (random & 0xffff) % count;
	size_t b = (a + 1 + (random >> 16) % (count - 1)) % count;
	bool first = servers->server[fit[a]].outstanding <= servers->server[fit[b]].outstanding;
	return (int)fit[first ? a : b];
}

// Finalizer of a hash: each bit of x changes about half of the result's.
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
	return x ^ x >> 33;
}

// Each device ranks the servers in an order of its own and takes the first that is up: when one
// goes, only its devices move, and to all others evenly.
static int pick_hash(const struct up_servers *servers, uint64_t tried, uint64_t device)
{
	uint64_t best_rank = 0;
	int best = -1;

	for (size_t i = 0; i < servers->count; i++) {
		uint64_t rank = mix(device ^ servers->server[i].seed);

		if (!usable(servers, tried, i) || (best >= 0 && rank <= best_rank))
			continue;
		best = (int)i;
		best_rank = rank;
	}
	return best;
}

int up_servers_pick(struct up_servers *servers, uint64_t tried, uint64_t device, uint32_t random)
{
	switch (servers->upstream->balance) {
	case CONF_BALANCE_LEAST:
		return pick_least(servers, tried, random);
	case CONF_BALANCE_HASH:
		return pick_hash(servers, tried, device);
	case CONF_BALANCE_RR:
		break;
	}
	return pick_next(servers, tried);
}
