// SPDX-License-Identifier: BSD-3-Clause
// Finding devices by a filter, compared with a plain look at each: every filter, any page.

#include "base/clock.h"
#include "gw/daemon/device_search.h"
#include "gw/daemon/sessions.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEVICES 3000
#define ROUNDS  2000
#define HOUR_MS UINT64_C(3600000)

static struct bed bed;
static struct daemon daemon_;
static char names[DEVICES][DEVICE_NAME_MAX + 1]; // "": was removed
static uint64_t state = 7;

static uint64_t rnd(uint64_t below)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (state >> 33) % below;
}

// Instead of the store's: whoever is called x.. was removed meanwhile.
int __wrap_store_show(
	struct store *store, const char *name, struct device_info *info, struct error *error);
int __wrap_store_show(
	struct store *store, const char *name, struct device_info *info, struct error *error)
{
	(void)store;
	(void)error;
	*info = (struct device_info){0};
	strcpy(info->name, name);
	return name[0] == 'x' ? -ENOENT : 0;
}

// Of each twentieth a rule made a device.
static uint64_t id_of(uint32_t i)
{
	return (i % 20 ? 0 : SESSION_BY_RULE) | (i + 1);
}

// A device whose name, state and last request are any.
static void device_add(uint32_t i, uint64_t now_s)
{
	struct device_keyed device = {.id = id_of(i),
		.alg = AEAD_AES_CCM_16_64_128,
		.device_id_len = 4,
		.gateway_id_len = 1};
	struct dp_context_table *table = dp_contexts(bed.dp);
	uint32_t index = 0;

	snprintf(names[i], sizeof(names[i]), "%c%lu-%u", (int)('a' + rnd(26)), rnd(100000), i);
	memcpy(device.name, names[i], sizeof(device.name));
	snprintf(device.settings.policy, sizeof(device.settings.policy), "%s",
		(const char *[]){"", "a", "b"}[rnd(3)]);
	memcpy(device.device_id, &i, sizeof(i));
	memcpy(device.keys.sender_key, &i, sizeof(i));
	memcpy(device.keys.recipient_key, &i, sizeof(i));
	cr_assert_eq(registry_add(&daemon_.registry, &device), 0);
	const struct device_info info = {
		.id = id_of(i), .device_id_len = 4, .device_id = {i, i >> 8, i >> 16, i >> 24}};
	cr_assert(registry_find(&daemon_.registry, &info, &index));
	struct dp_context *ctx = &table->context[index];
	ctx->state = rnd(DP_CONTEXT_STATE_COUNT);
	// The machine may have been started a minute ago.
	ctx->last_accepted_s = rnd(3) ? now_s - rnd(RTE_MIN(now_s, UINT64_C(3 * 3600))) : 0;
	ctx->in_flight_count = rnd(10) ? 0 : 4;
	ctx->max_in_flight = rnd(2) ? 5 : 0;
	ctx->window.next = rnd(50) ? 1 : DP_LIMIT_USES;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

// What has to be found, in order.
static size_t look_at_all(
	const struct device_search *search, uint64_t now_ms, char (*found)[DEVICE_NAME_MAX + 1])
{
	size_t count = 0;

	for (uint32_t i = 0; i < daemon_.registry.max; i++) {
		const struct registry_entry *entry = &daemon_.registry.entry[i];
		const struct dp_context *ctx = &dp_contexts(bed.dp)->context[i];
		uint64_t seen_ms =
			RTE_MAX(ctx->last_accepted_s * UINT64_C(1000), daemon_.started_ms);
		unsigned most = ctx->max_in_flight ? ctx->max_in_flight : 4;

		if (!entry->id || entry->id & SESSION_BY_RULE ||
			strcmp(entry->name, search->after) <= 0)
			continue;
		if (search->filter.by_state &&
			device_view_state(dp_contexts(bed.dp), i) != search->filter.state)
			continue;
		if (search->filter.policy[0] && ctx->permit != search->permit)
			continue;
		if (search->filter.idle_ms && now_ms - seen_ms < search->filter.idle_ms)
			continue;
		if (search->filter.limited && ctx->in_flight_count < most &&
			ctx->window.next < DP_LIMIT_USES)
			continue;
		memcpy(found[count++], entry->name, sizeof(found[0]));
	}
	qsort(found, count, sizeof(found[0]), by_name);
	return count;
}

static void search_and_compare(void)
{
	static char all[DEVICES][DEVICE_NAME_MAX + 1];
	static struct device_info page[CTL_LIST_MAX];
	struct device_search *search = calloc(1, sizeof(*search));
	size_t shown = 0;

	search->daemon = &daemon_;
	search->limits.max_in_flight = 4;
	search->filter.by_state = rnd(2);
	search->filter.state = (enum ctl_device_state)rnd(CTL_DEVICE_STATE_COUNT);
	search->filter.idle_ms = rnd(2) ? rnd(3) * HOUR_MS + 1 : 0;
	search->filter.limited = !rnd(3);
	if (!rnd(3)) {
		strcpy(search->filter.policy, rnd(2) ? "a" : "b");
		search->permit = policies_find(&daemon_.registry.policies, search->filter.policy);
		cr_assert(search->permit == 1 || search->permit == 2);
	}
	if (rnd(2))
		snprintf(search->after, sizeof(search->after), "%s", names[rnd(DEVICES)]);
	search->room = 1 + rnd(CTL_LIST_MAX);
	search->page = page;
	device_search_init(search);
	size_t count = look_at_all(search, clock_ms(), all);
	while (search->job.run(&search->job, NULL) == STORE_TURN_AGAIN)
		;
	cr_assert_eq(search->job.result, 0);
	for (size_t i = 0; i < count && i < search->room; i++)
		if (all[i][0] != 'x')
			cr_assert_str_eq(page[shown++].name, all[i]);
	cr_assert_eq(search->count, shown);
	free(search);
}

Test(device_search, finds_what_a_plain_look_finds)
{
	bed_make_fleet(&bed, DEVICES, 1 << 20);
	daemon_.dp = bed.dp;
	cr_assert_eq(registry_init(&daemon_.registry, bed.dp, DEVICES), 0);
	daemon_.started_ms = 1;
	for (uint32_t i = 0; i < DEVICES; i++)
		device_add(i, clock_ms() / 1000);
	for (unsigned i = 0; i < DEVICES / 10; i++) {
		uint32_t gone = rnd(DEVICES);
		const struct device_info info = {.id = id_of(gone),
			.device_id_len = 4,
			.device_id = {gone, gone >> 8, gone >> 16, gone >> 24}};

		int rc = registry_remove(&daemon_.registry, &info);
		cr_assert(!rc || rc == -ENOENT);
	}
	for (unsigned i = 0; i < ROUNDS; i++)
		search_and_compare();
	registry_fini(&daemon_.registry);
	bed_free(&bed);
}
