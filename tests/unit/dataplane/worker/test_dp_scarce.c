// SPDX-License-Identifier: BSD-3-Clause
// What the worker does when something runs out, or is misused by the other end of a ring.

#include "dataplane/worker/event.h"
#include "dataplane/worker/own_piv.h"
#include "dataplane/worker/send.h"
#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>

static struct bed bed;
static struct bed_device device;
static struct bed_request request;
static struct bed_answer answer;

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

TestSuite(dp_scarce, .init = init, .fini = fini);

static void post(enum coap_type type, uint64_t piv, const char *path, const char *payload)
{
	bed_seal_path(&device, &request, type, piv, piv, COAP_POST, path, payload);
	bed_send_request(&bed, &request);
}

static unsigned received(void)
{
	unsigned n = 0;

	while (bed_receive(&bed, &answer))
		n++;
	return n;
}

// A packet ends in one counter and its answer, if lost, in another.
Test(dp_scarce, no_mbuf_is_counted_where_the_packet_ends)
{
	struct rte_mbuf *all[8192];

	bed_fast_paths(&bed, false); // else an answer takes no buffer but its request's
	bed.policy.verbose_errors = true;
	post(COAP_CON, 1, "echo", "recorded");
	bed_turn(&bed);
	cr_expect_eq(received(), 1);
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	unsigned n = bed_mbufs_take(&bed, all, RTE_DIM(all));

	bed_send_request(&bed, &request); // a duplicate
	post(COAP_CON, 2, "echo", "answered");
	bed_send(&bed, &bed.flow, (const uint8_t *)"\x40\x00\x12\x34", 4); // a ping
	bed_send(&bed, &bed.flow, (const uint8_t *)"\x40\x01\x12\x34\xb9plaintext", 14);
	bed_turn(&bed);
	cr_expect_eq(received(), 0);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_no_mbuf), 2);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_no_oscore), 1); // whether it is told or not
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_errors_sent), 0);
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_no_mbuf), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 2);
	rte_pktmbuf_free_bulk(all, n);
	// bed_free() compares the sums.
}

// What goes back in the buffer of its request needs no other.
Test(dp_scarce, an_answer_in_place_needs_no_mbuf)
{
	struct rte_mbuf *all[8192];

	post(COAP_CON, 1, "echo", "x");
	unsigned n = bed_mbufs_take(&bed, all, RTE_DIM(all));

	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect(bed_open(&device, &request, &answer));
	cr_expect_eq(bed_count(&bed, DP_STAT_answers), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_no_mbuf), 0);
	rte_pktmbuf_free_bulk(all, n);
}

// A request is not served twice, and a device that got nothing asks again: with the same message it
// gets the answer that was sealed for it.
Test(dp_scarce, an_answer_without_an_mbuf_is_that_of_the_next_copy)
{
	static const uint8_t done[] = {COAP_CONTENT, 0xff, 'd', 'o', 'n', 'e'};
	static const char *const paths[] = {"echo", "up/x", "nowhere"};
	static const uint8_t codes[] = {COAP_CHANGED, COAP_CONTENT, COAP_NOT_FOUND};
	static struct bed_request requests[RTE_DIM(paths)];
	struct rte_mbuf *all[8192];
	dp_handle handle;

	bed_fast_paths(&bed, false);
	bed.policy.verbose_replay = true;
	unsigned n = bed_mbufs_take(&bed, all, RTE_DIM(all));

	for (unsigned i = 0; i < RTE_DIM(paths); i++) {
		post(COAP_CON, i, paths[i], "x");
		requests[i] = request;
	}
	post(COAP_NON, RTE_DIM(paths), "echo", "x");
	bed_turn(&bed);
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	bed_upstream_answer(&bed, handle, done, sizeof(done));
	bed_turn(&bed);
	cr_expect_eq(received(), 0);
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_no_mbuf), RTE_DIM(paths) + 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_answers), 0, "none was sent");
	cr_expect_eq(dp_worker_exchanges_free(bed.dp, 0), BED_EXCHANGES);
	rte_pktmbuf_free_bulk(all, n);
	bed_later(&bed, DP_ACK_TIMEOUT_MS);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect_eq(received(), 0, "a copy of a NON gets silence");
	for (unsigned i = 0; i < RTE_DIM(paths); i++) {
		bed_send_request(&bed, &requests[i]);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		cr_expect_eq(answer.msg.type, COAP_ACK);
		cr_expect_eq(answer.msg.mid, requests[i].mid);
		cr_assert(bed_open(&device, &requests[i], &answer));
		cr_expect_eq(answer.plaintext[0], codes[i]);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), RTE_DIM(paths) + 1, "served once");
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_duplicates_answered), RTE_DIM(paths));
	cr_assert_null(bed_upstream_take(&bed, &handle));
}

