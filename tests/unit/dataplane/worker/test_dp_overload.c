// SPDX-License-Identifier: BSD-3-Clause
// The overload ladder: when each rung is entered and left, and what it costs whom.

#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>
#include <time.h>

#define EXCHANGES 100 // so that a percent is one of them

static struct bed bed;
static struct bed_device device;
static struct bed_request request;
static struct bed_answer answer;
static dp_handle held[EXCHANGES];
static unsigned held_count;
static uint64_t next_piv = 1;

static void init(void)
{
	bed_make_exchanges(&bed, 2, 1, EXCHANGES);
	bed_stop_clock(&bed); // exchanges that are held do not become old
	bed_device_make(&device, 2, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
}

static void release(unsigned in_use)
{
	static const uint8_t done[] = {COAP_CHANGED};

	while (held_count > in_use)
		bed_upstream_answer(&bed, held[--held_count], done, sizeof(done));
	bed_turn(&bed);
	while (bed_receive(&bed, &answer))
		;
}

static void fini(void)
{
	release(0);
	cr_expect_eq(dp_worker_exchanges_free(bed.dp, 0), EXCHANGES);
	bed_free(&bed);
}

TestSuite(dp_overload, .init = init, .fini = fini);

static void post(enum coap_type type, const char *path)
{
	uint64_t piv = next_piv++;

	bed_seal_path(&device, &request, type, piv, piv, COAP_POST, path, NULL);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

// Until so many exchanges are in use, one after the other.
static void fill(unsigned in_use)
{
	while (held_count < in_use) {
		post(COAP_CON, "up/x");
		cr_assert_not_null(bed_upstream_take(&bed, &held[held_count]));
		held_count++;
	}
}

static bool answered(uint8_t code)
{
	return bed_receive(&bed, &answer) && bed_open(&device, &request, &answer) &&
		answer.plaintext[0] == code;
}

static bool served(enum coap_type type, const char *path)
{
	post(type, path);
	return answered(COAP_CHANGED);
}

static void send_again(void)
{
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

Test(dp_overload, each_rung_is_entered_at_its_share_and_left_ten_points_lower)
{
	static const struct {
		unsigned in_use;
		enum dp_rung rung;
	} steps[] = {
		{79, DP_RUNG_NONE},
		{80, DP_RUNG_LOW},
		{70, DP_RUNG_LOW},
		{69, DP_RUNG_NONE},
		{79, DP_RUNG_NONE},
		{89, DP_RUNG_LOW},
		{90, DP_RUNG_NON},
		{80, DP_RUNG_NON},
		{79, DP_RUNG_LOW},
		{96, DP_RUNG_NON},
		{97, DP_RUNG_CON},
		{87, DP_RUNG_CON},
		{86, DP_RUNG_NON},
		{97, DP_RUNG_CON},
		{0, DP_RUNG_NONE},
	};

	for (unsigned i = 0; i < RTE_DIM(steps); i++) {
		if (steps[i].in_use > held_count)
			fill(steps[i].in_use);
		else
			release(steps[i].in_use);
		cr_assert_eq(dp_worker_rung(bed.dp, 0), steps[i].rung, "step %u", i);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_overload_low), 2);
	cr_expect_eq(bed_count(&bed, DP_STAT_overload_non), 2);
	cr_expect_eq(bed_count(&bed, DP_STAT_overload_con), 2);
	cr_expect_eq(dp_worker_rung(bed.dp, 1), DP_RUNG_NONE, "each worker has its own");
}

Test(dp_overload, shares_are_of_pools_of_any_size)
{
	static const uint32_t pools[] = {1, 2, 8, 63, 64, 1000, 8192, 1048576, UINT32_MAX};
	static const unsigned entered[] = {0, 80, 90, 97};
	struct dp_overload o;

	for (unsigned p = 0; p < RTE_DIM(pools); p++) {
		uint32_t step = RTE_MAX(pools[p] / 1000, 1u);
		unsigned rung = 0;

		dp_overload_init(&o, pools[p], 0);
		for (uint64_t n = 0; n <= pools[p]; n += step) {
			while (rung + 1 < DP_RUNG_COUNT &&
				n * 100 >= (uint64_t)pools[p] * entered[rung + 1])
				rung++;
			dp_overload_exchanges(&o, n);
			cr_assert_eq(o.rung, rung, "%lu of %u", n, pools[p]);
		}
		for (uint64_t n = pools[p];; n -= RTE_MIN(n, (uint64_t)step)) {
			while (rung && n * 100 < (uint64_t)pools[p] * (entered[rung] - 10))
				rung--;
			dp_overload_exchanges(&o, n);
			cr_assert_eq(o.rung, rung, "%lu of %u, down", n, pools[p]);
			if (!n)
				break;
		}
		cr_assert_eq(o.rung, DP_RUNG_NONE);
	}
}

Test(dp_overload, ten_milliseconds_of_full_bursts_are_the_first_rung)
{
	// Of 20 turns in 10 ms.
	static const struct {
		unsigned full;
		enum dp_rung rung;
	} steps[] = {
		{0, DP_RUNG_NONE},
		{19, DP_RUNG_NONE},
		{20, DP_RUNG_LOW},
		{18, DP_RUNG_LOW}, // 90 %
		{17, DP_RUNG_NONE},
		{19, DP_RUNG_NONE},
		{20, DP_RUNG_LOW},
		{0, DP_RUNG_NONE},
	};
	struct dp_overload o;
	uint64_t now = 1000;

	dp_overload_init(&o, EXCHANGES, now);
	for (unsigned i = 0; i < RTE_DIM(steps); i++) {
		for (unsigned t = 1; t <= 20; t++)
			dp_overload_turn(&o, t <= steps[i].full, now + t / 2);
		now += DP_FULL_MS;
		cr_assert_eq(o.rung, steps[i].rung, "step %u", i);
	}
	// A worker that did not run for a while finds a full burst when it does.
	for (unsigned t = 0; t < 5; t++)
		dp_overload_turn(&o, true, now += DP_FULL_MS);
	cr_expect_eq(o.rung, DP_RUNG_NONE);
}

Test(dp_overload, the_worker_sees_that_it_is_slower_than_what_comes)
{
	time_t end = time(NULL) + 60;

	bed_run_clock(&bed);
	while (dp_worker_rung(bed.dp, 0) == DP_RUNG_NONE && time(NULL) < end) {
		for (unsigned i = 0; i < DP_BURST; i++)
			bed_send(&bed, &bed.flow, (const uint8_t *)"\x40\x01", 2);
		bed_turn_one(&bed, 0);
	}
	cr_expect_eq(dp_worker_rung(bed.dp, 0), DP_RUNG_LOW);
	cr_expect(served(COAP_CON, "echo"), "only routes of low priority are refused");
	// Quiet turns, and it is over.
	while (dp_worker_rung(bed.dp, 0) != DP_RUNG_NONE && time(NULL) < end)
		bed_turn_one(&bed, 0);
	cr_expect_eq(dp_worker_rung(bed.dp, 0), DP_RUNG_NONE);
	cr_expect_eq(bed_count(&bed, DP_STAT_overload_low), 1);
}

Test(dp_overload, routes_of_low_priority_get_a_protected_503_with_a_max_age_of_its_own)
{
	unsigned seen[16] = {0}, different = 0;

	cr_expect(served(COAP_CON, "low"));
	fill(80);
	for (unsigned i = 0; i < 64; i++) {
		struct coap_body body;
		struct coap_option max_age;
		uint32_t seconds;

		post(i % 2 ? COAP_CON : COAP_NON, "low");
		cr_assert(answered(COAP_SERVICE_UNAVAILABLE));
		cr_assert_eq(coap_body_parse(&body, answer.plaintext + 1, answer.plaintext_len - 1),
			COAP_OK);
		cr_assert(coap_option_find(&body, COAP_OPT_MAX_AGE, &max_age));
		cr_assert(coap_option_uint(&max_age, &seconds));
		cr_assert(seconds >= 5 && seconds <= 10, "%u", seconds);
		different += !seen[seconds]++;
	}
	cr_expect_geq(different, 3, "devices do not come back in step");
	cr_expect_eq(bed_count(&bed, DP_STAT_overload_refused), 64);
	cr_expect(served(COAP_NON, "echo"), "other routes are served");
	release(69);
	cr_expect(served(COAP_CON, "low"));
}

// A second answer under one nonce would be a second 5.03, or the first.
Test(dp_overload, a_copy_whose_answer_would_be_503_now_gets_nothing)
{
	struct bed_request known;

	cr_assert(served(COAP_CON, "low"));
	known = request;
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	fill(80);
	request = known;
	send_again();
	cr_expect_not(bed_receive(&bed, &answer));
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_duplicate_differs), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_overload_refused), 0);
	release(0);
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	request = known;
	send_again();
	cr_expect(answered(COAP_CHANGED));
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_duplicates_answered), 1);
}

