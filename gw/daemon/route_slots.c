// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/route_slots.h"

#include "base/fnv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Two long patterns may begin alike, and the cut is between two characters of UTF-8.
static char *label_make(const char *name, unsigned slot)
{
	size_t len = strlen(name);
	char *label;

	if (len <= ROUTE_LABEL_MAX)
		return strdup(name);
	len = ROUTE_LABEL_MAX;
	while (((uint8_t)name[len] & 0xc0) == 0x80)
		len--;
	return asprintf(&label, "%.*s..%u", (int)len, name, slot) < 0 ? NULL : label;
}

static bool slot_add(struct route_slots *slots, const char *name)
{
	if (slots->count == DP_ROUTE_SLOTS)
		return false;
	char *copy = strdup(name), *label = label_make(name, slots->count);

	if (!copy || !label) {
		free(copy);
		free(label);
		return false;
	}
	slots->name[slots->count] = copy;
	slots->label[slots->count] = label;
	__atomic_store_n(&slots->count, slots->count + 1, __ATOMIC_RELEASE);
	return true;
}

uint16_t route_slots_get(struct route_slots *slots, const char *pattern)
{
	unsigned at = fnv_text(pattern) % ROUTE_SLOTS_HASHED;

	if (!slots->count && !slot_add(slots, "other")) // which no pattern is called
		return DP_ROUTE_SLOT_OTHER;
	for (; slots->place[at]; at = (at + 1) % ROUTE_SLOTS_HASHED)
		if (!strcmp(slots->name[slots->place[at]], pattern))
			return slots->place[at];
	if (!slot_add(slots, pattern))
		return DP_ROUTE_SLOT_OTHER;
	slots->place[at] = (uint16_t)(slots->count - 1);
	return slots->place[at];
}

unsigned route_slots_count(const struct route_slots *slots)
{
	return __atomic_load_n(&slots->count, __ATOMIC_ACQUIRE);
}

void route_slots_free(struct route_slots *slots)
{
	for (unsigned i = 0; i < slots->count; i++) {
		free(slots->name[i]);
		free(slots->label[i]);
	}
	*slots = (struct route_slots){.count = 0};
}
