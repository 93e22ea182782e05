// SPDX-License-Identifier: BSD-3-Clause
// Notifications: what observers are told, when, and how often (RFC 7641 sections 4.3 to 4.5).

#include "dataplane/coap/block.h"
#include "tests/unit/dataplane/worker/observer.h"

#include <criterion/criterion.h>

TestSuite(dp_notify, .init = observer_init, .fini = observer_fini);

Test(dp_notify, a_change_is_told)
{
	registered("a", "one");
	cr_assert_eq(observers(), 1);
	publish("b", "another resource");
	bed_turn(&bed);
	expect_nothing();
	publish("a", "two");
	bed_turn(&bed);
	expect_notification(&request, COAP_NON, "two");
	publish("a", "two");
	bed_turn(&bed);
	expect_nothing();
	publish("a", "three");
	publish("a", "four");
	bed_turn(&bed);
	expect_notification(&request, COAP_NON, "four");
	expect_nothing();
	cr_assert_eq(bed_count(&bed, DP_STAT_notifications), 2);
	cr_assert_eq(bed_count(&bed, DP_STAT_observe_registered), 1);
}

static void until_confirmable(const struct bed_request *registration)
{
	char payload[16];

	for (unsigned i = 0; i < 2 * CONFIRM; i++) {
		snprintf(payload, sizeof(payload), "u%u", i);
		later(DP_NOTIFY_LEAST_MS);
		publish("a", payload);
		bed_turn(&bed);
		take(&device, registration);
		check_notification(payload);
		if (answer.msg.type == COAP_CON)
			return;
	}
	cr_assert_fail("none is confirmable");
}

Test(dp_notify, one_of_some_is_confirmable)
{
	unsigned confirmable = 0;
	char payload[16];

	registered("a", "one");
	for (unsigned i = 0; i < 4 * CONFIRM; i++) {
		snprintf(payload, sizeof(payload), "%u", i);
		later(DP_NOTIFY_LEAST_MS);
		publish("a", payload);
		bed_turn(&bed);
		take(&device, &request);
		check_notification(payload);
		expect_nothing();
		if (answer.msg.type == COAP_CON) {
			confirmable++;
			ack(answer.msg.mid);
			expect_nothing();
		}
	}
	cr_assert_eq(confirmable, 4);
	cr_assert_eq(bed_count(&bed, DP_STAT_notifications_confirmable), 4);
	cr_assert_eq(bed_count(&bed, DP_STAT_rx_acks), 4);
	cr_assert_eq(observers(), 1);
}

Test(dp_notify, the_newest_takes_the_place_of_what_is_not_acknowledged)
{
	registered("a", "one");
	until_confirmable(&request);
	uint16_t first = answer.msg.mid;

	publish("a", "new");
	bed_turn(&bed);
	publish("a", "newer");
	bed_turn(&bed);
	expect_nothing();
	later(DP_ACK_TIMEOUT_MS * 3 / 2 + 100);
	expect_notification(&request, COAP_CON, "newer");
	cr_assert_neq(answer.msg.mid, first);
	uint16_t second = answer.msg.mid;

	expect_nothing();
	publish("a", "newest");
	bed_turn(&bed);
	expect_nothing();
	// The device is there, but that was not for the last one.
	ack(first);
	expect_nothing();
	ack(second);
	later(DP_NOTIFY_LEAST_MS); // NON are not sent faster
	take(&device, &request);
	check_notification("newest");
	later(20000);
	expect_nothing();
	cr_assert_eq(observers(), 1);
	cr_assert_eq(bed_count(&bed, DP_STAT_rx_acks), 2);
}

Test(dp_notify, who_never_acknowledges_is_no_observer_any_more)
{
	uint64_t waited = 0;
	unsigned tries = 1;

	registered("a", "one");
	until_confirmable(&request);
	uint64_t before = 0;

	while (observers()) {
		later(100);
		waited += 100;
		cr_assert_lt(waited, 200000);
		if (!bed_receive(&bed, &answer))
			continue;
		cr_assert(bed_open(&device, &request, &answer));
		cr_assert_eq(answer.msg.type, COAP_CON);
		cr_assert_gt(answer.piv, last_piv);
		last_piv = answer.piv;
		tries++;
		cr_assert_geq(waited - before, (uint64_t)DP_ACK_TIMEOUT_MS << (tries - 2));
		before = waited;
	}
	cr_assert_eq(tries, 5);
	cr_assert_geq(waited, 62000);
	cr_assert_leq(waited, 94000);
	cr_assert_eq(bed_count(&bed, DP_STAT_notifications_given_up), 1);
	publish("a", "two");
	bed_turn(&bed);
	expect_nothing();
}

