// SPDX-License-Identifier: BSD-3-Clause
// For how long a worker remembers what it answered: who repeats a request within the time that
// `status` names gets the same bytes. The clock stands still between bursts.

#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define DEVICES 250 // together they may fill the ring within their shares
#define BURST   32
#define SCALE   16 // of the ring, and so of the rate that it keeps answers for as long at
#define ANSWERS ((size_t)(64 << 20) / SCALE)

static struct bed bed;
static struct bed_device device[DEVICES];
static uint64_t asked;

static void make(void)
{
	bed_make_fleet(&bed, DEVICES, ANSWERS);
	bed_stop_clock(&bed);
	for (unsigned i = 0; i < DEVICES; i++) {
		bed_device_make(&device[i], i + 2, AEAD_AES_CCM_16_64_128);
		bed_device_add(&bed, &device[i], true);
	}
}

static void end(void)
{
	bed_free(&bed);
}

TestSuite(dp_kept, .init = make, .fini = end, .timeout = 300);

// One answer of those that are asked for again later.
struct kept {
	struct bed_request request;
	uint16_t len;
	uint8_t coap[64];
};

// Sends the next requests of a burst, and keeps them with their answers unless that is NULL.
static void burst(struct kept *kept)
{
	static struct bed_request request;
	static struct bed_answer answer;

	for (unsigned i = 0; i < BURST; i++, asked++) {
		bed_seal_path(&device[asked % DEVICES], &request, COAP_CON, asked, asked / DEVICES,
			COAP_POST, "discard", "0123456789abcdef");
		bed_send_request(&bed, &request);
		if (kept)
			kept[i].request = request;
	}
	bed_turn(&bed);
	for (unsigned i = 0; i < BURST; i++) {
		cr_assert(bed_receive(&bed, &answer), "request %lu", asked - BURST + i);
		if (!kept)
			continue;
		cr_assert_leq(answer.len, sizeof(kept[i].coap));
		kept[i].len = answer.len;
		memcpy(kept[i].coap, answer.coap, answer.len);
	}
}

// Sends the requests of a burst again. Returns how many get the bytes that they got.
static unsigned again(const struct kept *kept)
{
	static struct bed_answer answer;
	unsigned same = 0;

	for (unsigned i = 0; i < BURST; i++)
		bed_send_request(&bed, &kept[i].request);
	bed_turn(&bed);
	for (unsigned i = 0; bed_receive(&bed, &answer); i++, same++) {
		// Answers come in the order of requests; some may have none.
		while (i < BURST && kept[i].request.mid != answer.msg.mid)
			i++;
		cr_assert_lt(i, BURST);
		cr_assert_eq(answer.len, kept[i].len);
		cr_assert_arr_eq(answer.coap, kept[i].coap, answer.len);
	}
	return same;
}

// So many answers a second, for so long; then each request is sent again when it is as old.
static void expect_kept(unsigned rate, unsigned seconds)
{
	const unsigned all = rate / SCALE * seconds / BURST, some = 2048 / BURST;
	struct kept *kept = calloc((size_t)some * BURST, sizeof(*kept));
	uint64_t passed_ms = 0;
	unsigned same = 0;

	cr_assert_not_null(kept);
	for (unsigned i = 0; i < all + some; i++) {
		const uint64_t now_ms = (uint64_t)seconds * 1000 * i / all;

		bed_later(&bed, now_ms - passed_ms);
		passed_ms = now_ms;
		burst(i < some ? kept + (size_t)i * BURST : NULL);
		if (i >= all)
			same += again(kept + (size_t)(i - all) * BURST);
	}
	printf("# %u a second, after %u s: %u of %u get the same bytes\n", rate, seconds, same,
		some * BURST);
	cr_expect_geq(same, 0.999 * some * BURST);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_duplicates_answered), same);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_replay), some * BURST - same);
	free(kept);
}

Test(dp_kept, for_45_s_at_46_000_a_second)
{
	expect_kept(46000, 45);
}

Test(dp_kept, for_10_s_at_209_000_a_second)
{
	expect_kept(209000, 10);
}
