// SPDX-License-Identifier: BSD-3-Clause
// Requests that are under way. Each has a slot; its token names the slot and how often that was
// used, so that an answer finds its request at once and a late one finds none.

#ifndef POSTERN_BENCH_LOAD_FLIGHT_H
#define POSTERN_BENCH_LOAD_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LOAD_FLIGHT_TOKEN_LEN 8 // bytes
#define LOAD_FLIGHT_NONE      UINT32_MAX

struct load_flight_slot {
	uint64_t due_ns;  // when the request was meant to be sent
	uint64_t sent_ns; // when it was
	uint64_t piv;
	uint32_t device, endpoint;
	uint32_t generation; // of the token
	uint32_t older, newer;
	uint16_t mid;
	bool used;
	uint8_t pad[17];
};
_Static_assert(sizeof(struct load_flight_slot) == 64, "one cache line a request");

struct load_flight {
	struct load_flight_slot *slot;
	uint32_t capacity, count;
	uint32_t free;           // list by .newer
	uint32_t oldest, newest; // list of those under way, in the order they were sent
};

// Returns 0 or -ENOMEM.
int load_flight_create(struct load_flight *flight, uint32_t capacity)
	__attribute__((warn_unused_result));
void load_flight_free(struct load_flight *flight);

static inline void load_flight_token(const struct load_flight *flight,
	const struct load_flight_slot *slot, uint8_t token[LOAD_FLIGHT_TOKEN_LEN])
{
	uint32_t index = (uint32_t)(slot - flight->slot);

	memcpy(token, &index, sizeof(index));
	memcpy(token + sizeof(index), &slot->generation, sizeof(slot->generation));
}

// A slot for the request that is sent next, with its token; NULL if there is none.
static inline struct load_flight_slot *load_flight_begin(
	struct load_flight *flight, uint8_t token[LOAD_FLIGHT_TOKEN_LEN])
{
	uint32_t index = flight->free;

	if (index == LOAD_FLIGHT_NONE)
		return NULL;
	struct load_flight_slot *slot = &flight->slot[index];

	flight->free = slot->newer;
	slot->generation++;
	slot->used = true;
	slot->older = flight->newest;
	slot->newer = LOAD_FLIGHT_NONE;
	if (flight->newest == LOAD_FLIGHT_NONE)
		flight->oldest = index;
	else
		flight->slot[flight->newest].newer = index;
	flight->newest = index;
	flight->count++;
	load_flight_token(flight, slot, token);
	return slot;
}

// The request with this token, or NULL.
static inline struct load_flight_slot *load_flight_find(
	const struct load_flight *flight, const uint8_t *token, size_t token_len)
{
	uint32_t index, generation;

	if (token_len != LOAD_FLIGHT_TOKEN_LEN)
		return NULL;
	memcpy(&index, token, sizeof(index));
	memcpy(&generation, token + sizeof(index), sizeof(generation));
	if (index >= flight->capacity)
		return NULL;
	struct load_flight_slot *slot = &flight->slot[index];

	return slot->used && slot->generation == generation ? slot : NULL;
}

static inline void load_flight_end(struct load_flight *flight, struct load_flight_slot *slot)
{
	uint32_t index = (uint32_t)(slot - flight->slot);

	if (slot->older == LOAD_FLIGHT_NONE)
		flight->oldest = slot->newer;
	else
		flight->slot[slot->older].newer = slot->newer;
	if (slot->newer == LOAD_FLIGHT_NONE)
		flight->newest = slot->older;
	else
		flight->slot[slot->newer].older = slot->older;
	slot->used = false;
	slot->newer = flight->free;
	flight->free = index;
	flight->count--;
}

// The one that was sent first, or NULL.
static inline struct load_flight_slot *load_flight_oldest(const struct load_flight *flight)
{
	return flight->oldest == LOAD_FLIGHT_NONE ? NULL : &flight->slot[flight->oldest];
}

#endif
