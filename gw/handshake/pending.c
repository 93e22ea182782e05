// SPDX-License-Identifier: BSD-3-Clause

#include "gw/handshake/pending.h"

#include <string.h>

#define SLOTS (2 * PENDING_MAX)
_Static_assert((SLOTS & (SLOTS - 1)) == 0, "a mask finds the next slot");

void pending_init(struct pending *pending)
{
	memset(pending, 0, sizeof(*pending));
	pthread_mutex_init(&pending->lock, NULL);
}

void pending_fini(struct pending *pending)
{
	pthread_mutex_destroy(&pending->lock);
}

// Ids are the store's, in a row: no stranger chooses them.
static unsigned home(uint64_t device)
{
	return (unsigned)(device * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (SLOTS - 1);
}

// The slot of a device, or the empty one that it would get: half of all are empty at least.
static unsigned find(const struct pending *pending, uint64_t device)
{
	unsigned at = home(device);

	while (pending->slot[at] && pending->slot[at] != device)
		at = (at + 1) & (SLOTS - 1);
	return at;
}

bool pending_has(struct pending *pending, uint64_t device)
{
	pthread_mutex_lock(&pending->lock);
	const bool has = pending->slot[find(pending, device)] != 0;

	pthread_mutex_unlock(&pending->lock);
	return has;
}

bool pending_add(struct pending *pending, uint64_t device)
{
	pthread_mutex_lock(&pending->lock);
	const unsigned at = find(pending, device);
	const bool free = !pending->slot[at] && pending->count < PENDING_MAX;

	if (free) {
		pending->slot[at] = device;
		pending->count++;
	}
	pthread_mutex_unlock(&pending->lock);
	return free;
}

void pending_end(struct pending *pending, uint64_t device)
{
	pthread_mutex_lock(&pending->lock);
	unsigned hole = find(pending, device);

	if (pending->slot[hole]) {
		pending->slot[hole] = 0;
		pending->count--;
		// Those behind it move up, unless that would put them before their home.
		for (unsigned at = (hole + 1) & (SLOTS - 1); pending->slot[at];
			at = (at + 1) & (SLOTS - 1)) {
			const unsigned from = home(pending->slot[at]);

			if (((at - from) & (SLOTS - 1)) < ((at - hole) & (SLOTS - 1)))
				continue;
			pending->slot[hole] = pending->slot[at];
			pending->slot[at] = 0;
			hole = at;
		}
	}
	pthread_mutex_unlock(&pending->lock);
}
