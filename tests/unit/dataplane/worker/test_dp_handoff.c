// SPDX-License-Identifier: BSD-3-Clause
// Two workers: a device belongs to one of them, wherever its packets arrive.

#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>
#include <pthread.h>

static struct bed bed;
static struct bed_device device;
static struct bed_request request;
static struct bed_answer answer;

static void init(void)
{
	bed_make_workers(&bed, 2, false);
	bed_stop_clock(&bed);
	bed_device_make(&device, 0x0a, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
}

static void fini(void)
{
	bed_free(&bed);
}

TestSuite(dp_handoff, .init = init, .fini = fini);

static void send_from(unsigned queue, uint16_t port, uint64_t piv)
{
	struct dp_flow flow = bed.flow;

	flow.remote_port = rte_cpu_to_be_16(port);
	bed.queue = queue;
	bed_seal_path(&device, &request, COAP_CON, piv, piv, COAP_POST, "echo", "x");
	bed_send(&bed, &flow, request.coap, request.len);
}

static const struct dp_context *context(void)
{
	return &dp_contexts(bed.dp)->context[device.context];
}

Test(dp_handoff, a_device_that_changes_its_port_keeps_its_state)
{
	// 16 ports, as a NAT rebinds it; each arrives where RSS puts it.
	for (uint64_t i = 0; i < 16; i++) {
		send_from(i % 2, 40000 + i, i);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		cr_expect(bed_open(&device, &request, &answer));
		cr_expect_eq(answer.plaintext[0], COAP_CHANGED);
		// The frame is the device's: where it goes to is its local port.
		cr_expect_eq(answer.flow.local_port, rte_cpu_to_be_16(40000 + i));
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_handed_over), 8);
	cr_expect_eq(context()->owner, 0);
	cr_expect_eq(context()->accepted, 16);
}

Test(dp_handoff, a_replay_at_the_other_worker_is_a_replay)
{
	send_from(0, 40000, 7);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	bed.queue = 1;
	// The very same datagram, and the same bytes from elsewhere.
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	struct bed_answer again;

	cr_assert(bed_receive(&bed, &again), "a copy gets the same bytes, wherever it arrives");
	cr_expect_arr_eq(again.coap, answer.coap, answer.len);
	struct dp_flow elsewhere = bed.flow;

	elsewhere.remote_port = rte_cpu_to_be_16(50000);
	bed_send(&bed, &elsewhere, request.coap, request.len);
	bed_turn(&bed);
	cr_expect_not(bed_receive(&bed, &answer));
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_replay), 1);
	cr_expect_eq(context()->accepted, 1);
}

Test(dp_handoff, two_first_copies_at_both_workers_are_one_request)
{
	send_from(0, 40000, 3);
	bed.queue = 1;
	bed_send_request(&bed, &request);
	cr_expect_eq(context()->owner, DP_OWNER_NONE);
	bed_turn(&bed);
	cr_expect(bed_receive(&bed, &answer));
	cr_expect_not(bed_receive(&bed, &answer));
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 1);
}

static void no_event(void *arg, const struct dp_event *event)
{
}

static void forge(unsigned queue, unsigned count)
{
	bed.queue = queue;
	for (unsigned i = 0; i < count; i++) {
		bed_seal_path(&device, &request, COAP_CON, i, 1000 + i, COAP_POST, "echo", "x");
		request.coap[request.len - 1] ^= 1;
		bed_send_request(&bed, &request);
		if (i % 32 == 31)
			bed_turn(&bed);
	}
	bed_turn(&bed);
	cr_expect_not(bed_receive(&bed, &answer));
}

static uint32_t forgeries(void)
{
	return dp_contexts(bed.dp)->side[device.context].failed;
}

static unsigned limit_events(unsigned worker, enum dp_limit limit)
{
	struct dp_event event;
	unsigned found = 0;

	while (bed_event_take(&bed, worker, &event))
		found += event.type == DP_EVENT_LIMIT && event.arg == limit &&
			event.context == device.context;
	return found;
}

