// SPDX-License-Identifier: BSD-3-Clause
// A worker with several upstream loops.

#include "tests/unit/dataplane/worker/dp_bed.h"

#include <criterion/criterion.h>

#define LOOPS   3
#define DEVICES BED_EXCHANGES

static struct bed bed;
static struct bed_device device[DEVICES];

// All requests of a device go to one loop, devices are spread, and answers come from all loops.
Test(dp_loops, a_device_has_one_loop)
{
	static const uint8_t changed[] = {COAP_CHANGED};
	static struct bed_request request[DEVICES];
	unsigned seen[LOOPS] = {0};
	dp_handle handle[DEVICES];

	bed_make_loops(&bed, LOOPS);
	bed_stop_clock(&bed);
	cr_assert_eq(dp_loop_count(bed.dp), LOOPS);
	for (unsigned i = 0; i < DEVICES; i++) {
		bed_device_make(&device[i], i + 2, AEAD_AES_CCM_16_64_128);
		bed_device_add(&bed, &device[i], true);
		seen[dp_loop_of(device[i].context, LOOPS)]++;
	}
	for (unsigned i = 0; i < LOOPS; i++)
		cr_expect_gt(seen[i], 0, "loop %u has no device", i);
	for (unsigned round = 1; round < 4; round++) {
		for (unsigned i = 0; i < DEVICES; i++) {
			bed_seal_path(&device[i], &request[i], COAP_CON, DEVICES * round + i, round,
				COAP_POST, "up/x", "y");
			bed_send_request(&bed, &request[i]);
		}
		bed_turn(&bed);
		for (unsigned i = 0; i < DEVICES; i++) // the bed checks the loop
			cr_assert_not_null(bed_upstream_take(&bed, &handle[i]));
		for (unsigned i = 0; i < DEVICES; i++)
			bed_upstream_answer(&bed, handle[i], changed, sizeof(changed));
		bed_turn(&bed);
		for (unsigned n = 0; n < DEVICES; n++) {
			struct bed_answer answer;
			unsigned i = 0;

			cr_assert(bed_receive(&bed, &answer));
			while (i < DEVICES && request[i].mid != answer.msg.mid)
				i++;
			cr_assert_lt(i, DEVICES);
			cr_expect(bed_open(&device[i], &request[i], &answer));
		}
	}
	cr_expect_eq(dp_worker_exchanges_free(bed.dp, 0), BED_EXCHANGES);
	bed_free(&bed);
}

Test(dp_loops, devices_are_spread_evenly)
{
	for (unsigned loops = 1; loops <= DP_LOOPS_MAX; loops++) {
		unsigned seen[DP_LOOPS_MAX] = {0};

		for (uint32_t context = 0; context < 16000; context++) {
			unsigned loop = dp_loop_of(context, loops);

			cr_assert_lt(loop, loops);
			seen[loop]++;
		}
		for (unsigned i = 0; i < loops; i++)
			cr_expect(seen[i] > 16000 / loops * 9 / 10, "loop %u of %u: %u", i, loops,
				seen[i]);
	}
}
