// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/refused.h"

#include "dataplane/dp_inside.h"

#include <stdlib.h>

unsigned dp_refused_most(const struct dp *dp)
{
	return dp->worker_count * DP_REFUSED_KEPT;
}

// False if there is none, or the worker writes it now: it is another packet's then, and too new.
static bool place_read(const struct dp_refused_place *place, struct dp_refused_packet *packet)
{
	const uint64_t number = __atomic_load_n(&place->number, __ATOMIC_ACQUIRE);
	uint64_t word[DP_REFUSED_WORDS];

	for (unsigned i = 0; i < DP_REFUSED_WORDS; i++)
		word[i] = __atomic_load_n(&place->word[i], __ATOMIC_ACQUIRE);
	memcpy(packet, word, sizeof(word));
	return number && __atomic_load_n(&place->number, __ATOMIC_RELAXED) == number;
}

static int newer_first(const void *a, const void *b)
{
	const struct dp_refused_of *one = a, *other = b;

	return one->packet.ms < other->packet.ms ? 1 : one->packet.ms > other->packet.ms ? -1 : 0;
}

unsigned dp_refused_read(const struct dp *dp, enum dp_stat reason, struct dp_refused_of *packets)
{
	unsigned n = 0;

	for (unsigned i = 0; i < dp->worker_count; i++) {
		const struct dp_refused_reason *of =
			&dp->worker[i]->refused->reason[reason - DP_REFUSED_FIRST];

		for (unsigned k = 0; k < DP_REFUSED_KEPT; k++) {
			packets[n].worker = i;
			n += place_read(&of->place[k], &packets[n].packet);
		}
	}
	qsort(packets, n, sizeof(packets[0]), newer_first);
	return n;
}
