// SPDX-License-Identifier: BSD-3-Clause
// What a worker gives to the slow path, and what becomes of what comes back. The test is in the
// place of its threads, and of main.

#include "dataplane/worker/slow.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#include <criterion/criterion.h>

#define KID       7
#define ID_LEN    24 // bytes of an ID Context of appendix B.2
#define RING_FULL 4096

static struct bed bed;
static struct bed_device device; // as the gateway knows it
static struct bed_device fresh;  // as it goes on: the same with another ID Context
static struct bed_request request;
static struct bed_answer answer;
static const uint8_t payload_mark = 0xff;

static void init(void)
{
	bed_make(&bed);
	bed_stop_clock(&bed);
}

static void init_two(void)
{
	bed_make_workers(&bed, 2, false);
	bed_stop_clock(&bed);
}

static void fini(void)
{
	bed_free(&bed);
}

TestSuite(dp_slow, .init = init, .fini = fini);
TestSuite(dp_slow_two, .init = init_two, .fini = fini);

static void add(uint8_t flags, bool window_known)
{
	bed_device_make(&device, KID, AEAD_AES_CCM_16_64_128);
	bed_device_add_with(&bed, &device, window_known, flags, 0);
	fresh = device;
	fresh.params.has_id_context = true;
	fresh.params.id_context_len = ID_LEN;
	memset(fresh.params.id_context, 0x5a, ID_LEN);
	fresh.sends_id_context = true;
	cr_assert_eq(osc_derive(&fresh.keys, &fresh.params), 0);
}

static void send(enum coap_type type, uint16_t mid, uint64_t piv)
{
	bed_seal_path(&fresh, &request, type, mid, piv, COAP_GET, "get", "");
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

// The next message that came to a thread, or NULL; *thread is which.
static const struct dp_slow_head *taken(unsigned *thread, unsigned worker)
{
	for (unsigned i = 0; i < dp_slow_count(bed.dp); i++) {
		const struct dp_slow_head *head =
			dp_slow_peek(dp_slow(bed.dp, i)->lane[worker].requests);

		*thread = i;
		if (head)
			return head;
	}
	return NULL;
}

static void taken_end(unsigned thread, unsigned worker)
{
	dp_copy_ring_pop(dp_slow(bed.dp, thread)->lane[worker].requests);
}

static unsigned taken_all(void)
{
	unsigned n = 0, thread;

	while (taken(&thread, 0)) {
		taken_end(thread, 0);
		n++;
	}
	return n;
}

Test(dp_slow, an_unknown_kid_context_of_a_kid_that_rederives_is_copied_whole)
{
	unsigned thread;

	add(DP_CONTEXT_REDERIVE, true);
	send(COAP_CON, 1, 0);
	const struct dp_slow_head *head = taken(&thread, 0);

	cr_assert_not_null(head);
	cr_expect_eq(head->kind, DP_SLOW_UNKNOWN);
	cr_expect_eq(head->worker, 0);
	cr_assert_eq(head->len, request.len);
	cr_expect_arr_eq(head->coap, request.coap, request.len);
	cr_expect(dp_flow_same_endpoint(&head->flow, &bed.flow));
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_handshakes), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_tag), 0, "nothing was opened");
	cr_expect_not(bed_receive(&bed, &answer));
	taken_end(thread, 0);
}

Test(dp_slow, kid_contexts_of_lengths_that_devices_have_go_the_same_way)
{
	struct bed_device other;

	add(DP_CONTEXT_REDERIVE, true);
	bed_device_make(&other, KID + 1, AEAD_AES_CCM_16_64_128);
	other.params.has_id_context = true;
	other.params.id_context_len = ID_LEN;
	bed_device_add(&bed, &other, true);
	send(COAP_CON, 1, 0);
	cr_expect_eq(taken_all(), 1);
}

Test(dp_slow, other_devices_have_no_slow_path)
{
	add(0, true);
	send(COAP_CON, 1, 0);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_unknown_context), 1);
	cr_expect_eq(taken_all(), 0);
	// And kids that nobody has.
	fresh.params.sender_id[0]++;
	send(COAP_CON, 2, 0);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_unknown_context), 2);
	cr_expect_eq(taken_all(), 0);
}

Test(dp_slow, what_a_context_answers_to_never_goes_there)
{
	add(DP_CONTEXT_REDERIVE, true);
	bed_seal_path(&device, &request, COAP_CON, 1, 0, COAP_GET, "get", "");
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 1);
	cr_expect_eq(taken_all(), 0);
	cr_expect(bed_receive(&bed, &answer));
}