// A source port chooses the worker, so forgeries count wherever they arrive.
Test(dp_handoff, forgeries_count_at_every_worker)
{
	struct bed_device other;

	// Of a context that nobody owns yet.
	bed_device_make(&other, 0x0b, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &other, true);
	bed_seal_path(&other, &request, COAP_NON, 1, 1, COAP_POST, "echo", "x");
	request.coap[request.len - 1] ^= 1;
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect_eq(dp_contexts(bed.dp)->side[other.context].failed, 1);
	cr_expect_eq(dp_contexts(bed.dp)->context[other.context].owner, DP_OWNER_NONE);

	send_from(0, 40000, 0);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_assert_eq(context()->owner, 0);
	forge(0, 10);
	cr_expect_eq(forgeries(), 10);
	forge(1, 50);
	cr_expect_eq(forgeries(), 60, "%u at the other worker", forgeries() - 10);

	// The worker that counts the last one tells.
	dp_contexts(bed.dp)->side[device.context].failed =
		dp_limit_forgeries(AEAD_AES_CCM_16_64_128) - 20;
	forge(1, 50);
	cr_expect_eq(limit_events(1, DP_LIMIT_FORGERY), 1);
	forge(0, 50);
	cr_expect_eq(limit_events(0, DP_LIMIT_FORGERY), 0);
}

// A full ring of events loses none for good.
Test(dp_handoff, a_limit_that_found_no_room_is_told_later)
{
	uint32_t *failed = &dp_contexts(bed.dp)->side[device.context].failed;

	*failed = dp_limit_forgeries(AEAD_AES_CCM_16_64_128) / 2 - 1;
	bed_events_fill(&bed, 1);
	forge(1, 2);
	cr_expect_eq(bed_count(&bed, DP_STAT_events_lost), 1);
	cr_expect_eq(limit_events(1, DP_LIMIT_FORGERY_HALF), 0);
	forge(1, 3);
	cr_expect_eq(limit_events(1, DP_LIMIT_FORGERY_HALF), 1);

	bed_events_fill(&bed, 1);
	for (unsigned i = 0; i < 3; i++) {
		send_from(1, 40000, DP_LIMIT_USES + i);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		cr_expect_eq(limit_events(1, DP_LIMIT_USE), i == 1);
	}
}

Test(dp_handoff, nothing_unverified_crosses)
{
	send_from(0, 40000, 1);
	bed_turn(&bed);
	bed_receive(&bed, &answer);
	bed_seal_path(&device, &request, COAP_CON, 2, 2, COAP_POST, "echo", "x");
	request.coap[request.len - 1] ^= 1;
	bed.queue = 1;
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_handed_over), 0);
	cr_expect_eq(dp_stat_read(dp_worker_stats(bed.dp, 1), DP_STAT_drop_tag), 1);
	cr_expect_eq(context()->window.next, 2);
}

Test(dp_handoff, a_device_removed_on_the_way_is_not_served)
{
	struct dp_context_key key;

	send_from(0, 40000, 1);
	bed_turn(&bed);
	bed_receive(&bed, &answer);
	send_from(1, 40000, 2);
	bed_turn_one(&bed, 1); // it is on the ring now
	cr_expect_eq(bed_count(&bed, DP_STAT_handed_over), 1);
	bed_device_key(&device, &key);
	cr_assert_eq(dp_device_remove(bed.dp, &key), 0);
	bed_turn(&bed);
	cr_expect_not(bed_receive(&bed, &answer));
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_context_gone), 1);
	dp_poll(bed.dp, no_event, NULL);
	// And not under another device's keys that has its place now.
	bed_device_add(&bed, &device, true);
	cr_expect_eq(context()->accepted, 0);
}

