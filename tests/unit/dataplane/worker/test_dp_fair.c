// SPDX-License-Identifier: BSD-3-Clause
// What one device, or a stranger who knows its kid, can take from others.

#include "dataplane/shared/bucket.h"
#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>

#define MANY      4000
#define EXCHANGES 5000
#define ROUNDS    9

static struct bed bed;
static struct bed_device device, other;
static struct bed_request request;
static struct bed_answer answer;
static dp_handle handle;

static void init(void)
{
	bed_make_exchanges(&bed, 1, 1, EXCHANGES);
	bed_stop_clock(&bed);
	bed_device_make(&device, 2, AEAD_AES_CCM_16_64_128);
	bed_device_make(&other, 3, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
	bed_device_add(&bed, &other, true);
}

static void fini(void)
{
	bed_free(&bed);
}

TestSuite(dp_fair, .init = init, .fini = fini);

static void expect_answer(const struct bed_device *from, uint8_t code)
{
	struct bed_answer more;

	cr_assert(bed_receive(&bed, &answer), "no answer");
	cr_assert(bed_open(from, &request, &answer), "the answer does not verify");
	cr_assert_eq(answer.plaintext[0], code, "code %u.%02u", answer.plaintext[0] >> 5,
		answer.plaintext[0] & 31);
	cr_expect_not(bed_receive(&bed, &more), "two answers");
}

// A protected 4.29: the seconds after which the device may ask again.
static uint32_t expect_slow_down(const struct bed_device *from)
{
	struct coap_body body;
	struct coap_option max_age;
	uint32_t seconds = 0;

	expect_answer(from, COAP_TOO_MANY_REQUESTS);
	cr_assert_eq(
		coap_body_parse(&body, answer.plaintext + 1, answer.plaintext_len - 1), COAP_OK);
	cr_assert(coap_option_find(&body, COAP_OPT_MAX_AGE, &max_age));
	cr_assert(coap_option_uint(&max_age, &seconds));
	return seconds;
}

static void send_one(const struct bed_device *from, enum coap_type type, uint16_t mid, uint64_t piv,
	const char *path)
{
	bed_seal_path(from, &request, type, mid, piv, COAP_GET, path, NULL);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

// Requests that stay at the backend, with message ids and Partial IVs from 0.
static void pending(const struct bed_device *from, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		send_one(from, COAP_CON, i, i, "up/slow");
	cr_assert_eq(bed_count(&bed, DP_STAT_exchanges_started), n);
}

// Cycles that the window stage takes for a burst of forged requests with a Partial IV that was
// seen.
static uint64_t forged_cycles(const struct bed_device *as, uint64_t piv)
{
	uint64_t least = UINT64_MAX;

	bed_seal_path(as, &request, COAP_CON, 0x7777, piv, COAP_GET, "up/slow", NULL);
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t before = dp_worker_stats(bed.dp, 0)->cycles[DP_STAGE_window];

		for (unsigned i = 0; i < DP_BURST; i++)
			bed_send_request(&bed, &request);
		bed_turn(&bed);
		least = RTE_MIN(
			least, dp_worker_stats(bed.dp, 0)->cycles[DP_STAGE_window] - before);
	}
	return least;
}

Test(dp_fair, a_copy_is_found_among_any_number_of_requests)
{
	pending(&device, MANY);
	bed_later(&bed, DP_ACK_AFTER(DP_ACK_TIMEOUT_MS) - 10 * DP_TICK_MS);
	for (unsigned i = MANY - OSC_WINDOW_SIZE; i < MANY; i++) {
		send_one(&device, COAP_CON, i, i, "up/slow");
		cr_assert(bed_receive(&bed, &answer), "copy of %u", i);
		cr_expect_eq(answer.len, COAP_EMPTY_LEN);
		cr_expect_eq(answer.msg.mid, i);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_duplicates_acked), OSC_WINDOW_SIZE);
	// Another's request with the same numbers is no copy.
	send_one(&other, COAP_CON, MANY - 1, MANY - 1, "up/slow");
	cr_expect_eq(bed_count(&bed, DP_STAT_exchanges_started), MANY + 1);
}