// Puts an answer of a thread into its ring.
static void answer_put(enum coap_type type, uint16_t mid)
{
	struct coap_writer writer;
	uint8_t coap[64];

	coap_writer_init(&writer, coap, sizeof(coap));
	coap_write_header(&writer, type, COAP_CHANGED, mid, (const uint8_t *)"tok", 3);
	coap_write_payload(&writer, "sealed", 6);
	cr_assert(dp_slow_answer(
		dp_slow(bed.dp, 1), 0, &bed.flow, coap, (uint16_t)coap_writer_len(&writer)));
}

Test(dp_slow, what_a_thread_answers_is_sent)
{
	answer_put(COAP_ACK, 0x1234);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.mid, 0x1234);
	cr_expect_eq(answer.msg.type, COAP_ACK);
	cr_expect_arr_eq(answer.msg.body.payload, "sealed", 6);
	cr_expect_eq(bed_count(&bed, DP_STAT_handshake_answers), 1);
	cr_expect_not(bed_receive(&bed, &answer));
}

Test(dp_slow, an_answer_to_a_non_gets_a_message_id_of_its_own)
{
	uint16_t mids[2];

	for (unsigned i = 0; i < 2; i++) {
		answer_put(COAP_NON, 0);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		cr_expect_eq(answer.msg.type, COAP_NON);
		mids[i] = answer.msg.mid;
	}
	cr_expect_neq(mids[0], mids[1]);
}

Test(dp_slow, all_answers_are_sent_however_many_there_are)
{
	for (unsigned i = 0; i < 200; i++)
		answer_put(COAP_ACK, i);
	for (unsigned i = 0; i < 200; i++) {
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer), "answer %u", i);
		cr_expect_eq(answer.msg.mid, i);
	}
}

Test(dp_slow, a_reinjected_request_is_served)
{
	add(DP_CONTEXT_REDERIVE, true);
	send(COAP_CON, 9, 0);
	cr_assert_eq(taken_all(), 1);
	// What main does when the new context is durable; the old one stays, here, under its name.
	bed_device_add_with(&bed, &fresh, true, DP_CONTEXT_REDERIVE, 0);
	cr_assert(dp_reinject(bed.dp, 0, &bed.flow, request.coap, request.len));
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_reinjected), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 1);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect(bed_open(&fresh, &request, &answer));
	cr_expect_eq(answer.msg.mid, 9);
	// Its copy is one like any other.
	bed_later(&bed, 600);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_duplicates_answered), 1);
	cr_expect(bed_receive(&bed, &answer));
}

Test(dp_slow, a_reinjected_request_does_not_come_back_to_the_slow_path)
{
	add(DP_CONTEXT_REDERIVE, true);
	send(COAP_CON, 9, 0);
	cr_assert_eq(taken_all(), 1);
	cr_assert(dp_reinject(bed.dp, 0, &bed.flow, request.coap, request.len));
	bed_turn(&bed);
	cr_expect_eq(taken_all(), 0);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_unknown_context), 1);
	// The mark is the message's, not the worker's.
	send(COAP_CON, 10, 1);
	cr_expect_eq(taken_all(), 1);
}

Test(dp_slow, many_are_reinjected_in_several_bursts)
{
	add(0, true);
	for (unsigned i = 0; i < 100; i++) {
		bed_seal_path(&device, &request, COAP_NON, i, i, COAP_POST, "discard", "");
		cr_assert(dp_reinject(bed.dp, 0, &bed.flow, request.coap, request.len));
	}
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_reinjected), 100);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 100);
	while (bed_receive(&bed, &answer))
		;
}