Test(dp_handoff, a_full_ring_is_a_drop_before_anything_is_committed)
{
	unsigned sent = 0;

	send_from(0, 40000, 0);
	bed_turn(&bed);
	bed_receive(&bed, &answer);
	while (!bed_count(&bed, DP_STAT_drop_handoff_full)) {
		send_from(1, 40000, ++sent);
		bed_turn_one(&bed, 1);
	}
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), sent, "all but the last, and the first");
	while (bed_receive(&bed, &answer))
		;
	// Its retransmission is served.
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect(bed_open(&device, &request, &answer));
}

// A recorded packet verifies whenever it is sent again, at the worker that its source port chooses.
Test(dp_handoff, copies_of_a_recorded_packet_keep_no_new_one_out)
{
	struct bed_request recorded;

	send_from(0, 40000, 9);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	recorded = request;
	for (unsigned i = 0; i < 520; i++) {
		bed.queue = 1;
		bed_send_request(&bed, &recorded);
		bed_turn_one(&bed, 1);
	}
	cr_expect_gt(bed_count(&bed, DP_STAT_drop_handoff_old), 400);
	send_from(1, 40000, 10);
	bed_turn_one(&bed, 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_handoff_full), 0);
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 2);
	// A copy among few others is still answered as one.
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	while (bed_receive(&bed, &answer))
		;
	bed_send_request(&bed, &recorded);
	bed_turn(&bed);
	cr_expect(bed_receive(&bed, &answer), "the same bytes again");
	cr_expect(bed_open(&device, &recorded, &answer));
}

static void answers_drop(void)
{
	while (bed_receive(&bed, &answer))
		;
}

// Nor do new ones, which only a device itself can make: neither those with a known window, on one
// ring, nor those with an unknown one, on the other.
Test(dp_handoff, one_device_keeps_no_others_out)
{

	dp_run_grant(bed.dp, 1);
	for (unsigned known = 0; known < 2; known++) {
		struct bed_device others[20];

		bed_device_make(&device, 0x80 + known, AEAD_AES_CCM_16_64_128);
		bed_device_add(&bed, &device, known);
		send_from(0, 40000, 0);
		for (unsigned i = 0; i < RTE_DIM(others); i++) {
			bed_device_make(&others[i], 0x20 + 32 * known + i, AEAD_AES_CCM_16_64_128);
			bed_device_add(&bed, &others[i], known);
			bed_seal_path(&others[i], &request, COAP_CON, 0, 0, COAP_POST, "echo", "x");
			bed_send_request(&bed, &request);
		}
		bed_turn(&bed);
		answers_drop();
		uint64_t before = bed_count(&bed, DP_STAT_rx_requests) +
			bed_count(&bed, DP_STAT_rx_challenges);

		for (unsigned i = 1; i < 600; i++) {
			send_from(1, 40000, i);
			bed_turn_one(&bed, 1);
		}
		for (unsigned i = 0; i < RTE_DIM(others); i++) {
			bed_seal_path(&others[i], &request, COAP_CON, 1, 1, COAP_POST, "echo", "x");
			bed_send_request(&bed, &request);
		}
		bed_turn_one(&bed, 1);
		bed_turn(&bed);
		for (unsigned i = 0; i < RTE_DIM(others); i++) {
			uint32_t at = others[i].context;

			cr_expect_eq(known ? dp_contexts(bed.dp)->context[at].accepted
					   : dp_contexts(bed.dp)->side[at].challenged,
				2, "device %u, %s window", i, known ? "known" : "unknown");
		}
		// What takes half of a ring and its share is served, too.
		uint64_t served = bed_count(&bed, DP_STAT_rx_requests) +
			bed_count(&bed, DP_STAT_rx_challenges) - before;
		unsigned places = known ? 511 : 63;

		cr_expect_eq(served, places / 2 + places / 16 + RTE_DIM(others));
		answers_drop();
	}
}

