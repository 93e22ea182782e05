// SPDX-License-Identifier: BSD-3-Clause
// Slow backends: empty ACKs, separate answers, their retransmission, and what ends it (RFC 7252
// sections 4.2 to 4.8 and 5.2.2).

#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/separate.h"

#include <criterion/criterion.h>

TestSuite(dp_separate, .init = separate_init, .fini = one_device_fini);

#define RETRANSMITS 4

// Milliseconds until the next transmission of `first`; 0 if there is none in so much time.
static uint64_t next_transmission(uint64_t most)
{
	for (uint64_t ms = DP_TICK_MS; ms <= most; ms += DP_TICK_MS) {
		later(DP_TICK_MS);
		if (bed_count(&bed, DP_STAT_tx_packets) > 0 && rte_ring_count(bed.tx)) {
			expect_same_bytes();
			return ms;
		}
	}
	return 0;
}

Test(dp_separate, slow_backend_gets_an_empty_ack_and_a_confirmable_answer)
{
	ask(COAP_CON, 7, 1);
	later(ACK_AFTER - 2 * DP_TICK_MS);
	expect_silence();
	later(4 * DP_TICK_MS);
	expect_empty_ack(7);
	backend_answers();
	expect_separate(COAP_CONTENT);
	cr_expect_not(first.has_piv, "the one answer under the request's nonce");
	cr_expect_arr_eq(first.plaintext, late, sizeof(late));
	device_sends_empty(COAP_ACK, first.msg.mid);
	later(100000);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_acks_sent), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_separate), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_acks), 1);
	expect_all_exchanges_free();
}

Test(dp_separate, fast_backend_is_piggybacked_and_a_non_never_acked)
{
	ask(COAP_CON, 7, 1);
	later(ACK_AFTER - 2 * DP_TICK_MS);
	backend_answers();
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.type, COAP_ACK);
	cr_expect(bed_open(&device, &request, &answer));
	ask(COAP_NON, 8, 2);
	later(ACK_LATER);
	expect_silence();
	backend_answers();
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.type, COAP_NON, "NON to NON (RFC 7252 section 5.2.3)");
	cr_expect(bed_open(&device, &request, &answer));
	later(100000);
	expect_silence();
	expect_all_exchanges_free();
}

// RFC 7252 section 4.2: after 2 to 3 s, each time twice as long, four times; then it is given up.
Test(dp_separate, unacknowledged_answer_is_sent_again_with_back_off)
{
	uint64_t before, wait;
	bool jitter = false;

	for (unsigned round = 0; round < 8; round++) {
		ask_and_get_ack(round, round);
		backend_answers();
		expect_separate(COAP_CONTENT);
		before = next_transmission(3 * ACK_TIMEOUT);
		cr_expect_geq(before, ACK_TIMEOUT);
		cr_expect_leq(before, ACK_TIMEOUT * 3 / 2 + 3 * DP_TICK_MS);
		jitter |= before > ACK_TIMEOUT + 10 * DP_TICK_MS;
		for (unsigned i = 1; i < RETRANSMITS; i++) {
			wait = next_transmission(100000);
			cr_expect_geq(wait, 2 * before - 4 * DP_TICK_MS);
			cr_expect_leq(wait, 2 * before + 4 * DP_TICK_MS);
			before = wait;
		}
		cr_expect_eq(next_transmission(3 * before), 0);
		cr_expect_eq(bed_count(&bed, DP_STAT_answers_given_up), round + 1);
		expect_all_exchanges_free();
	}
	cr_expect(jitter, "ACK_RANDOM_FACTOR");
	cr_expect_eq(bed_count(&bed, DP_STAT_tx_retransmits), 8 * RETRANSMITS);
	cr_expect_eq(bed_count(&bed, DP_STAT_answers), 8);
}

// Networks that are slow have another ACK_TIMEOUT: all that follows from it follows.
Test(dp_separate, devices_with_a_longer_ack_timeout_are_given_time)
{
	bed_set_ack_timeout(&bed, 5 * ACK_TIMEOUT);
	ask(COAP_CON, 7, 1);
	later(5 * ACK_AFTER - 2 * DP_TICK_MS);
	expect_silence();
	later(4 * DP_TICK_MS);
	expect_empty_ack(7);
	backend_answers();
	expect_separate(COAP_CONTENT);
	uint64_t wait = next_transmission(100000);

	cr_expect_geq(wait, 5 * ACK_TIMEOUT);
	cr_expect_leq(wait, 5 * ACK_TIMEOUT * 3 / 2 + 2 * DP_TICK_MS);
	device_sends_empty(COAP_ACK, first.msg.mid);
}