// Each value is good for a moment only, as of a backend that mostly fails: the device has its tries
// over all of them.
Test(dp_notify, who_never_acknowledges_has_no_more_tries_for_stale_values)
{
	unsigned confirmable = 1;
	char payload[16];

	registered("a", "one");
	until_confirmable(&request);
	for (unsigned i = 0; observers(); i++) {
		cr_assert_lt(i, 100);
		snprintf(payload, sizeof(payload), "v%u", i);
		publish_with("a",
			&(struct published){.code = COAP_CONTENT,
				.format = 0,
				.payload = payload,
				.len = strlen(payload),
				.observe_ms = bed.w->now_ms + 1500});
		for (unsigned ms = 0; ms < 60000; ms += 100) {
			later(100);
			while (bed_receive(&bed, &answer))
				confirmable += answer.msg.type == COAP_CON;
		}
	}
	cr_assert_eq(confirmable, 5);
	cr_assert_eq(bed_count(&bed, DP_STAT_notifications_given_up), 1);
}

Test(dp_notify, one_confirmable_notification_waits_for_the_other)
{
	static struct bed_request second;
	uint16_t con[2] = {0};
	unsigned n;

	registered("a", "one");
	send_get(&device, COAP_CON, "a", 0, NULL, -1);
	second = request;
	take(&device, &second);
	last_piv = 0;
	for (unsigned i = 0; i < CONFIRM; i++) {
		later(DP_NOTIFY_LEAST_MS);
		publish("a", i % 2 ? "even" : "odd");
		bed_turn(&bed);
		for (n = 0; bed_receive(&bed, &answer); n++)
			con[0] = answer.msg.mid;
		cr_assert_eq(n, i < CONFIRM - 1 ? 2 : 1, "%u of %u", n, i);
	}
	cr_assert_eq(answer.msg.type, COAP_CON);
	ack(con[0]);
	later(2 * DP_OBSERVATION_TICK_MS);
	cr_assert(bed_receive(&bed, &answer), "now the other one");
	cr_assert_eq(answer.msg.type, COAP_CON);
	con[1] = answer.msg.mid;
	expect_nothing();
	ack(con[1]);
	expect_nothing();
	cr_assert_eq(observers(), 2);
}

Test(dp_notify, what_is_unchanged_is_told_before_max_age_ends)
{
	uint64_t waited = 0;
	uint32_t age;
	struct coap_option option;

	registered("a", "one");
	cr_assert(coap_option_find(&body, COAP_OPT_MAX_AGE, &option));
	cr_assert(coap_option_uint(&option, &age) && age == FRESH_MS / 1000);
	for (;; waited += 1000) {
		cr_assert_lt(waited, age * 1000);
		later(1000);
		publish("a", "one");
		bed_turn(&bed);
		if (bed_receive(&bed, &answer))
			break;
	}
	cr_assert_geq(waited, age * 690);
	cr_assert(bed_open(&device, &request, &answer));
	// What nobody validates is not told.
	later(300000);
	expect_nothing();
	publish("a", "one");
	later(5000);
	expect_notification(&request, COAP_NON, "one");
	cr_assert_eq(observers(), 1);
}

Test(dp_notify, what_has_no_end_is_told_again_all_the_same)
{
	struct coap_option option;
	uint64_t waited = 0;

	publish_with("a",
		&(struct published){.code = COAP_CONTENT,
			.payload = "one",
			.len = 3,
			.observe_ms = UINT64_MAX});
	send_get(&device, COAP_CON, "a", 0, NULL, -1);
	expect_notification(&request, COAP_ACK, "one");
	cr_assert(!coap_option_find(&body, COAP_OPT_MAX_AGE, &option), "60 s are not said");
	while (!bed_receive(&bed, &answer)) {
		later(500);
		waited += 500;
		cr_assert_leq(waited, 57500);
	}
	cr_assert_geq(waited, 42000);
}