Test(dp_fair, a_forged_copy_costs_the_same_whatever_the_device_has_under_way)
{
	send_one(&other, COAP_CON, 1, MANY - 1, "echo");
	cr_assert(bed_receive(&bed, &answer));
	pending(&device, MANY);
	uint64_t few = forged_cycles(&other, MANY - 1);
	uint64_t many = forged_cycles(&device, MANY - 1);

	cr_expect_lt(many, 8 * few, "%lu cycles a burst, %lu without any under way", many, few);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_replay), 2 * ROUNDS * DP_BURST);
	// A removed device's are in no chain any more.
	struct dp_context_key key;

	bed_device_key(&device, &key);
	cr_assert_eq(dp_device_remove(bed.dp, &key), 0);
	bed_turn(&bed);
	while (bed_upstream_take(&bed, &handle)) {
		bed_upstream_answer(&bed, handle, (const uint8_t[]){COAP_CONTENT}, 1);
		bed_turn(&bed);
	}
	cr_expect_eq(dp_worker_exchanges_free(bed.dp, 0), EXCHANGES);
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_late), MANY);
}

static void backend_answers(dp_handle to)
{
	bed_upstream_answer(&bed, to, (const uint8_t[]){COAP_CONTENT, 0xff, 'x'}, 3);
	bed_turn(&bed);
}

Test(dp_fair, a_device_has_so_many_requests_under_way)
{
	uint64_t piv = 0;

	bed.policy.max_in_flight = 4;
	for (; piv < 4; piv++)
		send_one(&device, COAP_NON, piv, piv, "up/slow");
	cr_expect_not(bed_receive(&bed, &answer));
	for (; piv < 10; piv++) {
		send_one(&device, piv % 2 ? COAP_NON : COAP_CON, piv, piv, "up/slow");
		uint32_t seconds = expect_slow_down(&device);

		cr_expect(seconds >= 1 && seconds <= 5, "%u s", seconds);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_in_flight_refused), 6);
	// What needs no exchange is served, and so are others.
	send_one(&device, COAP_CON, piv, piv, "echo");
	expect_answer(&device, COAP_CONTENT);
	piv++;
	send_one(&other, COAP_CON, 1, 1, "up/slow");
	cr_expect_not(bed_receive(&bed, &answer));
	// Each answer makes room for one request.
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	backend_answers(handle);
	cr_assert(bed_receive(&bed, &answer));
	send_one(&device, COAP_CON, piv, piv, "up/slow");
	cr_expect_not(bed_receive(&bed, &answer));
	piv++;
	send_one(&device, COAP_CON, piv, piv, "up/slow");
	expect_slow_down(&device);
	// A limit of its own is the device's.
	dp_contexts(bed.dp)->context[device.context].max_in_flight = 5;
	send_one(&device, COAP_CON, piv + 1, piv + 1, "up/slow");
	cr_expect_not(bed_receive(&bed, &answer));
	send_one(&device, COAP_CON, piv + 2, piv + 2, "up/slow");
	expect_slow_down(&device);
}

// Gets a device an answer that waits for its ACK: its message id.
static uint16_t unacked(const struct bed_device *from, uint64_t piv)
{
	send_one(from, COAP_CON, piv, piv, "up/slow");
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	bed_later(&bed, DP_ACK_AFTER(DP_ACK_TIMEOUT_MS) + 2 * DP_TICK_MS);
	bed_turn(&bed);
	backend_answers(handle);
	// Retransmissions of other answers may be among them.
	do
		cr_assert(bed_receive(&bed, &answer), "no answer");
	while (!bed_open(from, &request, &answer));
	cr_expect_eq(answer.msg.type, COAP_CON);
	return answer.msg.mid;
}

Test(dp_fair, what_a_device_does_not_acknowledge_counts)
{
	bed.policy.max_in_flight = 1;
	uint16_t mid = unacked(&device, 1);

	send_one(&device, COAP_CON, 2, 2, "up/slow");
	expect_slow_down(&device);
	bed_send_empty(&bed, &bed.flow, COAP_ACK, mid);
	bed_turn(&bed);
	send_one(&device, COAP_CON, 3, 3, "up/slow");
	cr_expect_not(bed_receive(&bed, &answer));
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_given_up), 0);
}