Test(dp_separate, rst_ends_it)
{
	ask_and_get_ack(7, 1);
	backend_answers();
	expect_separate(COAP_CONTENT);
	device_sends_empty(COAP_RST, first.msg.mid);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_rsts), 1);
	expect_all_exchanges_free();
	later(100000);
	expect_silence();
}

// Whoever else sends an ACK, or one with another id, ends nothing; nor does an ACK that is none.
Test(dp_separate, only_its_own_ack_ends_it)
{
	struct dp_flow elsewhere = bed.flow;
	uint8_t piggyback[COAP_EMPTY_LEN];

	ask_and_get_ack(7, 1);
	backend_answers();
	expect_separate(COAP_CONTENT);
	elsewhere.remote_port++;
	bed_send_empty(&bed, &elsewhere, COAP_ACK, first.msg.mid);
	bed_send_empty(&bed, &elsewhere, COAP_RST, first.msg.mid);
	elsewhere = bed.flow;
	elsewhere.remote_addr[3]++;
	bed_send_empty(&bed, &elsewhere, COAP_ACK, first.msg.mid);
	for (unsigned bit = 0; bit < 16; bit++)
		bed_send_empty(&bed, &bed.flow, COAP_ACK, first.msg.mid ^ 1 << bit);
	coap_empty_make(piggyback, COAP_ACK, first.msg.mid);
	piggyback[1] = COAP_CONTENT;
	bed_send(&bed, &bed.flow, piggyback, sizeof(piggyback));
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_coap_ack), 20);
	later(2 * ACK_TIMEOUT);
	expect_same_bytes();
	device_sends_empty(COAP_ACK, first.msg.mid);
	device_sends_empty(COAP_ACK, first.msg.mid); // one ACK for each transmission
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_acks), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_coap_ack), 21);
	expect_all_exchanges_free();
}

// Stage 7b: the copy of a pending CON gets an empty ACK, and the answer is separate then.
Test(dp_separate, copy_of_a_pending_request_gets_an_empty_ack)
{
	ask(COAP_CON, 7, 1);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_empty_ack(7);
	later(ACK_LATER);
	expect_silence();
	// Another: again, but no flood.
	for (unsigned i = 0; i < 5; i++)
		bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_empty_ack(7);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_duplicate_silent), 4);
	request.coap[0] |= COAP_NON << 4; // somebody changed the type
	later(ACK_LATER);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_silence();
	request.coap[0] ^= COAP_NON << 4;
	// From elsewhere it is a replay.
	struct dp_flow elsewhere = bed.flow;

	elsewhere.remote_port++;
	bed_send(&bed, &elsewhere, request.coap, request.len);
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_replay), 1);
	backend_answers();
	expect_separate(COAP_CONTENT);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 1);
	device_sends_empty(COAP_ACK, first.msg.mid);
}

// Never the answer in an ACK after an empty one; a bounded number of times.
Test(dp_separate, copy_of_what_was_answered_separately_gets_an_empty_ack)
{
	ask_and_get_ack(7, 1);
	backend_answers();
	expect_separate(COAP_CONTENT);
	device_sends_empty(COAP_ACK, first.msg.mid);
	for (unsigned i = 0; i < DP_ANSWER_RESENDS_MAX; i++) {
		later(DP_ANSWER_RESEND_MS);
		bed_send_request(&bed, &request);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		expect_empty_ack(7);
	}
	later(DP_ANSWER_RESEND_MS);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_duplicates_acked), DP_ANSWER_RESENDS_MAX);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 1);
}

Test(dp_separate, copy_of_a_pending_non_gets_silence)
{
	ask(COAP_NON, 7, 1);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_silence();
	request.coap[0] &= ~(COAP_NON << 4); // somebody changed the type
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_seen_non), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_duplicate_silent), 1);
	backend_answers();
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.type, COAP_NON);
}

