// SPDX-License-Identifier: BSD-3-Clause
// What a thread of handshakes does with messages. The test is in the place of the workers and of
// main, and gives it its turns.

#include "gw/handshake/handshake.h"
#include "gw/handshake/kept.h"
#include "gw/handshake/pending.h"
#include "tests/unit/gw/handshake/peer.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>

#define RING        (64 * 1024)
#define DEVICE_RATE 4

static struct {
	struct dp_slow slow;
	struct dp_slow_lane lane[1];
} rings;
static uint64_t called;
static struct handshake_mailbox box;
static struct handshake *h;
static struct handshake_conf conf;
static uint64_t now_ms = 600000;
static struct dp_flow flow;

static struct peer peer;
static struct b2_device device; // as the gateway knows it
static struct peer_message one, two;
static uint8_t answer[PEER_ROOM];
static size_t answer_len;

static bool find(void *arg, const uint8_t *kid, uint8_t kid_len, struct b2_device *found)
{
	if (kid_len != 1 || kid[0] != device.params.recipient_id[0])
		return false;
	*found = device;
	return true;
}

static void begin(void)
{
	struct dp_slow_lane *lane = rings.slow.lane;

	cr_assert_geq(sodium_init(), 0);
	rings.slow.count = 1;
	rings.slow.thread = 3;
	lane->requests = dp_copy_ring_create(RING);
	lane->answers = dp_copy_ring_create(RING);
	lane->called = &called;
	cr_assert(lane->requests && lane->answers && !dp_doorbell_init(&rings.slow.bell));
	cr_assert_eq(handshake_mailbox_init(&box), 0);
	conf = (struct handshake_conf){
		.slow = &rings.slow,
		.mailbox = &box,
		.devices = 10,
		.rate = 1000,
		.device_rate = DEVICE_RATE,
		.find = find,
	};
	randombytes_buf(conf.mac_key, sizeof(conf.mac_key));
	h = handshake_make(&conf);
	cr_assert_not_null(h);
	flow = (struct dp_flow){.remote_addr = {192, 0, 2, 7}, .remote_port = 7, .family = 4};
	peer_make(&peer, &device, 9);
}

static void end(void)
{
	handshake_stop(h);
	handshake_free(h);
	handshake_mailbox_fini(&box);
	dp_copy_ring_free(rings.slow.lane->requests);
	dp_copy_ring_free(rings.slow.lane->answers);
	dp_doorbell_close(&rings.slow.bell);
	peer_free(&peer);
}

TestSuite(handshake, .init = begin, .fini = end);

static void give(const struct peer_message *message, enum dp_slow_kind kind)
{
	const struct dp_slow_head head = {
		.flow = flow, .kind = kind, .len = (uint16_t)message->len};

	cr_assert(dp_slow_put(rings.slow.lane->requests, &head, message->bytes));
	cr_assert_eq(handshake_turn(h, now_ms), 1);
}

static uint64_t stat(enum handshake_stat which)
{
	return handshake_stat_read(handshake_stats(h), which);
}

// The next answer; false if there is none.
static bool answered(void)
{
	const struct dp_slow_head *head = dp_slow_peek(rings.slow.lane->answers);

	if (!head)
		return false;
	cr_expect(dp_flow_same_endpoint(&head->flow, &flow));
	cr_expect(called >> rings.slow.thread & 1, "the worker is called");
	answer_len = head->len;
	memcpy(answer, head->coap, head->len);
	dp_copy_ring_pop(rings.slow.lane->answers);
	return true;
}

static bool answered_with_response_1(void)
{
	return answered() &&
		peer_response_1(&peer, &one, peer.r1, sizeof(peer.r1), answer, answer_len);
}

static void run_to_response_1(uint16_t mid)
{
	peer_request_1(&peer, &one, mid);
	give(&one, DP_SLOW_UNKNOWN);
	cr_assert(answered_with_response_1());
}

static struct handshake_born *born(void)
{
	return handshake_mailbox_take(&box);
}

// Keys stay in the thread, which wipes them: the store derives them again.
static void expect_no_keys(const struct handshake_born *b)
{
	const size_t len = offsetof(struct handshake_born, coap) + b->len;
	struct osc_params params = device.params;
	struct osc_keys keys;

	params.has_id_context = true;
	params.id_context_len = b->id.len;
	memcpy(params.id_context, b->id.bytes, b->id.len);
	cr_assert_eq(osc_derive(&keys, &params), 0);
	cr_expect_null(memmem(b, len, keys.sender_key, 16));
	cr_expect_null(memmem(b, len, keys.recipient_key, 16));
	cr_expect_null(memmem(b, len, params.secret, params.secret_len));
}