Test(dp_notify, a_flapping_backend_is_no_storm)
{
	char payload[16];
	unsigned n = 0;

	registered("a", "one");
	for (unsigned i = 0; i < 600; i++) { // a minute
		snprintf(payload, sizeof(payload), "%u", i);
		publish("a", payload);
		later(100);
		while (bed_receive(&bed, &answer)) {
			cr_assert(bed_open(&device, &request, &answer));
			if (answer.msg.type == COAP_CON)
				ack(answer.msg.mid);
			n++;
		}
	}
	// Of the confirmable ones, which wait for their ACK, one may come beside three others.
	cr_assert_leq(n, (RATE_ROOM + 20) * (CONFIRM + 1) / CONFIRM + 1);
	cr_assert_geq(n, 20);
	later(20000);
	if (bed_receive(&bed, &answer))
		cr_assert(bed_open(&device, &request, &answer));
	cr_assert(!memcmp(answer.plaintext + answer.plaintext_len - 3, "599", 3), "the last one");
}

Test(dp_notify, large_ones_come_in_blocks)
{
	static char large[3000];
	struct coap_option option;
	struct coap_block block;

	memset(large, 'x', sizeof(large) - 1);
	registered("a", "one");
	publish("a", large);
	bed_turn(&bed);
	take(&device, &request);
	check_notification(NULL);
	cr_assert(coap_option_find(&body, COAP_OPT_BLOCK2, &option));
	cr_assert(coap_block_read(&block, &option));
	cr_assert(block.num == 0 && block.more);
	cr_assert_eq(body.payload_len, 1024);
	// As small as the device asked for.
	send_get(&device, COAP_CON, "a", 0, NULL, 2);
	take(&device, &request);
	check_notification(NULL);
	cr_assert(coap_option_find(&body, COAP_OPT_BLOCK2, &option));
	cr_assert(coap_block_read(&block, &option));
	cr_assert_eq(body.payload_len, 64);
}

// A later block of what was told last, with its ETag, or of what is there now.
static void expect_block(unsigned num, char byte, const char *etag)
{
	struct coap_option option;
	struct coap_block block;

	send_get(&device, COAP_CON, "a", -1, NULL, (int)(num << 4 | 6));
	cr_assert(bed_receive(&bed, &answer) && bed_open(&device, &request, &answer));
	cr_assert_eq(answer.plaintext[0], COAP_CONTENT);
	cr_assert_eq(coap_body_parse(&body, answer.plaintext + 1, answer.plaintext_len - 1), 0);
	cr_assert(coap_option_find(&body, COAP_OPT_BLOCK2, &option));
	cr_assert(coap_block_read(&block, &option) && block.num == num);
	cr_assert(body.payload_len && body.payload[0] == byte, "%c", body.payload[0]);
	cr_assert(coap_option_find(&body, COAP_OPT_ETAG, &option));
	cr_assert(option.len == 1 && *option.value == *etag, "ETag %c", *option.value);
}

static void publish_large(char byte)
{
	static char large[3000];
	const char etag[] = {byte, 0};

	memset(large, byte, sizeof(large));
	publish_with("a",
		&(struct published){.code = COAP_CONTENT,
			.payload = large,
			.len = sizeof(large),
			.etag = etag});
}

// What took its place waits for an ACK: the rest of what was told last is there until then.
Test(dp_notify, a_version_that_is_replaced_can_be_fetched_for_a_while)
{
	struct dp_rep_table *table = &dp_reps(bed.dp)->table[1];

	table->older_max = 1 << 20;
	registered("a", "one");
	until_confirmable(&request);
	ack(answer.msg.mid);
	for (unsigned i = 0; i < CONFIRM; i++) {
		later(DP_NOTIFY_LEAST_MS);
		publish_large((char)('a' + i));
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
	}
	cr_assert_eq(answer.msg.type, COAP_CON, "no ACK comes for that");
	expect_block(1, 'd', "d");
	publish_large('x');
	bed_turn(&bed);
	expect_nothing();
	expect_block(1, 'd', "d");
	expect_block(2, 'd', "d");
	// Who does not observe it gets what is there.
	send_get(&other, COAP_CON, "a", -1, NULL, 1 << 4 | 6);
	cr_assert(bed_receive(&bed, &answer) && bed_open(&other, &request, &answer));
	cr_assert_eq(answer.plaintext[answer.plaintext_len - 1], 'x');
	publish_large('y');
	bed_turn(&bed);
	expect_block(2, 'd', "d");
	dp_rep_older_turn(table, bed.w->now_ms + DP_REP_OLDER_MS);
	expect_block(2, 'y', "y");
}

