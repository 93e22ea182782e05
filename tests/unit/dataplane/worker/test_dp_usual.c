// SPDX-License-Identifier: BSD-3-Clause
// A worker that tells usual packets by a few compares does with each packet what one does that has
// only the long way: the same counters move, and the same bytes come back.

#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>

static struct bed bed;
static struct bed_device device;

static void setup(void)
{
	bed_make(&bed);
	bed_device_make(&device, 5, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
}

static void teardown(void)
{
	bed_free(&bed);
}

TestSuite(dp_usual, .init = setup, .fini = teardown);

// What a packet did.
struct outcome {
	uint64_t moved[DP_STAT_COUNT];
	bool answered;
	struct bed_answer answer;
};

static void run(struct outcome *outcome, bool fast, const uint8_t *coap, size_t len)
{
	for (unsigned i = 0; i < DP_STAT_COUNT; i++)
		outcome->moved[i] = bed_count(&bed, i);
	bed_fast_paths(&bed, fast);
	bed_send(&bed, &bed.flow, coap, len);
	bed_turn(&bed);
	outcome->answered = bed_receive(&bed, &outcome->answer);
	for (unsigned i = 0; i < DP_STAT_COUNT; i++)
		outcome->moved[i] = bed_count(&bed, i) - outcome->moved[i];
}

// Sends the request with this value at this byte, and cut to this length unless it is 0.
static void compare(const struct bed_request *request, size_t at, unsigned value, size_t len)
{
	static struct outcome outcome[2];
	struct bed_request changed = *request;

	if (at < changed.len)
		changed.coap[at] = (uint8_t)value;
	for (unsigned fast = 0; fast < 2; fast++) {
		// The second is no copy of the first.
		bed_window_forget(&bed, device.context);
		bed_answers_forget(&bed);
		run(&outcome[fast], fast, changed.coap, len ? len : changed.len);
	}
	const struct bed_answer *slow = &outcome[0].answer, *usual = &outcome[1].answer;

	for (unsigned i = 0; i < DP_STAT_COUNT; i++)
		cr_assert_eq(outcome[0].moved[i], outcome[1].moved[i],
			"byte %zu is %u, %zu bytes: %s", at, value, len, dp_stat_infos[i].name);
	cr_assert_eq(outcome[0].answered, outcome[1].answered);
	if (!outcome[0].answered)
		return;
	cr_assert_eq(slow->len, usual->len);
	cr_assert_arr_eq(slow->coap, usual->coap, 2);
	// The message id of a NON is new each time.
	if (slow->msg.type != COAP_NON)
		cr_assert_arr_eq(slow->coap + 2, usual->coap + 2, 2);
	cr_assert_arr_eq(slow->coap + 4, usual->coap + 4, slow->len - 4);
}

Test(dp_usual, every_byte_outside_changed)
{
	struct bed_request request;

	bed_seal_path(&device, &request, COAP_CON, 7, 0x1234, COAP_POST, "echo", "x");
	for (unsigned verbose = 0; verbose < 2; verbose++) {
		bed.policy.verbose_errors = verbose;
		for (size_t at = 0; at < request.len - 8u; at++)
			for (unsigned value = 0; value < 256; value += verbose ? 17 : 1) {
				compare(&request, at, value, 0);
				if (verbose) // the budget of errors is that of a second
					bed_later(&bed, 1000);
			}
		for (size_t len = 1; len <= request.len; len++)
			compare(&request, SIZE_MAX, 0, len);
	}
	cr_expect_gt(bed_count(&bed, DP_STAT_drop_coap_format), 0);
	cr_expect_gt(bed_count(&bed, DP_STAT_drop_unknown_context), 0);
	cr_expect_gt(bed_count(&bed, DP_STAT_drop_tag), 0);
}