Test(dp_handoff_kid, affinity_by_kid_does_not_ask_where_packets_arrive)
{
	unsigned owners[2] = {0};

	bed_make_workers(&bed, 2, true);
	for (uint8_t id = 2; id < 60; id++) {
		bed_device_make(&device, id, AEAD_AES_CCM_16_64_128);
		bed_device_add(&bed, &device, true);
		send_from(id % 2, 40000, 5);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		cr_expect(bed_open(&device, &request, &answer));
		owners[context()->owner]++;
	}
	cr_expect_gt(owners[0], 10);
	cr_expect_gt(owners[1], 10);
	bed_free(&bed);
}

// Each lcore has a cache of every pool. What is handed over must not stay there: with enough
// workers who received it would have nothing left to receive with.
Test(dp_handoff_pool, packets_handed_over_return_to_their_pool)
{
	enum { MBUFS = 511, CACHE = 64, BURSTS = 8, BURST = 40 };
	struct bed_device devices[BED_WORKERS_MAX]; // by owner, and none is the first worker's
	struct rte_mbuf *all[MBUFS];
	uint64_t piv = 0;

	bed_make_workers(&bed, BED_WORKERS_MAX, false);
	for (unsigned i = 1; i < BED_WORKERS_MAX; i++) {
		bed_device_make(&devices[i], 2 + i, AEAD_AES_CCM_16_64_128);
		bed_device_add(&bed, &devices[i], true);
		device = devices[i];
		send_from(i, 40000, piv++);
	}
	bed_turn_on_lcores(&bed);
	// All arrive at the first worker now.
	struct rte_mempool *usual = bed.pool;
	const unsigned usual_full = bed.pool_full;

	bed.pool = rte_pktmbuf_pool_create(
		"received", MBUFS, CACHE, 0, rte_pktmbuf_data_room_size(usual), SOCKET_ID_ANY);
	cr_assert_not_null(bed.pool);
	bed.strange_frames = true;
	for (unsigned burst = 0; burst < BURSTS; burst++) {
		for (unsigned i = 0; i < BURST; i++) {
			device = devices[1 + i % (BED_WORKERS_MAX - 1)];
			send_from(0, 40000, piv++);
		}
		bed_turn_on_lcores(&bed);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_handed_over), BURSTS * BURST);
	cr_expect_eq(bed_count(&bed, DP_STAT_answers), BED_WORKERS_MAX - 1 + BURSTS * BURST);
	// The driver of the owner would keep a buffer that is sent, too.
	while (bed_receive(&bed, &answer))
		cr_expect_neq(answer.mbuf->pool, bed.pool);
	// This lcore did what the driver of the first worker does: what it kept is that one's.
	rte_mempool_cache_flush(NULL, bed.pool);
	unsigned n = 0;

	while (n < MBUFS && (all[n] = rte_pktmbuf_alloc(bed.pool)))
		n++;
	cr_expect_eq(n, MBUFS, "%u of %u can be received with", n, MBUFS);
	rte_pktmbuf_free_bulk(all, n);
	rte_mempool_free(bed.pool);
	bed.pool = usual;
	bed.pool_full = usual_full;
	bed_free(&bed);
}

static const uint8_t late[] = {COAP_CONTENT, 0xff, 'l', 'a', 't', 'e'};

// A request to a backend that takes its time: the device has an empty ACK, and the answer, whose
// message id it returns, waits for its ACK.
static uint16_t answered_separately(unsigned queue, uint16_t port, uint64_t piv)
{
	struct dp_flow flow = bed.flow;
	dp_handle handle;

	flow.remote_port = rte_cpu_to_be_16(port);
	bed.queue = queue;
	bed_seal_path(&device, &request, COAP_CON, piv, piv, COAP_GET, "up/slow", NULL);
	bed_send(&bed, &flow, request.coap, request.len);
	bed_turn(&bed);
	bed_later(&bed, DP_ACK_AFTER(DP_ACK_TIMEOUT_MS) + 2 * DP_TICK_MS);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_assert_eq(answer.msg.code, COAP_EMPTY);
	struct dp_loop_port *up = &dp_loop(bed.dp, 0)->port[context()->owner];

	cr_assert_eq(dp_loop_receive(up, &handle, 1), 1);
	struct dp_shared *shared = dp_shared_get(up->pool, handle);

	memcpy(dp_shared_response(shared), late, sizeof(late));
	shared->response.len = sizeof(late);
	dp_loop_respond(up, handle);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_assert_eq(answer.msg.type, COAP_CON);
	cr_assert(bed_open(&device, &request, &answer));
	cr_expect_eq(answer.flow.local_port, flow.remote_port);
	return answer.msg.mid;
}