// It is not fresh for requests, but it is what was told a moment ago.
Test(dp_notify, the_rest_of_what_was_told_is_there_though_it_is_not_fresh)
{
	dp_handle handle;

	registered("a", "one");
	publish_large('d');
	bed_turn(&bed);
	take(&device, &request);
	dp_rep_epoch_raise(dp_reps(bed.dp), 0);
	expect_block(1, 'd', "d");
	later(DP_REP_OLDER_MS);
	send_get(&device, COAP_CON, "a", -1, NULL, 1 << 4 | 6);
	cr_assert(bed_upstream_take(&bed, &handle), "the loop is asked");
}

Test(dp_notify, what_cannot_be_sent_now_is_sent_later)
{
	struct dp_context *ctx = &bed.w->contexts->context[device.context];
	struct rte_mbuf *mbufs[4096];

	registered("a", "one");
	unsigned n = bed_mbufs_take(&bed, mbufs, RTE_DIM(mbufs));

	publish("a", "two");
	bed_turn(&bed);
	rte_pktmbuf_free_bulk(mbufs, n);
	expect_nothing();
	later(1000);
	expect_notification(&request, COAP_NON, "two");
	uint32_t counter = ctx->own_counter;

	ctx->own_counter = DP_COUNTER_MAX + 1;
	publish("a", "three");
	bed_turn(&bed);
	expect_nothing();
	cr_assert_geq(bed_count(&bed, DP_STAT_notifications_delayed), 1);
	ctx->own_counter = counter;
	later(1000);
	expect_notification(&request, COAP_NON, "three");
}

// A device whose answers all have own Partial IVs: the last ones are for what was accepted.
Test(dp_notify, none_takes_the_number_of_an_answer)
{
	struct dp_context *ctx = &dp_contexts(bed.dp)->context[device.context];
	struct bed_request registration;
	dp_handle handle;

	ctx->flags |= DP_CONTEXT_OWN_PIV_ALWAYS;
	registered("a", "one");
	registration = request;
	send_get(&device, COAP_NON, "x", -1, NULL, -1);
	cr_assert(bed_upstream_take(&bed, &handle));
	ctx->own_counter = DP_COUNTER_MAX;
	publish("a", "two");
	bed_turn(&bed);
	expect_nothing();
	cr_expect_eq(bed_count(&bed, DP_STAT_notifications_delayed), 1);
	cr_expect_eq(bed_events_take(&bed, 0, DP_EVENT_RUN_BASE_WANTED), 1);
	bed_upstream_answer(&bed, handle, (const uint8_t[]){COAP_CHANGED}, 1);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_assert(bed_open(&device, &request, &answer));
	cr_expect_eq(answer.plaintext[0], COAP_CHANGED);
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_no_piv), 0);
	cr_assert_eq(dp_run_base_raise(bed.dp, device.context, device.generation, 1), 0);
	later(1000);
	expect_notification(&registration, COAP_NON, "two");
}

Test(dp_notify, many_observers_are_told_in_slices)
{
	static struct bed_device many[40];
	static struct bed_request asked[40 * PER_DEVICE];
	bool told[40 * PER_DEVICE] = {false};
	unsigned n = 0, count;

	bed.policy.observe_burst = 8;
	publish("a", "one");
	for (unsigned i = 0; i < 40; i++) {
		bed_device_make(&many[i], 10 + i, AEAD_AES_CCM_16_64_128);
		bed_device_add(&bed, &many[i], true);
		for (unsigned j = 0; j < PER_DEVICE; j++) {
			send_get(&many[i], COAP_CON, "a", 0, NULL, -1);
			take(&many[i], &request);
			cr_assert(answer.has_observe);
			asked[n++] = request;
		}
	}
	cr_assert_eq(observers(), 200);
	publish("a", "two");
	bed_turn_one(&bed, 0);
	for (count = 0; bed_receive(&bed, &answer); count++)
		;
	cr_assert(count && count <= 8, "%u in a turn", count);
	publish("a", "three");
	for (unsigned turn = 0; turn < 100; turn++) {
		bed_turn(&bed);
		while (bed_receive(&bed, &answer)) {
			for (unsigned i = 0; i < n; i++)
				if (!memcmp(asked[i].token, answer.msg.token, 2) &&
					bed_open(&many[i / PER_DEVICE], &asked[i], &answer) &&
					!memcmp(answer.plaintext + answer.plaintext_len - 5,
						"three", 5))
					told[i] = true;
			count++;
		}
	}
	for (unsigned i = 0; i < n; i++)
		cr_assert(told[i], "%u", i);
	cr_assert_leq(count, 200 + 16);
}

