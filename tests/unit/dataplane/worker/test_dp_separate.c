// SPDX-License-Identifier: BSD-3-Clause
// Slow backends: empty ACKs, separate answers, their retransmission, and what ends it (RFC 7252
// sections 4.2 to 4.8 and 5.2.2).

#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>

#define ACK_TIMEOUT DP_ACK_TIMEOUT_MS
#define ACK_AFTER   DP_ACK_AFTER(ACK_TIMEOUT)
#define ACK_LATER   (ACK_AFTER + 2 * DP_TICK_MS)
#define RETRANSMITS 4

static struct bed bed;
static struct bed_device device;
static struct bed_request request;
static struct bed_answer answer;
static struct bed_answer first; // transmission of a separate answer
static dp_handle handle;

static const uint8_t late[] = {COAP_CONTENT, 0xff, 'l', 'a', 't', 'e'};

static void init(void)
{
	bed_make(&bed);
	bed_stop_clock(&bed);
	bed_device_make(&device, 2, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
}

static void fini(void)
{
	bed_free(&bed);
}

TestSuite(dp_separate, .init = init, .fini = fini);

static void no_event(void *arg, const struct dp_event *event)
{
}

static void expect_silence(void)
{
	cr_expect_not(bed_receive(&bed, &answer), "a message where silence was due");
}

static void later(uint64_t ms)
{
	bed_later(&bed, ms);
	bed_turn(&bed);
}

static void expect_empty_ack(uint16_t mid)
{
	cr_assert(bed_receive(&bed, &answer), "no empty ACK");
	cr_expect_eq(answer.len, COAP_EMPTY_LEN);
	cr_expect_eq(answer.msg.type, COAP_ACK);
	cr_expect_eq(answer.msg.code, COAP_EMPTY);
	cr_expect_eq(answer.msg.mid, mid);
	cr_expect_eq(answer.flow.local_port, bed.flow.remote_port);
	expect_silence();
}

// A request that the backend has, and does not answer.
static void ask(enum coap_type type, uint16_t mid, uint64_t piv)
{
	bed_seal_path(&device, &request, type, mid, piv, COAP_GET, "up/slow", NULL);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	expect_silence();
}

static void ask_and_get_ack(uint16_t mid, uint64_t piv)
{
	ask(COAP_CON, mid, piv);
	later(ACK_LATER);
	expect_empty_ack(mid);
}

static void backend_answers(void)
{
	bed_upstream_answer(&bed, handle, late, sizeof(late));
	bed_turn(&bed);
}

// Takes the first transmission of the separate answer to `request`.
static void expect_separate(uint8_t code)
{
	cr_assert(bed_receive(&bed, &first), "no answer");
	cr_expect_eq(first.msg.type, COAP_CON);
	cr_expect_eq(first.msg.token_len, request.token_len);
	cr_expect_arr_eq(first.msg.token, request.token, request.token_len);
	cr_expect_eq(first.flow.local_port, bed.flow.remote_port, "to where it was asked");
	cr_assert(bed_open(&device, &request, &first));
	cr_expect_eq(first.plaintext[0], code);
	expect_silence();
}

static void expect_same_bytes(void)
{
	cr_assert(bed_receive(&bed, &answer), "no retransmission");
	cr_expect_eq(answer.len, first.len);
	cr_expect_arr_eq(answer.coap, first.coap, first.len, "the same bytes, not sealed again");
	expect_silence();
}

static void device_sends_empty(enum coap_type type, uint16_t mid)
{
	bed_send_empty(&bed, &bed.flow, type, mid);
	bed_turn(&bed);
}

static void expect_all_exchanges_free(void)
{
	cr_expect_eq(dp_worker_exchanges_free(bed.dp, 0), BED_EXCHANGES);
	cr_expect_eq(dp_worker_unacked(bed.dp, 0), 0);
}

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

// With no room to keep it, a 5.04 is sent once: also a way to answer (RFC 7252 section 5.2.2).
Test(dp_separate, timeout_without_a_free_exchange_is_answered_non)
{
	dp_handle handles[BED_EXCHANGES];

	for (unsigned i = 0; i < BED_EXCHANGES; i++) {
		ask(COAP_CON, i, i);
		handles[i] = handle;
	}
	later(ACK_LATER);
	for (unsigned i = 0; i < BED_EXCHANGES; i++)
		cr_assert(bed_receive(&bed, &answer));
	expect_silence();
	later(BED_TIMEOUT_MS);
	for (unsigned i = 0; i < BED_EXCHANGES; i++) {
		cr_assert(bed_receive(&bed, &answer));
		cr_expect_eq(answer.msg.type, COAP_NON);
	}
	later(100000);
	expect_silence();
	for (unsigned i = 0; i < BED_EXCHANGES; i++)
		bed_upstream_answer(&bed, handles[i], late, sizeof(late));
	bed_turn(&bed);
	expect_silence();
	expect_all_exchanges_free();
}

// Devices that never acknowledge keep no others out.
Test(dp_separate, what_waits_longest_for_its_ack_gives_way)
{
	dp_handle handles[BED_EXCHANGES];

	// All before the first retransmission is due.
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < BED_EXCHANGES; i++) {
			ask(COAP_CON, round << 8 | i, round * BED_EXCHANGES + i);
			handles[i] = handle;
		}
		later(ACK_LATER);
		for (unsigned i = 0; i < BED_EXCHANGES; i++)
			cr_assert(bed_receive(&bed, &answer));
		for (unsigned i = 0; i < BED_EXCHANGES; i++) {
			bed_upstream_answer(&bed, handles[i], late, sizeof(late));
			bed_turn(&bed);
			cr_assert(bed_receive(&bed, &first));
			cr_expect_eq(first.msg.type, COAP_CON);
		}
		expect_silence();
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_given_up), 2 * BED_EXCHANGES);
	cr_expect_eq(bed_count(&bed, DP_STAT_exchange_none_free), 0);
	cr_expect_eq(dp_worker_unacked(bed.dp, 0), BED_EXCHANGES);
	ask(COAP_NON, 0x300, 1000);
	device_sends_empty(COAP_ACK, first.msg.mid);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_acks), 1, "the newest is still there");
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