// A second has 16 for a network, of which 3 may come at once.
Test(dp_slow, a_network_has_its_rate_and_the_rest_is_told_to_wait)
{
	struct coap_option max_age;

	add(DP_CONTEXT_REDERIVE, true);
	for (unsigned i = 0; i < 3; i++)
		send(COAP_CON, i, i);
	cr_expect_eq(taken_all(), 3);
	cr_expect_not(bed_receive(&bed, &answer));
	send(COAP_CON, 3, 3);
	cr_expect_eq(taken_all(), 0);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_handshake_rate), 1);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.code, COAP_SERVICE_UNAVAILABLE);
	cr_expect_eq(answer.msg.type, COAP_ACK);
	cr_expect_eq(answer.msg.body.oscore_count, 0, "not protected");
	cr_assert(coap_option_find(&answer.msg.body, COAP_OPT_MAX_AGE, &max_age));
	cr_expect_eq(max_age.len, 1);
	// Another port and another address of the network share it; another network does not.
	bed.flow.remote_port++;
	bed.flow.remote_addr[3]++;
	send(COAP_CON, 4, 4);
	cr_expect_eq(taken_all(), 0);
	bed.flow.remote_addr[2]++;
	send(COAP_CON, 5, 5);
	cr_expect_eq(taken_all(), 1);
	bed.flow.remote_addr[2]--;
	bed_later(&bed, 1000 / BED_SLOW_PREFIX_RATE + 1);
	send(COAP_CON, 6, 6);
	cr_expect_eq(taken_all(), 1);
	while (bed_receive(&bed, &answer))
		;
}

// 64 a second of all networks, of which 9 may come at once.
Test(dp_slow, all_networks_together_have_a_rate)
{
	add(DP_CONTEXT_REDERIVE, true);
	for (unsigned i = 0; i < 20; i++) {
		bed.flow.remote_addr[2] = i;
		send(COAP_CON, i, i);
	}
	cr_expect_eq(taken_all(), 9);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_handshake_rate), 11);
	while (bed_receive(&bed, &answer))
		;
}

// A message_1 of EDHOC, with a method that tells it from others.
static void edhoc_send(uint16_t mid)
{
	static const uint8_t payload[] = {0xf5, 0x03};
	uint8_t coap[64];
	struct coap_writer writer;

	coap_writer_init(&writer, coap, sizeof(coap));
	coap_write_header(&writer, COAP_CON, COAP_POST, mid, (const uint8_t *)"e", 1);
	coap_write_option(&writer, COAP_OPT_URI_PATH, ".well-known", 11);
	coap_write_option(&writer, COAP_OPT_URI_PATH, "edhoc", 5);
	coap_write_payload(&writer, payload, sizeof(payload));
	bed_send(&bed, &bed.flow, coap, coap_writer_len(&writer));
	bed_turn(&bed);
}

Test(dp_slow, messages_of_edhoc_are_charged_as_all_others_are)
{
	for (uint16_t i = 0; i < 5; i++)
		edhoc_send(i);
	cr_expect_eq(taken_all(), 3, "of one network");
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_handshake_rate), 2);
	for (uint16_t i = 5; i < 25; i++) {
		bed.flow.remote_addr[2] = (uint8_t)(100 + i);
		edhoc_send(i);
	}
	cr_expect_eq(taken_all(), 6, "of all, 9 at once");
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_handshake_rate), 2 + 14);
	while (bed_receive(&bed, &answer))
		;
}

// A request with the EDHOC option and without the OSCORE option, to any path.
static void option_send(uint16_t mid, enum coap_type type)
{
	uint8_t coap[64];
	struct coap_writer writer;

	coap_writer_init(&writer, coap, sizeof(coap));
	coap_write_header(&writer, type, COAP_POST, mid, (const uint8_t *)"e", 1);
	coap_write_option(&writer, COAP_OPT_URI_PATH, ".well-known", 11);
	coap_write_option(&writer, COAP_OPT_URI_PATH, "edhoc", 5);
	coap_write_option(&writer, COAP_OPT_EDHOC, NULL, 0);
	coap_write_payload(&writer, (const uint8_t *)"\xf5\x03", 2);
	bed_send(&bed, &bed.flow, coap, coap_writer_len(&writer));
	bed_turn(&bed);
}

// RFC 9668 section 3.3.1.
Test(dp_slow, the_edhoc_option_without_oscore_is_4_00_for_some_a_second_and_network)
{
	uint16_t told = 0;

	option_send(1, COAP_CON);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.code, COAP_BAD_REQUEST);
	cr_expect_eq(answer.msg.mid, 1);
	for (uint16_t i = 2; i < 2 * DP_SLOW_TELL_RATE; i++) {
		option_send(i, COAP_CON);
		told += bed_receive(&bed, &answer);
	}
	cr_expect_eq(told, DP_SLOW_TELL_RATE - 1, "errors are silent");
	bed.flow.remote_addr[2]++;
	option_send(1000, COAP_NON);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.code, COAP_BAD_REQUEST);
	bed_later(&bed, 1001);
	option_send(1001, COAP_CON);
	cr_expect(bed_receive(&bed, &answer));
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_edhoc), 2 * DP_SLOW_TELL_RATE + 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_handshakes), 0);
}