Test(handshake, a_run_gives_main_id3_and_request_2_and_no_keys)
{
	run_to_response_1(1);
	cr_expect_null(born(), "request #1 is for nobody");
	peer_request_2(&peer, &two, 2);
	give(&two, DP_SLOW_UNKNOWN);
	cr_expect_not(answered(), "main answers when it is durable");
	struct handshake_born *b = born();

	cr_assert_not_null(b);
	cr_expect_null(b->next);
	cr_expect_eq(b->device, device.id);
	cr_expect_eq(b->count, 0);
	cr_expect_eq(b->thread, 3);
	cr_assert_eq(b->len, two.len);
	cr_expect_arr_eq(b->coap, two.bytes, two.len);
	cr_expect_eq(b->id.len, B2_R2_LEN + 8);
	expect_no_keys(b);
	handshake_born_free(b);
}

Test(handshake, request_1_is_never_dispatched)
{
	for (unsigned i = 0; i < 5; i++) {
		now_ms += 1000;
		run_to_response_1(i);
		cr_expect_null(born());
	}
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_responses), 5);
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_completed), 0);
}

Test(handshake, a_copy_of_request_1_gets_the_same_bytes)
{
	uint8_t first[PEER_ROOM];

	run_to_response_1(1);
	memcpy(first, answer, answer_len);
	const size_t len = answer_len;

	for (unsigned i = 0; i < 20; i++) {
		now_ms += 12000;
		give(&one, DP_SLOW_UNKNOWN);
		cr_assert(answered());
		cr_assert_eq(answer_len, len);
		cr_expect_arr_eq(answer, first, len);
	}
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_copies), 20);
	// For EXCHANGE_LIFETIME, and not for ever.
	now_ms += 7001;
	give(&one, DP_SLOW_UNKNOWN);
	cr_assert(answered());
	cr_expect_arr_neq(answer, first, len);
}

Test(handshake, the_same_bytes_from_elsewhere_are_another_message)
{
	uint8_t first[PEER_ROOM];

	run_to_response_1(1);
	memcpy(first, answer, answer_len);
	flow.remote_port++;
	give(&one, DP_SLOW_UNKNOWN);
	cr_assert(answered());
	cr_expect_arr_neq(answer, first, answer_len);
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_copies), 0);
}

Test(handshake, request_2_is_taken_once)
{
	run_to_response_1(1);
	peer_request_2(&peer, &two, 2);
	give(&two, DP_SLOW_UNKNOWN);
	handshake_born_free(born());
	// While the new context is being written to the disk.
	give(&two, DP_SLOW_UNKNOWN);
	give(&two, DP_SLOW_UNKNOWN);
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_pending), 2);
	cr_expect_null(born());
	// And when that is done: the count is another one.
	device.count++;
	handshake_end(h, device.id);
	give(&two, DP_SLOW_UNKNOWN);
	cr_expect_null(born());
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_completed), 1);
}

Test(handshake, a_request_2_served_ends_all_other_runs_of_its_device)
{
	struct peer other = peer;
	struct peer_message other_two;

	run_to_response_1(1);
	memcpy(other.r2, peer.r2, B2_R2_LEN);
	run_to_response_1(2);
	peer_request_2(&peer, &two, 3);
	give(&two, DP_SLOW_UNKNOWN);
	handshake_born_free(born());
	device.count++;
	handshake_end(h, device.id);
	peer_request_2(&other, &other_two, 4);
	give(&other_two, DP_SLOW_UNKNOWN);
	cr_expect_null(born());
}

Test(handshake, a_write_that_failed_leaves_the_run_as_it_was)
{
	run_to_response_1(1);
	peer_request_2(&peer, &two, 2);
	give(&two, DP_SLOW_UNKNOWN);
	handshake_born_free(born());
	handshake_end(h, device.id); // without a new count
	give(&two, DP_SLOW_UNKNOWN);
	struct handshake_born *b = born();

	cr_assert_not_null(b, "its copy goes on");
	handshake_born_free(b);
}

Test(handshake, a_copy_that_comes_late_begins_nothing)
{
	run_to_response_1(1);
	peer_request_2(&peer, &two, 2);
	give(&two, DP_SLOW_UNKNOWN);
	struct handshake_born *b = born();

	cr_assert_not_null(b);
	device.count++;
	device.params.has_id_context = true;
	device.params.id_context_len = b->id.len;
	memcpy(device.params.id_context, b->id.bytes, b->id.len);
	handshake_born_free(b);
	handshake_end(h, device.id);
	give(&two, DP_SLOW_UNKNOWN);
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_late), 1);
	cr_expect_not(answered());
	cr_expect_null(born());
}

