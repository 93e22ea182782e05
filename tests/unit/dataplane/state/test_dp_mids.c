// SPDX-License-Identifier: BSD-3-Clause
// Message ids: none comes again within its lifetime (RFC 7252 section 4.4).

#include "dataplane/shared/setup.h"
#include "dataplane/state/mids.h"

#include <criterion/criterion.h>

#define ACK_TIMEOUT DP_ACK_TIMEOUT_MS
#define WORKERS     5

static void use_up_ids(struct dp_mids *mids, const struct dp_flow *flow, uint64_t now_ms)
{
	uint16_t mid;

	for (unsigned i = 0; dp_mid_take(mids, flow, now_ms, &mid); i++)
		cr_assert_lt(i, 1 << 16, "ids without end");
}

// RFC 7252 section 4.4: no id twice to a peer within EXCHANGE_LIFETIME, at any rate.
Test(dp_mids, no_id_comes_again_within_the_lifetime)
{
	static uint64_t used_ms[1 << 16];
	const uint64_t lifetime_ms = dp_exchange_lifetime_ms(ACK_TIMEOUT);

	cr_expect_eq(lifetime_ms, 247000);
	for (unsigned id = 0; id < WORKERS; id++) {
		struct dp_mids *mids = dp_mids_create(id, WORKERS, ACK_TIMEOUT);
		const struct dp_flow flow = {.remote_port = id, .family = 4};
		uint64_t now = 1000000;
		unsigned given = 0, refused = 0;

		memset(used_ms, 0, sizeof(used_ms));
		for (unsigned i = 0; i < 200000; i++) {
			uint16_t mid;

			now += i % 7 ? 0 : i % 1001 ? i % 40 : i % 100000;
			if (!dp_mid_take(mids, &flow, now, &mid)) {
				refused++;
				continue;
			}
			given++;
			cr_assert(
				!used_ms[mid] || now - used_ms[mid] > lifetime_ms + DP_MID_KEPT_MS,
				"%u again after %lu ms", mid, now - used_ms[mid]);
			cr_assert_eq(dp_mid_worker(mids, mid), id);
			cr_assert_neq(mid & ~DP_MID_NON, 0, "apart from those of NON messages");
			used_ms[mid] = now;
		}
		cr_expect_gt(given, 20000);
		cr_expect_gt(refused, 20000);
		cr_expect_eq(dp_mid_worker(mids, 0x1234), DP_MID_WORKER_NONE);
		cr_expect_eq(dp_mid_worker(mids, 0xffff), DP_MID_WORKER_NONE, "worker 7 of 5");
		dp_mids_free(mids);
	}
}

// All ids of a worker come before the first one comes again, and no two workers make the same.
Test(dp_mids, the_oldest_non_id_comes_again)
{
	static uint16_t order[1 << 16];
	static uint8_t maker[1 << 16];
	const struct dp_flow flow = {.remote_port = 7, .family = 4};
	const unsigned each = (DP_MID_NON + 1) / 8; // three bits tell five workers apart

	memset(maker, 0, sizeof(maker));
	for (unsigned id = 0; id < WORKERS; id++) {
		struct dp_mids *mids = dp_mids_create(id, WORKERS, ACK_TIMEOUT);

		for (unsigned i = 0; i < 3 * each; i++) {
			uint16_t mid = dp_mid_non(mids, &flow);

			cr_assert_eq(mid & ~DP_MID_NON, 0);
			if (i < each) {
				cr_assert_eq(maker[mid], 0, "%u is worker %u's", mid, maker[mid]);
				maker[mid] = id + 1;
				order[i] = mid;
			}
			cr_assert_eq(mid, order[i % each], "the oldest one");
		}
		dp_mids_free(mids);
	}
}

Test(dp_mids, peers_do_not_use_up_each_others_ids)
{
	struct dp_mids *mids = dp_mids_create(0, 1, ACK_TIMEOUT);
	struct dp_flow flow = {.family = 4};
	unsigned served = 0;
	uint16_t mid;

	use_up_ids(mids, &flow, 0);

	for (unsigned peer = 1; peer <= 1000; peer++) {
		flow.remote_port = peer;
		served += dp_mid_take(mids, &flow, 0, &mid);
	}
	cr_expect_geq(served, 990);
	dp_mids_free(mids);
}