// Each takes a use of the sender key, beside the answers to requests.
Test(dp_notify, notifications_count_as_uses_of_the_key)
{
	struct dp_side *side = &bed.w->contexts->side[device.context];
	const struct dp_context *ctx = &bed.w->contexts->context[device.context];

	registered("a", "one");
	cr_assert_eq(side->own_sealed, 0, "the first one answers its request");
	publish("a", "two");
	bed_turn(&bed);
	expect_notification(&request, COAP_NON, "two");
	cr_assert_eq(side->own_sealed, 1);
	cr_assert_eq(dp_context_uses(ctx, side), ctx->window.next + 1);
	side->own_sealed = DP_LIMIT_USES / 2 - ctx->window.next - 1;
	later(DP_NOTIFY_LEAST_MS);
	publish("a", "three");
	bed_turn(&bed);
	cr_assert_eq(bed_events_take(&bed, 0, DP_EVENT_LIMIT), 0);
	publish("a", "four");
	bed_turn(&bed);
	cr_assert_eq(bed_events_take(&bed, 0, DP_EVENT_LIMIT), 1, "the half");
	side->own_sealed = DP_LIMIT_USES - ctx->window.next - 1;
	for (unsigned i = 0; i < 3; i++) {
		later(4 * DP_NOTIFY_LEAST_MS);
		publish("a", i % 2 ? "even" : "odd");
		if (i == 0)
			bed_events_fill(&bed, 0);
		bed_turn(&bed);
		// One that found a full ring is told with the next notification, and then no more.
		cr_assert_eq(bed_events_take(&bed, 0, DP_EVENT_LIMIT), i == 1, "%u", i);
		while (bed_receive(&bed, &answer))
			if (answer.msg.type == COAP_CON)
				ack(answer.msg.mid);
	}
	cr_assert_geq(dp_context_uses(ctx, side), DP_LIMIT_USES);
	cr_assert_eq(observers(), 1, "it is served on");
}

// RFC 7641 section 4.5: at least every 24 hours a confirmable one asks whether the device is still
// there, however long Max-Age is.
Test(dp_notify, a_day_without_a_change_is_asked_about)
{
	const uint64_t hour_ms = 3600000, step_ms = 10000;
	const struct published good = {.code = COAP_CONTENT,
		.payload = "one",
		.len = 3,
		.observe_ms = bed.w->now_ms + UINT32_MAX * UINT64_C(1000)};

	for (unsigned round = 0; round < 4; round++) {
		publish_with("a", &good);
		send_get(&device, COAP_CON, "a", 0, NULL, -1);
		expect_notification(&request, COAP_ACK, "one");
		for (uint64_t ms = 0; ms < 23 * hour_ms; ms += step_ms) {
			later(step_ms);
			expect_nothing();
		}
		for (uint64_t ms = 0; ms < hour_ms && rte_ring_empty(bed.tx); ms += step_ms)
			later(step_ms);
		expect_notification(&request, COAP_CON, "one");
		bed_send_empty(&bed, &bed.flow, COAP_RST, answer.msg.mid);
		bed_turn(&bed);
		cr_assert_eq(observers(), 0);
	}
}

// Nothing can ask that of one who observes what is not good any more, and is not asked for again.
Test(dp_notify, a_day_with_nothing_to_say_ends_it)
{
	const uint64_t hour_ms = 3600000, step_ms = 10000;

	registered("a", "one");
	later(FRESH_MS);
	while (bed_receive(&bed, &answer))
		;
	for (uint64_t ms = 0; ms < 23 * hour_ms; ms += step_ms) {
		later(step_ms);
		expect_nothing();
	}
	cr_assert_eq(observers(), 1);
	for (uint64_t ms = 0; ms < 2 * hour_ms && observers(); ms += step_ms)
		later(step_ms);
	expect_end(&request, COAP_SERVICE_UNAVAILABLE);
}
