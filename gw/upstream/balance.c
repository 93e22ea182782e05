// SPDX-License-Identifier: BSD-3-Clause
// Which server a request goes to.

#include "gw/upstream/servers.h"

#include <math.h>

_Static_assert(CONF_SERVERS_MAX <= 64, "`tried` has a bit for each");

static bool fits(const struct up_servers *servers, uint64_t tried, size_t index)
{
	return up_server_serves(&servers->server[index]) && !(tried >> index & 1);
}

bool up_servers_left(const struct up_servers *servers, uint64_t tried)
{
	for (size_t i = 0; i < servers->count; i++)
		if (fits(servers, tried, i))
			return true;
	return false;
}

// Each server is owed its weight with each request, and the one that is owed most pays for all. So
// turns are spread evenly: with weights 5, 1 and 1 it is a a b a c a a, not five in a row.
static int pick_next(struct up_servers *servers, uint64_t tried)
{
	int64_t total = 0;
	int best = -1;

	for (size_t i = 0; i < servers->count; i++) {
		struct up_server *server = &servers->server[i];

		if (!fits(servers, tried, i))
			continue;
		server->owed += server->conf->weight;
		total += server->conf->weight;
		if (best < 0 || server->owed > servers->server[best].owed)
			best = (int)i;
	}
	if (best >= 0)
		servers->server[best].owed -= total;
	return best;
}

// Finalizer of a hash: each bit of x changes about half of the result's.
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccd;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53;
	return x ^ x >> 33;
}

// Draws one by its weight, but not `but`; random: 32 bits. -1: there is none.
static int draw(const struct up_servers *servers, uint64_t tried, int but, uint32_t random)
{
	uint64_t total = 0;

	for (size_t i = 0; i < servers->count; i++)
		if (fits(servers, tried, i) && (int)i != but)
			total += servers->server[i].conf->weight;
	uint64_t at = random * total >> 32;
	for (size_t i = 0; i < servers->count; i++) {
		if (!fits(servers, tried, i) || (int)i == but)
			continue;
		if (at < servers->server[i].conf->weight)
			return (int)i;
		at -= servers->server[i].conf->weight;
	}
	return -1;
}

// The less busy, by its weight, of two at random: nearly as even as the least busy of all, but not
// all requests go to a server that looks idle since it fails fast.
static int pick_least(const struct up_servers *servers, uint64_t tried, uint32_t random)
{
	uint64_t bits = mix(random + UINT64_C(0x9e3779b97f4a7c15));
	int first = draw(servers, tried, -1, (uint32_t)(bits >> 32));
	int second = first < 0 ? -1 : draw(servers, tried, first, (uint32_t)bits);

	if (second < 0)
		return first;
	const struct up_server *a = &servers->server[first], *b = &servers->server[second];
	bool less = (uint64_t)a->seen->in_flight * b->conf->weight <=
		(uint64_t)b->seen->in_flight * a->conf->weight;
	return less ? first : second;
}

// How high a device ranks a server of this weight, from a hash of both: -w / ln(u), with u in (0,
// 1) from the hash, is the larger of two with the probability of its weight. Of equal weights the
// hash itself says the same.
static double rank_of(uint64_t hash, uint16_t weight)
{
	double u = ((double)(hash >> 12) + 0.5) * 0x1p-52;

	return -weight / log(u);
}

// Each device ranks the servers in an order of its own and takes the first that is up (rendezvous
// hashing): when one goes, only its devices move, and to all others by their weights; when a weight
// changes, only as many as it must.
static int pick_hash(const struct up_servers *servers, uint64_t tried, uint64_t device)
{
	uint64_t best_hash = 0;
	double best_rank = 0;
	int best = -1;

	for (size_t i = 0; i < servers->count; i++) {
		const struct up_server *server = &servers->server[i];
		uint64_t hash = mix(device ^ server->seed);
		double rank = 0;

		if (!fits(servers, tried, i))
			continue;
		if (servers->weighted)
			rank = rank_of(hash, server->conf->weight);
		if (best >= 0 && (rank < best_rank || (rank == best_rank && hash <= best_hash)))
			continue;
		best = (int)i;
		best_rank = rank;
		best_hash = hash;
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
