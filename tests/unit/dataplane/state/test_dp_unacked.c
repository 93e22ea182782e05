// SPDX-License-Identifier: BSD-3-Clause
// What waits for its ACK: how it is found, and whose gives way.

#include "dataplane/state/unacked.h"

#include <rte_common.h>

#include <criterion/criterion.h>

#define POOL     64
#define CONTEXTS 5

static struct dp_side sides[CONTEXTS];

// Who must give way: the oldest of a context that no other holds more than.
static void expect_victim(const struct dp_exchange_pool *pool, const struct dp_unacked *unacked,
	const uint32_t *list, unsigned n)
{
	uint32_t victim = dp_unacked_victim(unacked);
	unsigned count[CONTEXTS] = {0};

	if (!n) {
		cr_assert_eq(victim, DP_INDEX_NONE);
		return;
	}
	cr_assert_neq(victim, DP_INDEX_NONE);
	uint32_t context = dp_exchange_at(pool, victim)->context;

	for (unsigned i = 0; i < n; i++)
		if (count[dp_exchange_at(pool, list[i])->context]++ == 0 &&
			dp_exchange_at(pool, list[i])->context == context)
			cr_assert_eq(list[i], victim, "it is not the oldest");
	for (unsigned i = 0; i < CONTEXTS; i++)
		cr_assert_leq(count[i], count[context], "%u holds more", i);
}

// Against a plain list, with endpoints that share a bucket for the same id.
Test(dp_unacked, agrees_with_a_list)
{
	struct dp_exchange_pool *pool = dp_exchange_pool_create(POOL, 64);
	struct dp_context_table contexts = {.side = sides};
	struct dp_unacked *unacked = dp_unacked_create(pool, &contexts);
	uint32_t list[POOL];
	unsigned n = 0;
	uint64_t state = 88172645463325252;

	memset(sides, 0, sizeof(sides));

	for (unsigned step = 0; step < 100000; step++) {
		state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
		unsigned what = state >> 60, which = state >> 33;
		struct dp_flow flow = {.remote_port = which % 500, .remote_mac = {step}};
		uint16_t mid = which / 500 % 2;
		uint32_t found = dp_unacked_find(unacked, &flow, mid);
		unsigned at;

		for (at = 0; at < n; at++)
			if (dp_exchange_at(pool, list[at])->own_mid == mid &&
				dp_exchange_at(pool, list[at])->flow.remote_port ==
					flow.remote_port)
				break;
		cr_assert_eq(found, at < n ? list[at] : DP_INDEX_NONE);
		if (found == DP_INDEX_NONE && what < 12) {
			uint32_t index = dp_exchange_take(pool);

			if (index == DP_INDEX_NONE)
				continue;
			dp_exchange_at(pool, index)->flow = flow;
			dp_exchange_at(pool, index)->own_mid = mid;
			dp_exchange_at(pool, index)->state = DP_EXCHANGE_UNACKED;
			dp_exchange_at(pool, index)->context = which % 499 % CONTEXTS;
			dp_unacked_add(unacked, index);
			list[n++] = index;
		} else if (found != DP_INDEX_NONE && what >= 4) {
			dp_unacked_remove(unacked, found);
			dp_exchange_give(pool, found);
			memmove(&list[at], &list[at + 1], (n - at - 1) * sizeof(list[0]));
			n--;
		}
		cr_assert_eq(dp_unacked_count(unacked), n);
		expect_victim(pool, unacked, list, n);
	}
	dp_unacked_free(unacked);
	dp_exchange_pool_free(pool);
}

static void wait_add(struct dp_unacked *unacked, struct dp_exchange_pool *pool, unsigned context)
{
	uint32_t index = dp_exchange_take(pool);

	cr_assert_neq(index, DP_INDEX_NONE);
	dp_exchange_at(pool, index)->flow = (struct dp_flow){0};
	dp_exchange_at(pool, index)->own_mid = index;
	dp_exchange_at(pool, index)->state = DP_EXCHANGE_UNACKED;
	dp_exchange_at(pool, index)->context = context;
	dp_unacked_add(unacked, index);
}

// 255 is the highest limit there is. Beyond it all are equal, and the first that came there gives
// way, though it goes on taking more.
Test(dp_unacked, who_holds_very_many_gives_way)
{
	enum { MANY = 1024 };
	static const unsigned honest[] = {60, 200, 255};
	struct dp_exchange_pool *pool = dp_exchange_pool_create(MANY, 64);
	struct dp_context_table contexts = {.side = sides};
	struct dp_unacked *unacked = dp_unacked_create(pool, &contexts);
	uint32_t victim;

	for (unsigned i = 0; i < RTE_DIM(honest); i++) {
		memset(sides, 0, sizeof(sides));
		for (unsigned n = 0; n < honest[i]; n++)
			wait_add(unacked, pool, 1);
		for (unsigned n = 1; n < 400; n++) {
			wait_add(unacked, pool, 0);
			victim = dp_unacked_victim(unacked);
			cr_assert_eq(
				dp_exchange_at(pool, victim)->context, n <= honest[i], "%u", n);
		}
		for (unsigned n = honest[i]; n < 300; n++)
			wait_add(unacked, pool, 1);
		for (unsigned n = 0; n < 100; n++) {
			wait_add(unacked, pool, 0);
			victim = dp_unacked_victim(unacked);
			cr_assert_eq(dp_exchange_at(pool, victim)->context, 0);
		}
		while ((victim = dp_unacked_victim(unacked)) != DP_INDEX_NONE) {
			dp_unacked_remove(unacked, victim);
			dp_exchange_give(pool, victim);
		}
		cr_assert_eq(pool->free_count, MANY);
	}
	dp_unacked_free(unacked);
	dp_exchange_pool_free(pool);
}

// An answer that waits for an id, and may have lost the one it had, hides none that was sent.
Test(dp_unacked, what_was_not_sent_is_not_acknowledged)
{
	struct dp_exchange_pool *pool = dp_exchange_pool_create(POOL, 64);
	struct dp_context_table contexts = {.side = sides};
	struct dp_unacked *unacked = dp_unacked_create(pool, &contexts);
	struct dp_flow flow = {.remote_port = 5683};
	uint32_t sent = dp_exchange_take(pool), waits = dp_exchange_take(pool);

	*dp_exchange_at(pool, sent) =
		(struct dp_exchange){.flow = flow, .own_mid = 7, .state = DP_EXCHANGE_UNACKED};
	*dp_exchange_at(pool, waits) = (struct dp_exchange){.flow = flow, .own_mid = 7};
	dp_unacked_add(unacked, sent);
	dp_unacked_add(unacked, waits);
	cr_expect_eq(dp_unacked_find(unacked, &flow, 7), sent);
	dp_unacked_remove(unacked, sent);
	cr_expect_eq(dp_unacked_find(unacked, &flow, 7), DP_INDEX_NONE);
	dp_unacked_free(unacked);
	dp_exchange_pool_free(pool);
}