static void send_empty_from(unsigned queue, uint16_t port, enum coap_type type, uint16_t mid)
{
	struct dp_flow flow = bed.flow;

	flow.remote_port = rte_cpu_to_be_16(port);
	bed.queue = queue;
	bed_send_empty(&bed, &flow, type, mid);
}

// An ACK has no kid: its message id tells whose it is. RSS puts it where the endpoint's packets
// arrive, which is not the owner of a device that has moved.
Test(dp_handoff, an_ack_finds_the_worker_that_waits_for_it)
{
	uint16_t mid = answered_separately(0, 40000, 1); // worker 0 owns it now

	send_empty_from(1, 40000, COAP_ACK, mid);
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_acks_handed_over), 1);
	cr_expect_eq(dp_stat_read(dp_worker_stats(bed.dp, 0), DP_STAT_rx_acks), 1);
	// The device moves to where the other worker has its packets.
	mid = answered_separately(1, 40001, 2);
	cr_expect_eq(bed_count(&bed, DP_STAT_handed_over), 1);
	send_empty_from(1, 40001, COAP_RST, mid);
	bed_turn(&bed);
	cr_expect_eq(dp_stat_read(dp_worker_stats(bed.dp, 0), DP_STAT_rx_rsts), 1);
	cr_expect_eq(dp_worker_unacked(bed.dp, 0), 0);
	cr_expect_eq(dp_worker_exchanges_free(bed.dp, 0), BED_EXCHANGES);
	// Its old endpoint has no say in that.
	mid = answered_separately(1, 40001, 3);
	send_empty_from(0, 40000, COAP_ACK, mid);
	send_empty_from(1, 40000, COAP_ACK, mid);
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_coap_ack), 2);
	cr_expect_eq(dp_worker_unacked(bed.dp, 0), 1);
}

// Anybody can send ACKs: a stranger's do not even get into the ring, and what a device sends again
// and again keeps out neither requests nor the ACKs of others, of which one may share its count.
Test(dp_handoff, a_flood_of_acks_keeps_nobody_out)
{
	uint16_t mid = answered_separately(0, 40000, 1), other[3];

	for (unsigned i = 0; i < 3; i++)
		other[i] = answered_separately(0, 40001 + i, 2 + i);
	for (unsigned i = 0; i < 15; i++) {
		for (unsigned k = 0; k < DP_BURST; k++)
			send_empty_from(1, 50000 + k, COAP_ACK, mid - k);
		bed_turn_one(&bed, 1);
	}
	cr_expect_gt(bed_count(&bed, DP_STAT_drop_coap_ack), 9 * DP_BURST);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_handoff_full), 0);
	bed_turn(&bed);
	for (unsigned i = 0; i < 5; i++) {
		for (unsigned k = 0; k < DP_BURST; k++)
			send_empty_from(1, 40000, COAP_ACK, mid);
		bed_turn_one(&bed, 1);
	}
	uint64_t refused = bed_count(&bed, DP_STAT_drop_handoff_full);
	cr_expect_gt(refused, 100);
	for (unsigned i = 0; i < 3; i++)
		send_empty_from(1, 40001 + i, COAP_ACK, other[i]);
	bed_turn_one(&bed, 1);
	refused = bed_count(&bed, DP_STAT_drop_handoff_full) - refused;
	cr_expect_leq(refused, 1);
	send_from(1, 40004, 5);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect(bed_open(&device, &request, &answer));
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_acks), 4 - refused);
	cr_expect_eq(dp_worker_unacked(bed.dp, 0), refused);
}