Test(dp_fair, a_device_sends_so_many_requests_a_second)
{
	const unsigned burst = 5;
	uint64_t piv = 0;

	bed.policy.rate_cost = DP_BUCKET_PER_MS * 1000 / 10; // ten a second
	bed.policy.rate_fill = burst * bed.policy.rate_cost;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < burst; i++, piv++) {
			send_one(&device, COAP_CON, piv, piv, i % 2 ? "echo" : "none");
			expect_answer(&device, i % 2 ? COAP_CONTENT : COAP_NOT_FOUND);
		}
		// Whatever it asks for, and a refusal takes nothing from it.
		for (unsigned i = 0; i < 20; i++, piv++) {
			send_one(&device, COAP_CON, piv, piv, i % 2 ? "echo" : "up/slow");
			cr_expect_eq(expect_slow_down(&device), 1);
		}
		send_one(&other, COAP_CON, round, round, "echo");
		expect_answer(&other, COAP_CONTENT);
		bed_later(&bed, 100);
		send_one(&device, COAP_CON, piv, piv, "echo");
		expect_answer(&device, COAP_CONTENT);
		piv++;
		send_one(&device, COAP_CON, piv, piv, "echo");
		expect_slow_down(&device);
		piv++;
		bed_later(&bed, 500);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rate_refused), 3 * 21);
}

// A bucket that is full for long is not mistaken for an empty one, wherever its time has come
// round to, nor is one that is new.
Test(dp_fair, after_a_long_silence_a_device_has_its_whole_burst)
{
	const uint64_t round = (UINT64_C(1) << 32) / DP_BUCKET_PER_MS, hour = 3600 * 1000;
	const uint64_t silences[] = {hour, 4 * hour, 5 * hour, round - 10000, round - 9000,
		round - 5000, round - 1, round, round + 1, 2 * round - 5000, 13 * hour};
	const unsigned burst = 5;
	uint64_t piv = 0;

	bed.policy.rate_cost = DP_BUCKET_PER_MS * 1000; // one a second
	bed.policy.rate_fill = 10 * bed.policy.rate_cost;
	// The time before it comes round, for a device that was never heard of.
	bed_later(&bed, round - bed_now_ms(&bed) % round - 5000);
	for (unsigned i = 0; i < RTE_DIM(silences); i++) {
		for (unsigned k = 0; k < burst; k++, piv++) {
			send_one(&device, COAP_CON, piv, piv, "echo");
			expect_answer(&device, COAP_CONTENT);
		}
		bed_later(&bed, silences[i]);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rate_refused), 0);
}

Test(dp_fair, a_device_that_sends_without_end_forgets_only_its_own_answers)
{
	enum { ANSWERS = 10, FLOOD = 3000 };
	static struct bed_request requests[ANSWERS];

	for (unsigned i = 0; i < ANSWERS; i++) {
		send_one(&other, COAP_CON, i, i, "echo");
		expect_answer(&other, COAP_CONTENT);
		requests[i] = request;
	}
	for (unsigned i = 0; i < FLOOD; i++) {
		send_one(&device, COAP_CON, i, i, "echo");
		cr_assert(bed_receive(&bed, &answer));
	}
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	for (unsigned i = 0; i < ANSWERS; i++) {
		request = requests[i];
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		expect_answer(&other, COAP_CONTENT);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_duplicates_answered), ANSWERS);
}

Test(dp_bucket, gives_what_flowed_in)
{
	uint32_t full_at = 0, given = 0;
	uint64_t ms = 1000;

	// 7 a second, 3 at once, for 40 hours: the time wraps around twice.
	const uint32_t cost = DP_BUCKET_PER_MS * 1000 / 7;

	for (unsigned i = 0; i < 1440000; i++, ms += 100)
		given += dp_bucket_take(&full_at, dp_bucket_now(ms), 3 * cost, cost);
	cr_expect_geq(given, 144000 * 7);
	cr_expect_leq(given, 144000 * 7 * 1.001 + 3);
}

// Without exchanges for all: who holds most gives way.
Test(dp_fair_few, who_acknowledges_nothing_does_not_take_from_others)
{
	enum { FEW = 8 };
	uint16_t mids[2];
	uint64_t piv = 0;

	bed_make_exchanges(&bed, 1, 1, FEW);
	bed_stop_clock(&bed);
	bed_device_make(&device, 2, AEAD_AES_CCM_16_64_128);
	bed_device_make(&other, 3, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
	bed_device_add(&bed, &other, true);
	// The honest one's are the oldest.
	for (unsigned i = 0; i < 2; i++)
		mids[i] = unacked(&other, i);
	for (; piv < 3 * FEW; piv++)
		(void)unacked(&device, piv);
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_given_up), 3 * FEW - (FEW - 2));
	cr_expect_eq(bed_count(&bed, DP_STAT_exchange_none_free), 0);
	for (unsigned i = 0; i < 2; i++) {
		bed_send_empty(&bed, &bed.flow, COAP_ACK, mids[i]);
		bed_turn(&bed);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_acks), 2, "they were there");
	bed_free(&bed);
}