Test(dp_scarce, more_packets_in_a_turn_than_the_queue_holds_are_sent)
{
	const unsigned n = 3 * bed_tx_room(&bed);

	for (unsigned i = 0; i < n; i++)
		cr_assert(dp_send_coap(bed.w, &bed.flow, (const uint8_t *)"\x70\0\0\0", 4));
	bed_turn(&bed);
	cr_expect_eq(received(), n);
	cr_expect_eq(bed_count(&bed, DP_STAT_tx_full), 0);
}

// An exchange given back twice would be two requests' at once, and its nonce used for both.
Test(dp_scarce, a_handle_that_comes_back_twice_is_one_answer)
{
	static const uint8_t done[] = {COAP_CHANGED};
	dp_handle handle;

	for (uint64_t piv = 1; piv <= 2; piv++) {
		post(COAP_CON, piv, "up/x", NULL);
		bed_turn(&bed);
		cr_assert_not_null(bed_upstream_take(&bed, &handle));
		bed_upstream_answer(&bed, handle, done, sizeof(done));
		// In the same burst, and in a later one.
		dp_loop_respond(&dp_loop(bed.dp, 0)->port[0], handle);
		if (piv == 2)
			bed_later(&bed, BED_TIMEOUT_MS);
		bed_turn(&bed);
		dp_loop_respond(&dp_loop(bed.dp, 0)->port[0], handle);
		bed_turn(&bed);
		cr_expect_eq(received(), 1);
		cr_expect_eq(dp_worker_exchanges_free(bed.dp, 0), BED_EXCHANGES);
	}
}

Test(dp_scarce, a_device_whose_exchange_ends_twice_after_its_deadline_gets_one_answer)
{
	static const uint8_t late[] = {COAP_CHANGED};
	dp_handle handle;

	post(COAP_CON, 1, "up/x", NULL);
	bed_turn(&bed);
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	bed_later(&bed, BED_TIMEOUT_MS + 2 * DP_TICK_MS);
	bed_turn(&bed);
	bed_upstream_answer(&bed, handle, late, sizeof(late));
	dp_loop_respond(&dp_loop(bed.dp, 0)->port[0], handle);
	bed_turn(&bed);
	cr_expect_eq(received(), 1);
	cr_expect_eq(dp_worker_exchanges_free(bed.dp, 0), BED_EXCHANGES);
}

// A port may hand us more than its MTU.
Test(dp_scarce, a_request_that_fits_no_exchange_is_refused)
{
	char payload[1500];
	dp_handle handle;

	memset(payload, 'x', sizeof(payload) - 1);
	payload[sizeof(payload) - 1] = 0;
	post(COAP_CON, 1, "up/x", payload);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_assert(bed_open(&device, &request, &answer));
	cr_expect_eq(answer.plaintext[0], COAP_REQUEST_ENTITY_TOO_LARGE);
	cr_expect_null(bed_upstream_take(&bed, &handle));
}

// After a verified request silence is no answer.
Test(dp_scarce, an_answer_longer_than_a_datagram_is_a_protected_500)
{
	char payload[1500];

	memset(payload, 'x', sizeof(payload));
	payload[1472] = 0; // what fits with the path does not without
	dp_contexts(bed.dp)->context[device.context].max_message = DP_MESSAGE_MAX;
	bed_seal_path(&device, &request, COAP_CON, 1, 1, COAP_FETCH, "echo", payload);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_assert(bed_open(&device, &request, &answer));
	cr_expect_eq(answer.plaintext[0], COAP_INTERNAL_SERVER_ERROR);
	cr_expect_not(answer.has_piv);
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_oversize), 1);
}