Test(handshake, forgeries_get_silence_and_take_nothing)
{
	peer_request_1(&peer, &one, 1);
	for (unsigned i = 0; i < 100; i++) {
		one.bytes[one.len - 1]++;
		give(&one, DP_SLOW_UNKNOWN);
		if (i % 10 == 0) {
			now_ms++;
			cr_assert_not(answered());
		}
	}
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_forged), 100);
	run_to_response_1(2);
}

Test(handshake, forged_requests_2_do_not_end_a_run)
{
	run_to_response_1(1);
	peer_request_2(&peer, &two, 2);
	two.bytes[two.len - 1] ^= 1;
	give(&two, DP_SLOW_UNKNOWN);
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_forged), 1);
	cr_expect_null(born());
	two.bytes[two.len - 1] ^= 1;
	give(&two, DP_SLOW_UNKNOWN);
	struct handshake_born *b = born();

	cr_assert_not_null(b);
	handshake_born_free(b);
}

Test(handshake, one_recorded_request_a_second_locks_nobody_out)
{
	struct peer_message recorded;

	peer_request_1(&peer, &recorded, 1);
	for (unsigned second = 0; second < 300; second++) {
		// Each from another port, or it would be a copy.
		now_ms += 1000;
		flow.remote_port++;
		give(&recorded, DP_SLOW_UNKNOWN);
		cr_assert(answered());
		if (second % 7 == 0)
			run_to_response_1((uint16_t)second);
	}
	peer_request_2(&peer, &two, 2);
	give(&two, DP_SLOW_UNKNOWN);
	struct handshake_born *b = born();

	cr_assert_not_null(b);
	handshake_born_free(b);
}

Test(handshake, recorded_requests_of_one_network_take_nothing_of_another)
{
	struct peer_message recorded;

	peer_request_1(&peer, &recorded, 1);
	for (unsigned i = 0; i < 50; i++) {
		flow.remote_port++;
		give(&recorded, DP_SLOW_UNKNOWN);
		while (answered())
			;
	}
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_responses), 2 * DEVICE_RATE);
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_limited), 50 - 2 * DEVICE_RATE);
	flow.remote_addr[2]++;
	run_to_response_1(2);
	flow.remote_addr[2]--;
	now_ms += 1000 / DEVICE_RATE;
	run_to_response_1(3);
}

Test(handshake, above_the_rate_of_all_devices_5_03_says_when_to_come_again)
{
	unsigned busy = 0;
	struct coap_msg msg;
	struct coap_option max_age;

	for (unsigned i = 0; i < 200; i++) {
		flow.remote_addr[1] = (uint8_t)i; // so that the device has its rate each time
		peer_request_1(&peer, &one, (uint16_t)i);
		give(&one, DP_SLOW_UNKNOWN);
		cr_assert(answered());
		cr_assert_eq(coap_msg_parse(&msg, answer, answer_len), COAP_OK);
		if (msg.code != COAP_SERVICE_UNAVAILABLE)
			continue;
		busy++;
		cr_expect_eq(msg.body.oscore_count, 0);
		cr_expect_eq(msg.mid, i);
		cr_expect(coap_option_find(&msg.body, COAP_OPT_MAX_AGE, &max_age));
	}
	cr_expect_eq(busy, 200 - (1000 / 8 + 1));
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_overload), busy);
}

Test(handshake, an_unknown_window_is_answered_with_step_2)
{
	static const uint8_t id[] = "the present ID Context";

	device.params.has_id_context = true;
	device.params.id_context_len = sizeof(id);
	memcpy(device.params.id_context, id, sizeof(id));
	// As the worker gives it: without its plaintext.
	peer_request(&peer, &one, COAP_CON, 1, 300, id, sizeof(id));
	memset(one.bytes + one.len - 11, 0, 3);
	give(&one, DP_SLOW_WINDOW);
	cr_assert(answered());
	cr_assert(peer_response_1(&peer, &one, id, sizeof(id), answer, answer_len));
	give(&one, DP_SLOW_WINDOW);
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_copies), 1);
	cr_assert(answered());
	peer_request_2(&peer, &two, 2);
	give(&two, DP_SLOW_UNKNOWN);
	struct handshake_born *b = born();

	cr_assert_not_null(b);
	handshake_born_free(b);
}

// The device has got other keys since the worker verified its request.
Test(handshake, an_unknown_window_of_keys_before_gets_silence)
{
	device.params.has_id_context = true;
	device.params.id_context_len = 1;
	device.fingerprint++;
	peer_request(&peer, &one, COAP_CON, 1, 300, device.params.id_context, 1);
	give(&one, DP_SLOW_WINDOW);
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_late), 1);
	cr_expect_not(answered());
}

