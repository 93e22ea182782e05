// SPDX-License-Identifier: BSD-3-Clause
// Separate answers where something is missing: exchanges, packet buffers, message ids, own Partial
// IVs.

#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/separate.h"

#include <criterion/criterion.h>

TestSuite(dp_separate_scarce, .init = separate_init, .fini = one_device_fini);

// With no room to keep it, a 5.04 is sent once: also a way to answer (RFC 7252 section 5.2.2).
Test(dp_separate_scarce, timeout_without_a_free_exchange_is_answered_non)
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
Test(dp_separate_scarce, what_waits_longest_for_its_ack_gives_way)
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

// The device waits for it without asking again, so it is tried again.
Test(dp_separate_scarce, answer_without_an_mbuf_is_sent_later)
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
Test(dp_separate_scarce, answer_in_the_batch_keeps_its_exchange)
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

Test(dp_separate_scarce, without_a_message_id_it_stays_piggybacked)
{
	bed_mids_use_up(&bed, bed_now_ms(&bed) + ACK_LATER);
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
Test(dp_separate_scarce, message_id_is_not_older_than_its_lifetime)
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
		bed_mids_use_up(&bed, bed_now_ms(&bed) + (i - 1) * 2 * ACK_TIMEOUT);
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