Test(dp_slow, a_network_that_sends_too_much_takes_nothing_of_the_others)
{
	add(DP_CONTEXT_REDERIVE, true);
	for (unsigned i = 0; i < 50; i++)
		send(COAP_CON, i, i);
	bed.flow.remote_addr[2]++;
	for (unsigned i = 0; i < 3; i++)
		send(COAP_CON, 100 + i, 100 + i);
	cr_expect_eq(taken_all(), 6);
	while (bed_receive(&bed, &answer))
		;
}

Test(dp_slow, a_full_ring_is_a_named_drop)
{
	add(DP_CONTEXT_REDERIVE, true);
	for (unsigned i = 0; i < RING_FULL && !bed_count(&bed, DP_STAT_drop_handshake_full); i++) {
		bed_later(&bed, 1000 / BED_SLOW_PREFIX_RATE + 1);
		bed_stop_clock(&bed);
		send(COAP_CON, i, i);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_handshake_full), 1);
	cr_expect_eq(taken_all(), bed_count(&bed, DP_STAT_rx_handshakes));
	while (bed_receive(&bed, &answer))
		;
}

Test(dp_slow, an_unknown_window_with_recovery_b2_is_for_the_slow_path)
{
	unsigned thread;

	add(DP_CONTEXT_REDERIVE | DP_CONTEXT_RECOVERY_B2, false);
	dp_contexts(bed.dp)->context[device.context].fingerprint = 0x1234;
	bed_seal_path(&device, &request, COAP_CON, 1, 5, COAP_POST, "discard", "confidential");
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	const struct dp_slow_head *head = taken(&thread, 0);

	cr_assert_not_null(head);
	cr_expect_eq(head->kind, DP_SLOW_WINDOW);
	cr_expect_eq(head->fingerprint, 0x1234);
	cr_assert_eq(head->len, request.len);
	// The message as it came, but for what was opened.
	const uint8_t *mark = memchr(request.coap, payload_mark, request.len);
	const size_t before = (size_t)(mark + 1 - request.coap);

	cr_expect_arr_eq(head->coap, request.coap, before);
	for (size_t i = before; i + 8 < head->len; i++)
		cr_expect_eq(head->coap[i], 0);
	cr_expect_arr_eq(head->coap + head->len - 8, request.coap + head->len - 8, 8);
	cr_expect_eq(dp_contexts(bed.dp)->context[device.context].state, DP_CONTEXT_REKEYING);
	cr_expect(dp_context_window_unknown(&dp_contexts(bed.dp)->context[device.context]));
	cr_expect_not(bed_receive(&bed, &answer), "no Echo");
	taken_end(thread, 0);
	// Recorded ones are as rare as challenges.
	for (unsigned i = 0; i < 10; i++) {
		bed_seal_path(&device, &request, COAP_CON, 2 + i, i % 5, COAP_GET, "get", "");
		bed_send_request(&bed, &request);
		bed_turn(&bed);
	}
	cr_expect_eq(taken_all(), 2);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_challenge_limit), 8);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 0);
}

Test(dp_slow, an_unknown_window_without_recovery_b2_is_asked_for_an_echo)
{
	add(DP_CONTEXT_REDERIVE, false);
	dp_run_grant(bed.dp, 0);
	bed_seal_path(&device, &request, COAP_CON, 1, 5, COAP_GET, "get", "");
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_challenges), 1);
	cr_expect_eq(taken_all(), 0);
	cr_expect(bed_receive(&bed, &answer));
}

Test(dp_slow_two, a_kid_has_one_thread_whichever_worker_receives_it)
{
	unsigned thread[2];

	for (unsigned kid = 2; kid < 20; kid++) {
		bed_device_make(&device, kid, AEAD_AES_CCM_16_64_128);
		bed_device_add_with(&bed, &device, true, DP_CONTEXT_REDERIVE, 0);
		fresh = device;
		fresh.params.has_id_context = true;
		fresh.params.id_context_len = ID_LEN;
		fresh.sends_id_context = true;
		for (unsigned i = 0; i < 2; i++) {
			bed.queue = i;
			bed_later(&bed, 1000);
			send(COAP_CON, kid, i);
			cr_assert_not_null(taken(&thread[i], i));
			taken_end(thread[i], i);
		}
		cr_expect_eq(thread[0], thread[1]);
	}
}