// Copies of a pending request, at both workers before it has an owner and after that: one request,
// one empty ACK, one answer.
Test(dp_handoff, copies_at_both_workers_are_one_pending_request)
{
	dp_handle handle[2];
	unsigned acks = 0;

	bed_seal_path(&device, &request, COAP_CON, 5, 5, COAP_GET, "up/slow", NULL);
	for (unsigned round = 0; round < 3; round++) {
		for (bed.queue = 0; bed.queue < 2; bed.queue++)
			bed_send_request(&bed, &request);
		bed_turn(&bed);
	}
	while (bed_receive(&bed, &answer)) {
		cr_expect_eq(answer.msg.code, COAP_EMPTY);
		cr_expect_eq(answer.msg.mid, 5);
		acks++;
	}
	cr_expect_eq(acks, 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_duplicate_silent), 4);
	cr_expect_eq(dp_loop_receive(&dp_loop(bed.dp, 0)->port[context()->owner], handle, 2), 1);
}

static bool turning;

static void *turn(void *worker)
{
	while (__atomic_load_n(&turning, __ATOMIC_RELAXED))
		dp_worker_turn(worker);
	return NULL;
}

// Each request is sent to both workers at once, while both run: it is accepted exactly once.
Test(dp_handoff, at_both_workers_at_once_and_accepted_once)
{
	enum { DEVICES = 32, REQUESTS = 60, AHEAD = 4 };
	static struct bed_device devices[DEVICES];
	static struct bed_request requests[DEVICES];
	pthread_t thread[2];

	for (unsigned d = 0; d < DEVICES; d++) {
		bed_device_make(&devices[d], 0x40 + d, AEAD_AES_CCM_16_64_128);
		bed_device_add(&bed, &devices[d], true);
	}
	turning = true;
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, turn, dp_worker_get(bed.dp, i)), 0);
	for (unsigned piv = 0; piv < REQUESTS; piv++) {
		static struct bed_answer first[DEVICES];
		unsigned answered = 0;

		// A worker that does not run for a while has room for some rounds, not for all.
		while (bed_count(&bed, DP_STAT_rx_packets) + 2 * DEVICES * AHEAD <
			2 * DEVICES * piv)
			;
		memset(first, 0, sizeof(first));
		for (unsigned d = 0; d < DEVICES; d++) {
			bed_seal_path(&devices[d], &requests[d], COAP_CON, d << 8 | piv, piv,
				COAP_POST, "echo", "x");
			for (bed.queue = 0; bed.queue < 2; bed.queue++)
				bed_send_request(&bed, &requests[d]);
		}
		while (answered < DEVICES) {
			if (!bed_receive(&bed, &answer))
				continue;
			unsigned d = answer.msg.mid >> 8;

			cr_assert_lt(d, DEVICES);
			// On a machine so busy that a copy comes half a second later, it gets the
			// same bytes again: no second answer.
			if ((answer.msg.mid & 0xff) != piv)
				continue;
			if (first[d].len) {
				cr_assert_eq(answer.len, first[d].len);
				cr_assert_arr_eq(answer.coap, first[d].coap, answer.len);
				continue;
			}
			first[d] = answer;
			cr_assert(bed_open(&devices[d], &requests[d], &answer));
			answered++;
		}
	}
	// The last copies are still on their way.
	while (bed_count(&bed, DP_STAT_rx_packets) < 2 * DEVICES * REQUESTS ||
		bed_ends(&bed) !=
			bed_count(&bed, DP_STAT_rx_packets) + bed_count(&bed, DP_STAT_taken_over))
		;
	turning = false;
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	bed_turn(&bed); // what was on the rings between them
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), DEVICES * REQUESTS);
	cr_expect_gt(bed_count(&bed, DP_STAT_handed_over), 0);
}
