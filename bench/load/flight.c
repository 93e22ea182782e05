// SPDX-License-Identifier: BSD-3-Clause

#include "bench/load/flight.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

int flight_create(struct flight *flight, uint32_t capacity)
{
	*flight = (struct flight){
		.slot = aligned_alloc(64, (size_t)capacity * sizeof(*flight->slot)),
		.capacity = capacity,
		.oldest = FLIGHT_NONE,
		.newest = FLIGHT_NONE,
	};
	if (!flight->slot)
		return -ENOMEM;
	for (uint32_t i = 0; i < capacity; i++)
		flight->slot[i] = (struct flight_slot){
			// So that no token of a run before is one of this.
			.generation = randombytes_random(),
			.newer = i + 1 < capacity ? i + 1 : FLIGHT_NONE,
		};
	return 0;
}

void flight_free(struct flight *flight)
{
	free(flight->slot);
	*flight = (struct flight){0};
}