Test(dp_separate, timeout_after_an_empty_ack_is_a_separate_504)
{
	ask_and_get_ack(7, 1);
	later(BED_TIMEOUT_MS);
	expect_separate(COAP_GATEWAY_TIMEOUT);
	// The upstream loop still holds the request, and writes into it.
	struct dp_shared *shared = dp_shared_get(dp_loop(bed.dp, 0)->port[0].pool, handle);

	cr_assert_not_null(shared);
	cr_expect(shared->abandoned);
	memset(dp_shared_response(shared), 0xee, shared->request.response_max);
	later(2 * ACK_TIMEOUT);
	expect_same_bytes();
	backend_answers();
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_late), 1);
	later(4 * ACK_TIMEOUT);
	expect_same_bytes();
	bed_send_request(&bed, &request); // a late copy of the request
	bed_turn(&bed);
	expect_empty_ack(7);
	device_sends_empty(COAP_ACK, first.msg.mid);
	expect_all_exchanges_free();
	cr_expect_eq(bed_count(&bed, DP_STAT_exchange_timeouts), 1);
}

Test(dp_separate, no_response_after_an_empty_ack_is_nothing_more)
{
	static const uint8_t plaintext[] = {COAP_GET, 0xb2, 'u', 'p', 0xd1, 0xea, 2}; // not 2.xx

	bed_seal(&device, &request, COAP_CON, 7, 1, plaintext, sizeof(plaintext));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	later(ACK_LATER);
	expect_empty_ack(7);
	backend_answers();
	expect_silence();
	later(ACK_LATER);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_empty_ack(7);
	expect_all_exchanges_free();
}

Test(dp_separate, removed_device_is_sent_nothing_more)
{
	struct dp_context_key key;
	uint16_t mid;

	// One answer that waits for its ACK, one request at the backend, one that has timed out.
	ask_and_get_ack(1, 1);
	later(BED_TIMEOUT_MS);
	expect_separate(COAP_GATEWAY_TIMEOUT);
	dp_handle timed_out = handle;

	ask_and_get_ack(2, 2);
	backend_answers();
	expect_separate(COAP_CONTENT);
	mid = first.msg.mid;
	ask_and_get_ack(3, 3);
	bed_device_key(&device, &key);
	cr_assert_eq(dp_device_remove(bed.dp, &key), 0);
	bed_turn(&bed);
	dp_poll(bed.dp, no_event, NULL);
	cr_expect_eq(dp_devices_retiring(bed.dp), 0);
	cr_expect_eq(dp_worker_unacked(bed.dp, 0), 0);
	later(3 * ACK_TIMEOUT);
	expect_silence();
	// Its place is another's, and so is its endpoint.
	bed_device_add(&bed, &device, true);
	backend_answers();
	handle = timed_out;
	backend_answers();
	device_sends_empty(COAP_ACK, mid);
	later(100000);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_acks), 0);
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_late), 2);
	expect_all_exchanges_free();
	ask_and_get_ack(4, 4);
	backend_answers();
	expect_separate(COAP_CONTENT);
	device_sends_empty(COAP_ACK, first.msg.mid);
	expect_all_exchanges_free();
}

// The answer goes to the endpoint that asked, and from there its ACK comes, wherever the device
// shows up meanwhile.
Test(dp_separate, device_that_moves_is_answered_where_it_asked)
{
	struct dp_flow moved = bed.flow;
	struct bed_request other;

	moved.remote_port = rte_cpu_to_be_16(50000);
	ask_and_get_ack(7, 1);
	bed_seal_path(&device, &other, COAP_CON, 8, 2, COAP_GET, "echo", NULL);
	bed_send(&bed, &moved, other.coap, other.len);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.flow.local_port, moved.remote_port);
	backend_answers();
	expect_separate(COAP_CONTENT);
	device_sends_empty(COAP_ACK, first.msg.mid);
	expect_all_exchanges_free();
}

// Responses to nothing that we asked are rejected if errors are wanted, else ignored; an ACK or RST
// never is answered.
Test(dp_separate, unknown_responses_are_rejected)
{
	static const uint8_t con[] = {0x40, COAP_CONTENT, 0x12, 0x34};
	static const uint8_t non[] = {0x50, COAP_CONTENT, 0x12, 0x34};
	static const uint8_t ack[] = {0x60, COAP_CONTENT, 0x12, 0x34};

	for (unsigned verbose = 0; verbose < 2; verbose++) {
		bed.policy.verbose_errors = verbose;
		bed_send(&bed, &bed.flow, non, sizeof(non));
		bed_send(&bed, &bed.flow, ack, sizeof(ack));
		device_sends_empty(COAP_RST, 0x9234);
		expect_silence();
		bed_send(&bed, &bed.flow, con, sizeof(con));
		bed_turn(&bed);
		if (verbose) {
			cr_assert(bed_receive(&bed, &answer));
			cr_expect_arr_eq(answer.coap, "\x70\x00\x12\x34", COAP_EMPTY_LEN);
		}
		expect_silence();
	}
}