// A drain finishes what has begun: copies of what was answered, and bodies.
Test(dp_overload, a_drain_refuses_only_what_begins)
{
	// POST /up/x with Block1 of number 0 and 1, more to come, and one byte.
	uint8_t block[] = {COAP_POST, 0xb2, 'u', 'p', 0x01, 'x', 0xd1, 0x03, 0x0e, 0xff, 'a'};
	struct bed_request known;
	uint64_t piv;

	cr_assert(served(COAP_CON, "echo"));
	known = request;
	dp_drain(bed.dp, 100);
	post(COAP_CON, "echo");
	cr_expect(answered(COAP_SERVICE_UNAVAILABLE));
	post(COAP_NON, "up/x");
	cr_expect(answered(COAP_SERVICE_UNAVAILABLE));
	for (unsigned number = 0; number < 2; number++) {
		block[8] = (uint8_t)(number << 4 | 0x0e);
		piv = next_piv++;
		bed_seal(&device, &request, COAP_CON, piv, piv, block, sizeof(block));
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		cr_expect_eq(answered(COAP_SERVICE_UNAVAILABLE), !number);
	}
	cr_assert_not_null(bed_upstream_take(&bed, &held[held_count]), "the second block goes on");
	held_count++;
	cr_expect_eq(bed_count(&bed, DP_STAT_drain_refused), 3);
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	request = known;
	send_again();
	cr_expect(answered(COAP_CHANGED), "a copy gets its answer");
	dp_drain(bed.dp, 0);
	cr_expect(served(COAP_CON, "echo"));
}