// The device waits for it without asking again, so it is tried again.
Test(dp_separate, answer_without_an_mbuf_is_sent_later)
{
	struct rte_mbuf *all[8192];

	ask_and_get_ack(7, 1);
	unsigned n = bed_mbufs_take(&bed, all, RTE_DIM(all));

	backend_answers();
	expect_silence();
	later(2 * ACK_TIMEOUT);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_no_mbuf), 2);
	rte_pktmbuf_free_bulk(all, n);
	later(4 * ACK_TIMEOUT);
	expect_separate(COAP_CONTENT);
	device_sends_empty(COAP_ACK, first.msg.mid);
	expect_all_exchanges_free();
	// One that was sent is not lost by it either.
	ask_and_get_ack(8, 2);
	backend_answers();
	expect_separate(COAP_CONTENT);
	n = bed_mbufs_take(&bed, all, RTE_DIM(all));
	later(2 * ACK_TIMEOUT);
	expect_silence();
	rte_pktmbuf_free_bulk(all, n);
	later(4 * ACK_TIMEOUT);
	expect_same_bytes();
	// No empty ACK: then the answer is piggybacked.
	ask(COAP_CON, 9, 3);
	n = bed_mbufs_take(&bed, all, RTE_DIM(all));
	later(ACK_LATER);
	rte_pktmbuf_free_bulk(all, n);
	backend_answers();
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.type, COAP_ACK);
	cr_expect(bed_open(&device, &request, &answer));
	// A separate 5.04 that nothing but the batch held.
	ask_and_get_ack(10, 4);
	n = bed_mbufs_take(&bed, all, RTE_DIM(all));
	later(BED_TIMEOUT_MS);
	rte_pktmbuf_free_bulk(all, n);
	device_sends_empty(COAP_ACK, first.msg.mid); // of the one before
	later(2 * ACK_TIMEOUT);
	expect_separate(COAP_GATEWAY_TIMEOUT);
	device_sends_empty(COAP_ACK, first.msg.mid);
	backend_answers();
	expect_all_exchanges_free();
}