Test(dp_scarce, an_error_fits_behind_the_longest_token)
{
	static const uint8_t plaintext[] = {COAP_EMPTY};
	uint8_t token[1448];
	uint8_t coap[BED_MESSAGE_MAX];
	struct coap_writer writer;
	struct coap_msg msg;

	// The token is not protected: any other may be put in its place.
	memset(token, 't', sizeof(token));
	bed_seal(&device, &request, COAP_CON, 1, 1, plaintext, sizeof(plaintext));
	cr_assert_eq(coap_msg_parse(&msg, request.coap, request.len), COAP_OK);
	coap_writer_init(&writer, coap, sizeof(coap));
	coap_write_header(&writer, COAP_CON, COAP_POST, 1, token, sizeof(token));
	coap_write_option(&writer, COAP_OPT_OSCORE, msg.body.oscore, msg.body.oscore_len);
	coap_write_payload(&writer, msg.body.payload, msg.body.payload_len);
	cr_assert_leq(coap_writer_len(&writer), 1472);
	bed_send(&bed, &bed.flow, coap, coap_writer_len(&writer));
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.token_len, sizeof(token));
	cr_assert(bed_open(&device, &request, &answer));
	cr_expect_eq(answer.plaintext[0], COAP_BAD_REQUEST);
}

static unsigned events(enum dp_event_type type)
{
	return bed_events_take(&bed, 0, type);
}

Test(dp_scarce, a_run_is_wanted_again_when_the_event_was_lost)
{
	struct bed_device unknown;

	bed_device_make(&unknown, 3, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &unknown, false);
	bed_events_fill(&bed, 0);
	bed_seal_path(&unknown, &request, COAP_NON, 1, 1, COAP_GET, "echo", NULL);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_events_lost), 1);
	cr_expect_eq(events(DP_EVENT_RUN_WANTED), 0);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect_eq(events(DP_EVENT_RUN_WANTED), 1);
	// Once is enough.
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect_eq(events(DP_EVENT_RUN_WANTED), 0);
}

Test(dp_scarce, a_mark_is_wanted_again_when_the_event_was_lost)
{
	struct dp_context *ctx = &dp_contexts(bed.dp)->context[device.context];

	ctx->flags = DP_CONTEXT_FLOOR;
	ctx->mark = 1;
	bed_events_fill(&bed, 0);
	post(COAP_NON, 5, "echo", NULL);
	bed_turn(&bed);
	cr_expect_eq(events(DP_EVENT_MARK_WANTED), 0);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect_eq(events(DP_EVENT_MARK_WANTED), 1);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect_eq(events(DP_EVENT_MARK_WANTED), 0, "one question at a time");
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 0);
	cr_assert_eq(dp_mark_raise(bed.dp, device.context, device.generation, 10), 0);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 1);
}

Test(dp_scarce, a_run_base_is_wanted_again_when_the_event_was_lost)
{
	struct dp_context *ctx = &dp_contexts(bed.dp)->context[device.context];
	enum dp_stat why;
	uint64_t piv;
	uint64_t last = 0;

	dp_run_grant(bed.dp, 0);
	ctx->own_counter = DP_COUNTER_MAX / 4 * 3 - 10;
	bed_events_fill(&bed, 0);
	for (unsigned i = 0; i < 20; i++)
		cr_assert(dp_own_piv(bed.w, device.context, ctx, &piv, &why));
	cr_expect_eq(events(DP_EVENT_RUN_BASE_WANTED), 0);
	unsigned wanted = 0;

	while (dp_own_piv(bed.w, device.context, ctx, &piv, &why)) {
		cr_assert_gt(piv, last);
		last = piv;
		wanted += piv % 1024 == 0 ? events(DP_EVENT_RUN_BASE_WANTED) : 0;
	}
	wanted += events(DP_EVENT_RUN_BASE_WANTED);
	cr_expect_eq(piv, DP_COUNTER_MAX);
	cr_expect_geq(wanted, 2);
	cr_expect_leq(wanted, 32, "main is not flooded");
	cr_expect_eq(why, DP_STAT_drop_own_piv_spent);
}

// All that it asked with was lost, and it has no number left to ask again after.
Test(dp_scarce, a_run_base_is_wanted_again_when_the_counter_is_used_up)
{
	struct dp_context *ctx = &dp_contexts(bed.dp)->context[device.context];
	enum dp_stat why;
	uint64_t piv;
	unsigned wanted = 0;

	bed_stop_clock(&bed);
	dp_run_grant(bed.dp, 0);
	ctx->own_counter = DP_COUNTER_MAX;
	cr_assert(dp_own_piv(bed.w, device.context, ctx, &piv, &why));
	for (unsigned i = 0; i < 50; i++) { // of a tenth of a second
		bed_later(&bed, 100);
		bed_turn(&bed);
		cr_assert_not(dp_own_piv(bed.w, device.context, ctx, &piv, &why));
		cr_assert_not(dp_own_piv_ready(bed.w, device.context, ctx, 0, &why));
		wanted += events(DP_EVENT_RUN_BASE_WANTED);
	}
	cr_expect_geq(wanted, 5);
	cr_expect_leq(wanted, 6, "once a second");
	// In the last run there is none to ask for.
	ctx->run_base = DP_RUN_MAX;
	bed_later(&bed, 2000);
	bed_turn(&bed);
	cr_expect_not(dp_own_piv(bed.w, device.context, ctx, &piv, &why));
	cr_expect_eq(events(DP_EVENT_RUN_BASE_WANTED), 0);
}