Test(dp_overload, a_non_that_was_dropped_is_new_when_it_comes_again)
{
	struct bed_request dropped;

	fill(90);
	post(COAP_NON, "echo");
	dropped = request;
	cr_expect_not(bed_receive(&bed, &answer));
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_overload_non), 1);
	cr_expect(served(COAP_CON, "echo"), "confirmable ones are served");
	release(79);
	request = dropped;
	send_again();
	cr_expect(answered(COAP_CHANGED));
}

Test(dp_overload, a_con_that_was_dropped_is_new_when_it_comes_again)
{
	struct bed_request dropped;
	uint64_t open;

	fill(97);
	open = dp_stat_read(dp_worker_stats(bed.dp, 0), DP_STAT_rx_requests);
	post(COAP_CON, "echo");
	dropped = request;
	post(COAP_NON, "echo");
	cr_expect_not(bed_receive(&bed, &answer));
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_overload_con), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_overload_non), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), open);
	// Before it is decrypted: a forged one ends there, too.
	post(COAP_CON, "echo");
	request.coap[request.len - 1] ^= 1;
	send_again();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_overload_con), 3);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_tag), 0);
	release(86);
	request = dropped;
	send_again();
	cr_expect(answered(COAP_CHANGED));
	// And only once.
	release(0);
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	send_again();
	cr_expect(answered(COAP_CHANGED));
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_duplicates_answered), 1);
}

Test(dp_overload, who_was_answered_is_answered_again_and_junk_ends_where_it_always_does)
{
	struct bed_device nobody;
	struct bed_request known;

	cr_assert(served(COAP_CON, "echo"));
	known = request;
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	fill(97);
	request = known;
	send_again();
	cr_expect(answered(COAP_CHANGED), "a copy of what was answered");
	bed_send(&bed, &bed.flow, (const uint8_t *)"\x40\x00\x12\x34", 4);
	bed_turn(&bed);
	cr_expect(bed_receive(&bed, &answer), "a ping");
	cr_expect_eq(answer.msg.type, COAP_RST);
	bed_device_make(&nobody, 9, AEAD_AES_CCM_16_64_128);
	bed_seal_path(&nobody, &request, COAP_CON, 1, 1, COAP_POST, "echo", NULL);
	send_again();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_unknown_context), 1);
	bed_send(&bed, &bed.flow, request.coap, 9);
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_coap_format), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_overload_con), 0);
}

// What arrives at another worker needs an exchange of the owner.
Test(dp_overload, the_owner_of_a_context_refuses_what_another_worker_took)
{
	fill(97);
	bed.queue = 1;
	post(COAP_CON, "echo");
	cr_expect_not(bed_receive(&bed, &answer));
	cr_expect_eq(bed_count(&bed, DP_STAT_handed_over), 1);
	cr_expect_eq(dp_stat_read(dp_worker_stats(bed.dp, 0), DP_STAT_drop_overload_con), 1);
	release(86);
	send_again();
	cr_expect(answered(COAP_CHANGED));
}

// And an owner with room serves what a worker without room took for it.
Test(dp_overload, a_worker_refuses_only_what_is_its_own)
{
	struct bed_device other;

	bed_device_make(&other, 3, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &other, true);
	bed.queue = 1;
	bed_seal_path(&other, &request, COAP_CON, 1, 1, COAP_POST, "echo", NULL);
	send_again();
	cr_assert(bed_receive(&bed, &answer));
	bed.queue = 0;
	fill(97);
	bed_seal_path(&other, &request, COAP_CON, 2, 2, COAP_POST, "echo", NULL);
	send_again();
	cr_assert(bed_receive(&bed, &answer));
	cr_expect(bed_open(&other, &request, &answer));
}