Test(handshake, an_id_context_that_is_too_long_gets_no_step_2)
{
	device.params.has_id_context = true;
	device.params.id_context_len = B2_ID1_MAX + 1;
	peer_request(&peer, &one, COAP_CON, 1, 300, device.params.id_context, B2_ID1_MAX + 1);
	give(&one, DP_SLOW_WINDOW);
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_too_long), 1);
	cr_expect_not(answered());
}

Test(handshake, a_device_that_does_not_rederive_any_more_gets_silence)
{
	peer_request_1(&peer, &one, 1);
	device.params.recipient_id[0]++;
	give(&one, DP_SLOW_UNKNOWN);
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_unknown), 1);
	cr_expect_not(answered());
}

Test(handshake, an_answer_without_room_is_counted_and_its_copy_gets_it)
{
	const struct dp_slow_head head = {.len = 8};
	uint8_t bytes[8] = {0};

	while (dp_slow_put(rings.slow.lane->answers, &head, bytes))
		;
	peer_request_1(&peer, &one, 1);
	give(&one, DP_SLOW_UNKNOWN);
	cr_expect_eq(stat(HANDSHAKE_STAT_answers_lost), 1);
	while (dp_slow_peek(rings.slow.lane->answers))
		dp_copy_ring_pop(rings.slow.lane->answers);
	give(&one, DP_SLOW_UNKNOWN);
	cr_expect_eq(stat(HANDSHAKE_STAT_b2_copies), 1);
	cr_expect(answered_with_response_1());
}

Test(handshake, each_message_ends_in_one_counter)
{
	uint64_t ends = 0;

	for (unsigned i = 0; i < 100; i++) {
		peer_request_1(&peer, &one, (uint16_t)i);
		one.bytes[i % one.len] ^= (uint8_t)(i * 7);
		give(&one, DP_SLOW_UNKNOWN);
		while (answered())
			;
	}
	for (unsigned i = 0; i < HANDSHAKE_STAT_answers_lost; i++)
		ends += stat(i);
	cr_expect_eq(ends, 100);
}

Test(handshake, a_thread_wakes_when_its_bell_rings, .timeout = 30)
{
	handshake_stop(h);
	handshake_free(h);
	h = handshake_start(&conf);
	cr_assert_not_null(h);
	now_ms = 0; // the thread has a clock of its own
	for (unsigned i = 0; i < 20; i++) {
		const struct dp_slow_head head = {.flow = flow, .len = 0};
		struct dp_slow_head with = head;

		flow.remote_addr[1]++;
		peer_request_1(&peer, &one, (uint16_t)i);
		with.flow = flow;
		with.len = (uint16_t)one.len;
		cr_assert(dp_slow_put(rings.slow.lane->requests, &with, one.bytes));
		dp_doorbell_ring(&rings.slow.bell);
		while (!dp_slow_peek(rings.slow.lane->answers))
			sched_yield();
		cr_assert(answered_with_response_1());
	}
	cr_expect_gt(handshake_progress(h), 0);
}

// Against a plain list.
Test(pending, agrees_with_a_list)
{
	static struct pending pending;
	static bool there[4 * PENDING_MAX];
	unsigned count = 0;

	pending_init(&pending);
	for (unsigned i = 0; i < 400000; i++) {
		const unsigned id = 1 + (unsigned)rand() % (4 * PENDING_MAX - 1);

		cr_assert_eq(pending_has(&pending, id), there[id]);
		if (rand() % 2) {
			const bool added = !there[id] && count < PENDING_MAX;

			cr_assert_eq(pending_add(&pending, id), added);
			there[id] |= added;
			count += added;
		} else {
			pending_end(&pending, id);
			count -= there[id];
			there[id] = false;
		}
	}
	pending_fini(&pending);
}

Test(kept, a_kid_has_its_share_and_the_oldest_goes_first)
{
	struct kept *kept = kept_create(1);
	struct kept_name name[KEPT_OF_A_KID + 1];
	const uint8_t kid[] = {1};
	size_t len;

	cr_assert_not_null(kept);
	for (unsigned i = 0; i <= KEPT_OF_A_KID; i++) {
		kept_name(kept, kid, 1, (const uint8_t *)&i, sizeof(i), &name[i]);
		kept_add(kept, kid, 1, &name[i], i, (const uint8_t *)&i, sizeof(i));
	}
	cr_expect_null(kept_find(kept, kid, 1, &name[0], 100, &len));
	for (unsigned i = 1; i <= KEPT_OF_A_KID; i++) {
		const uint8_t *found = kept_find(kept, kid, 1, &name[i], KEPT_MS, &len);

		cr_assert_not_null(found);
		cr_expect_eq(len, sizeof(i));
		cr_expect_arr_eq(found, (const uint8_t *)&i, sizeof(i));
	}
	cr_expect_null(kept_find(kept, kid, 1, &name[5], KEPT_MS + 5, &len));
	kept_free(kept);
}