// It waits for its ACK, and is about to be sealed: nothing else may have its exchange now.
Test(dp_separate, answer_in_the_batch_keeps_its_exchange)
{
	struct bed_request of_first;
	unsigned confirmable = 0, others = 0;

	ask_and_get_ack(0, 0);
	of_first = request;
	// For want of an own Partial IV it is sealed later.
	dp_contexts(bed.dp)->context[device.context].flags |= DP_CONTEXT_OWN_PIV_ALWAYS;
	backend_answers();
	expect_silence();
	dp_run_grant(bed.dp, 0);
	// All others time out at the next look at the clock, and after it: were it in the same
	// tick, they would come first, and it would give way.
	cr_assert_leq(bed_exchange(&bed, handle)->timeout_ms, BED_TIMEOUT_MS - 2 * DP_TICK_MS);
	for (unsigned i = 1; i < BED_EXCHANGES; i++)
		ask(COAP_CON, i, i);
	later(ACK_LATER);
	while (bed_receive(&bed, &answer))
		;
	later(BED_TIMEOUT_MS);
	while (bed_receive(&bed, &answer)) {
		if (answer.msg.type != COAP_CON) {
			others++;
			continue;
		}
		cr_assert(bed_open(&device, &of_first, &answer));
		cr_expect_eq(answer.plaintext[0], COAP_CONTENT);
		confirmable++;
	}
	cr_expect_eq(confirmable, 1);
	cr_expect_eq(others, BED_EXCHANGES - 1, "5.04, as NON");
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_given_up), 0);
}

static void use_up_ids(struct dp_mids *mids, const struct dp_flow *flow, uint64_t now_ms)
{
	uint16_t mid;

	for (unsigned i = 0; dp_mid_take(mids, flow, now_ms, &mid); i++)
		cr_assert_lt(i, 1 << 16, "ids without end");
}

Test(dp_separate, without_a_message_id_it_stays_piggybacked)
{
	use_up_ids(bed_mids(&bed), &bed.flow, bed_now_ms(&bed) + ACK_LATER);
	ask(COAP_CON, 7, 1);
	later(ACK_LATER);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_acks_no_mid), 2);
	backend_answers();
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.type, COAP_ACK);
	cr_expect(bed_open(&device, &request, &answer));
}

// With a backend that takes long, the counter of the device's ids goes round between the empty ACK
// and the answer: that has an id that no other had lately.
Test(dp_separate, message_id_is_not_older_than_its_lifetime)
{
	struct dp_route routes[16];
	uint64_t left_ms = 4 * dp_exchange_lifetime_ms(ACK_TIMEOUT);
	uint16_t mid;

	cr_assert_leq(bed.policy.route_count, RTE_DIM(routes));
	memcpy(routes, bed.policy.routes, bed.policy.route_count * sizeof(*routes));
	for (unsigned i = 0; i < bed.policy.route_count; i++)
		routes[i].timeout_ms = 3600 * 1000;
	bed.policy.routes = routes;
	ask_and_get_ack(7, 1);
	const uint16_t first_mid = bed_exchange(&bed, handle)->own_mid;

	do {
		while (!dp_mid_take(bed_mids(&bed), &bed.flow, bed_now_ms(&bed), &mid)) {
			cr_assert_gt(left_ms, 1000);
			left_ms -= 1000;
			later(1000);
		}
	} while (mid != first_mid);
	// It is another message's now. And none is left for this answer, for two tries.
	for (unsigned i = 1; i <= 2; i++) {
		use_up_ids(bed_mids(&bed), &bed.flow, bed_now_ms(&bed) + (i - 1) * 2 * ACK_TIMEOUT);
		if (i == 1)
			backend_answers();
		else
			later(2 * ACK_TIMEOUT);
		expect_silence();
		cr_expect_eq(bed_count(&bed, DP_STAT_answers_no_mid), i);
	}
	later(4 * ACK_TIMEOUT);
	expect_separate(COAP_CONTENT);
	cr_expect_neq(first.msg.mid, first_mid);
	cr_expect_not(first.has_piv, "sealed once");
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

#define WORKERS 5

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
