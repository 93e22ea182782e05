// SPDX-License-Identifier: BSD-3-Clause

#include "bench/load/flight.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

int load_flight_create(struct load_flight *flight, uint32_t capacity)
{
	*flight = (struct load_flight){
		.slot = aligned_alloc(64, (size_t)capacity * sizeof(*flight->slot)),
		.capacity = capacity,
		.oldest = LOAD_FLIGHT_NONE,
		.newest = LOAD_FLIGHT_NONE,
	};
	if (!flight->slot)
		return -ENOMEM;
	for (uint32_t i = 0; i < capacity; i++)
		flight->slot[i] = (struct load_flight_slot){
			// So that no token of a run before is one of this.
			.generation = randombytes_random(),
			.newer = i + 1 < capacity ? i + 1 : LOAD_FLIGHT_NONE,
		};
	return 0;
}

void load_flight_free(struct load_flight *flight)
{
	free(flight->slot);
	*flight = (struct load_flight){0};
}
