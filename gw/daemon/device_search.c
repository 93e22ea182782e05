// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/device_search.h"

#include "base/clock.h"
#include "base/container.h"
#include "gw/daemon/sessions.h"

#include <errno.h>
#include <string.h>

#define TURN 16384 // contexts in one turn of the store thread: 1 ms or less

static bool matches(const struct device_search *search, uint32_t index, uint64_t now_ms)
{
	const struct dp_context_table *table = dp_contexts(search->daemon->dp);
	const struct ctl_device_filter *filter = &search->filter;

	return (!filter->policy[0] ||
		       dp_context_permit(&table->context[index]) == search->permit) &&
		(!filter->by_state || device_view_state(table, index) == filter->state) &&
		(!filter->idle_ms ||
			device_view_silent_ms(search->daemon, index, now_ms) >= filter->idle_ms) &&
		(!filter->limited ||
			device_view_limited(search->daemon, &search->limits, index, now_ms));
}

// Where the name stands, or would stand, among those that were found.
static size_t place_of(const struct device_search *search, const char *name)
{
	size_t low = 0, high = search->found;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(search->name[search->order[middle]], name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

// Keeps the name if it is among the first ones. If there is no room it takes that of the last.
static void found(struct device_search *search, const char *name)
{
	size_t place = place_of(search, name);
	bool full = search->found == search->room;

	if (place == search->room)
		return;
	// A device may have two sessions of EDHOC.
	if (place < search->found && !strcmp(search->name[search->order[place]], name))
		return;
	uint16_t slot = full ? search->order[search->room - 1] : (uint16_t)search->found++;
	memmove(&search->order[place + 1], &search->order[place],
		(search->found - 1 - place) * sizeof(search->order[0]));
	search->order[place] = slot;
	memcpy(search->name[slot], name, strlen(name) + 1);
}

static void look_at(struct device_search *search, uint32_t index, uint64_t now_ms)
{
	// The registry's entries are read as the HTTP loops read them.
	struct registry *registry = (struct registry *)&search->daemon->registry;
	char name[DEVICE_NAME_MAX + 1];
	uint32_t generation = __atomic_load_n(&registry->entry[index].generation, __ATOMIC_ACQUIRE);

	// A device of a rule has no row: it would only take the place of one that has.
	if (__atomic_load_n(&registry->entry[index].id, __ATOMIC_RELAXED) & SESSION_BY_RULE)
		return;
	if (generation % 2 == 0 || !matches(search, index, now_ms) ||
		!registry_name(registry, index, generation, name, sizeof(name)) || !name[0])
		return;
	if (strcmp(name, search->after) > 0)
		found(search, name);
}

// Rows of those that are there still.
static int rows_read(struct device_search *search, struct store *store)
{
	for (size_t i = 0; i < search->found; i++) {
		int rc = store_show(store, search->name[search->order[i]],
			&search->page[search->count], &search->job.error);

		if (rc && rc != -ENOENT)
			return rc;
		search->count += !rc;
	}
	return 0;
}

static enum store_turn run(struct store_job *job, struct store *store)
{
	struct device_search *search = CONTAINER_OF(job, struct device_search, job);
	uint64_t now_ms = clock_ms();

	for (uint32_t n = 0; n < TURN && search->at < search->daemon->registry.max; n++)
		look_at(search, search->at++, now_ms);
	if (search->at < search->daemon->registry.max)
		return STORE_TURN_AGAIN;
	job->result = rows_read(search, store);
	return STORE_TURN_DONE;
}

void device_search_init(struct device_search *search)
{
	search->job.run = run;
}