// A client may read no more (RFC 8613 allows 5 bytes).
Test(dp_scarce, no_own_piv_of_the_first_runs_is_longer_than_31_bits)
{
	struct dp_context *ctx = &dp_contexts(bed.dp)->context[device.context];
	enum dp_stat why;
	uint64_t piv;

	dp_run_grant(bed.dp, 0);
	cr_assert(dp_own_piv(bed.w, device.context, ctx, &piv, &why));
	cr_expect_leq(piv, 0xffff, "2 bytes in run 0");
	dp_run_grant(bed.dp, 255);
	cr_assert(dp_own_piv(bed.w, device.context, ctx, &piv, &why));
	cr_expect_leq(piv, 0xffffff, "3 bytes in 256 runs");
	dp_run_grant(bed.dp, 32767);
	ctx->own_counter = DP_COUNTER_MAX;
	cr_assert(dp_own_piv(bed.w, device.context, ctx, &piv, &why));
	cr_expect_leq(piv, INT32_MAX);
}

Test(dp_scarce, no_own_piv_lies_beyond_the_last_run)
{
	static const struct {
		uint32_t run, base;
		bool ok;
	} cases[] = {
		{DP_RUN_MAX, 0, true},
		{0, DP_RUN_MAX, true},
		{1, DP_RUN_MAX, false},
		{DP_RUN_MAX, 1, false},
		{DP_RUN_MAX + 1, 0, false},
		{0, DP_RUN_MAX + 1, false},
		{5, UINT32_MAX - 3, false}, // the sum wraps
		{DP_RUN_NONE - 1, 5, false},
	};
	struct dp_context *ctx = &dp_contexts(bed.dp)->context[device.context];
	enum dp_stat why;
	uint64_t piv;

	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		dp_run_grant(bed.dp, cases[i].run);
		ctx->run_base = cases[i].base;
		ctx->own_counter = 0;
		cr_expect_eq(
			dp_own_piv(bed.w, device.context, ctx, &piv, &why), cases[i].ok, "%u", i);
	}
}

// A frame to all stations, with a VLAN tag or without.
static void send_frame(bool tagged, uint16_t type, const uint8_t *data, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(bed.pool);
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, 80);
	unsigned at = tagged ? 18 : 14;

	cr_assert_not_null(frame);
	memset(frame, 0, 80);
	memset(frame, 0xff, 6);
	if (tagged)
		frame[12] = 0x81;
	frame[at - 2] = type >> 8;
	frame[at - 1] = type & 0xff;
	if (len)
		memcpy(frame + at, data, len);
	cr_assert_eq(rte_ring_enqueue(bed.rx[0], m), 0);
	bed_turn_one(&bed, 0);
}

// Nothing that a stranger sends to the kernel, while main is slow, keeps neighbours from finding
// us.
Test(dp_scarce, neighbours_find_us_in_a_flood)
{
	static const uint8_t ping[] = {0x60, 0, 0, 0, 0, 8, 58, 255, [40] = 128};
	static const uint8_t from_afar[] = {0x60, 0, 0, 0, 0, 8, 58, 64, [40] = 135};
	static const uint8_t solicitation[] = {0x60, 0, 0, 0, 0, 8, 58, 255, [40] = 135};

	for (unsigned i = 0; i < 600; i++)
		send_frame(i % 2, 0x88b5, NULL, 0);
	uint64_t dropped = bed_count(&bed, DP_STAT_drop_kernel_full);

	cr_expect_gt(dropped, 0);
	for (unsigned i = 0; i < 10; i++) {
		send_frame(false, 0x86dd, ping, sizeof(ping));
		send_frame(true, 0x86dd, from_afar, sizeof(from_afar));
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_kernel_full), dropped += 20);
	for (unsigned i = 0; i < 20; i++) {
		send_frame(i % 2, 0x0806, NULL, 0);
		send_frame(i % 2, 0x86dd, solicitation, sizeof(solicitation));
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_kernel_full), dropped);
}
