// SPDX-License-Identifier: BSD-3-Clause
// Observers: how they register, and what ends it (RFC 7641 sections 3.6, 4.1 and 4.2, RFC 8613
// section 4.1.3.5).

#include "dataplane/owners.h"
#include "tests/unit/dataplane/worker/observer.h"

#include <criterion/criterion.h>

TestSuite(dp_observe, .init = observer_init, .fini = observer_fini);

// What is not stored yet comes from the loop, which publishes it before it answers.
Test(dp_observe, registers_when_the_answer_is_there)
{
	static const uint8_t content[] = {COAP_CONTENT, 0xff, 'x'};
	dp_handle handle;

	for (unsigned round = 0; round < 2; round++) {
		const char *path = round ? "slow" : "a";

		send_get(&device, COAP_CON, path, 0, NULL, -1);
		cr_assert(bed_upstream_take(&bed, &handle));
		cr_assert_eq(observers(), round);
		if (round) { // past the empty ACK
			later(DP_ACK_AFTER(DP_ACK_TIMEOUT_MS) + 50);
			cr_assert(bed_receive(&bed, &answer));
			cr_assert_eq(answer.msg.code, COAP_EMPTY);
		}
		publish(path, "one");
		bed_upstream_answer(&bed, handle, content, sizeof(content));
		bed_turn(&bed);
		expect_notification(&request, round ? COAP_CON : COAP_ACK, "one");
		cr_assert_eq(observers(), round + 1);
		if (round)
			ack(answer.msg.mid);
		publish(path, "two");
		bed_turn(&bed);
		expect_notification(&request, COAP_NON, "two");
	}
}

// The answer that came separately is rejected, or never acknowledged.
Test(dp_observe, a_separate_first_answer_that_is_not_wanted_ends_it)
{
	static const uint8_t content[] = {COAP_CONTENT, 0xff, 'x'};
	dp_handle handle;

	for (unsigned round = 0; round < 2; round++) {
		send_get(&device, COAP_CON, "a", 0, NULL, -1);
		cr_assert(bed_upstream_take(&bed, &handle));
		later(DP_ACK_AFTER(DP_ACK_TIMEOUT_MS) + 50);
		cr_assert(bed_receive(&bed, &answer));
		publish_with("a",
			&(struct published){.code = COAP_CONTENT,
				.payload = "one",
				.len = 3,
				.observe_ms = UINT64_MAX});
		bed_upstream_answer(&bed, handle, content, sizeof(content));
		bed_turn(&bed);
		expect_notification(&request, COAP_CON, "one");
		cr_assert_eq(observers(), 1);
		if (!round) {
			bed_send_empty(&bed, &bed.flow, COAP_RST, answer.msg.mid);
			bed_turn(&bed);
		} else {
			for (unsigned i = 0; i < 200 && observers(); i++)
				later(1000);
		}
		cr_assert_eq(observers(), 0);
		while (bed_receive(&bed, &answer))
			;
		dp_rep_epoch_raise(dp_reps(bed.dp), 0);
	}
}

Test(dp_observe, what_cannot_be_observed_gets_a_plain_answer)
{
	static const uint8_t content[] = {COAP_CONTENT, 0xff, 'x'};
	dp_handle handle;

	// The loop published nothing.
	send_get(&device, COAP_CON, "a", 0, NULL, -1);
	cr_assert(bed_upstream_take(&bed, &handle));
	bed_upstream_answer(&bed, handle, content, sizeof(content));
	bed_turn(&bed);
	expect_plain(COAP_CONTENT);
	// An error.
	publish_with("a", &(struct published){.code = COAP_NOT_FOUND, .payload = "", .len = 0});
	send_get(&device, COAP_CON, "a", 0, NULL, -1);
	expect_plain(COAP_NOT_FOUND);
	// Not of a route that allows it.
	routes[0].observe = false;
	publish("a", "one");
	send_get(&device, COAP_CON, "a", 0, NULL, -1);
	expect_plain(COAP_CONTENT);
	routes[0].observe = true;
	// Without an own Partial IV.
	bed.w->contexts->context[device.context].own_counter = DP_COUNTER_MAX + 1;
	send_get(&device, COAP_CON, "a", 0, NULL, -1);
	expect_plain(COAP_CONTENT);
	cr_expect(!answer.has_piv);
	cr_assert_eq(observers(), 0);
	cr_expect_eq(bed_count(&bed, DP_STAT_observe_refused), 1);
}

// No Max-Age could be told of it: the loop has it validated, and it is registered then.
Test(dp_observe, what_ends_within_a_second_is_asked_for)
{
	static const uint8_t content[] = {COAP_CONTENT, 0xff, 'x'};
	struct published ends = {.code = COAP_CONTENT,
		.payload = "one",
		.len = 3,
		.observe_ms = bed.w->now_ms + 999};
	dp_handle handle;

	publish_with("a", &ends);
	send_get(&device, COAP_CON, "a", 0, NULL, -1);
	cr_assert(bed_upstream_take(&bed, &handle));
	cr_assert_eq(observers(), 0);
	ends.observe_ms = bed.w->now_ms + 5000;
	publish_with("a", &ends);
	bed_upstream_answer(&bed, handle, content, sizeof(content));
	bed_turn(&bed);
	expect_notification(&request, COAP_ACK, "one");
	cr_assert_eq(observers(), 1);
	// Who only asks gets what is there.
	ends.observe_ms = bed.w->now_ms + 999;
	publish_with("b", &ends);
	send_get(&device, COAP_CON, "b", -1, NULL, -1);
	expect_plain(COAP_CONTENT);
	cr_assert(!bed_upstream_take(&bed, &handle));
}

// Its later blocks are a loop's.
Test(dp_observe, a_fetch_in_blocks_is_not_observed)
{
	static const uint8_t content[] = {COAP_CONTENT, 0xff, 'x'};
	static char large[3000];
	dp_handle handle;

	memset(large, 'x', sizeof(large));
	observer_code = COAP_FETCH;
	registered("a", "one");
	cr_assert_eq(observers(), 1);
	publish_with("a",
		&(struct published){.code = COAP_CONTENT, .payload = large, .len = sizeof(large)});
	bed_turn(&bed);
	expect_end(&request, COAP_INTERNAL_SERVER_ERROR);
	send_get(&device, COAP_CON, "a", 0, NULL, -1);
	cr_assert(bed_upstream_take(&bed, &handle), "a loop answers it");
	bed_upstream_answer(&bed, handle, content, sizeof(content));
	bed_turn(&bed);
	expect_plain(COAP_CONTENT);
	cr_assert_eq(observers(), 0);
}

Test(dp_observe, each_device_has_its_share)
{
	publish("a", "one");
	for (unsigned i = 0; i < PER_DEVICE + 2; i++) {
		send_get(&device, COAP_CON, "a", 0, NULL, -1);
		take(&device, &request);
		cr_assert_eq(answer.has_observe, i < PER_DEVICE, "%u", i);
	}
	cr_assert_eq(observers(), PER_DEVICE);
	send_get(&other, COAP_CON, "a", 0, NULL, -1);
	take(&other, &request);
	cr_assert(answer.has_observe, "and no more than that");
}

// Changes the resource until a confirmable notification came, which is in `answer`.
// RFC 7641 section 4.5.2: while one waits for its ACK nothing is sent, and then the newest is. A
// try after a time-out is of the newest, too, under numbers of its own.
// RFC 7252 section 4.7, NSTART: one confirmable notification to an endpoint at a time.
// RFC 7641 section 3.6: of a NON too, and of the one before.
Test(dp_observe, a_reset_ends_it)
{
	uint16_t before;

	for (unsigned what = 0; what < 4; what++) {
		registered("a", what % 2 ? "one" : "zero");
		last_piv = 0;
		publish("a", "two");
		bed_turn(&bed);
		take(&device, &request);
		before = answer.msg.mid;
		publish("a", "three");
		bed_turn(&bed);
		take(&device, &request);
		if (what == 3) { // an older one is not known any more
			publish("a", "four");
			bed_turn(&bed);
			take(&device, &request);
		}
		struct dp_flow flow = bed.flow;

		flow.remote_port++;
		bed_send_empty(&bed, &flow, COAP_RST, answer.msg.mid);
		bed_turn(&bed);
		cr_assert_eq(observers(), 1, "of another endpoint");
		bed_send_empty(&bed, &bed.flow, COAP_RST, what ? before : answer.msg.mid);
		bed_turn(&bed);
		cr_assert_eq(observers(), what == 3);
		last_piv = 0;
		later(60000);
		while (bed_receive(&bed, &answer))
			;
	}
}

Test(dp_observe, the_device_takes_it_back)
{
	char token[3] = {0};

	registered("a", "one");
	memcpy(token, request.token, 2);
	// Under another token it is another registration, and none.
	send_get(&device, COAP_CON, "a", 1, "zz", -1);
	expect_plain(COAP_CONTENT);
	cr_assert_eq(observers(), 1);
	// A request without Observe takes nothing back (RFC 7641 section 4.1).
	send_get(&device, COAP_CON, "a", -1, token, -1);
	expect_plain(COAP_CONTENT);
	cr_assert_eq(observers(), 1);
	send_get(&device, COAP_CON, "a", 1, token, -1);
	expect_plain(COAP_CONTENT);
	cr_assert_eq(observers(), 0);
	publish("a", "two");
	bed_turn(&bed);
	expect_nothing();
}

// RFC 7641 section 4.1: renewed in its place, or replaced if it is for something else.
Test(dp_observe, registering_again_takes_the_place_of_it)
{
	struct bed_request first;
	char token[3] = {0};
	uint16_t before;

	registered("a", "one");
	first = request;
	memcpy(token, request.token, 2);
	publish("a", "two");
	bed_turn(&bed);
	expect_notification(&request, COAP_NON, "two");
	before = answer.msg.mid;
	send_get(&device, COAP_CON, "a", 0, token, -1);
	expect_notification(&request, COAP_ACK, "two");
	cr_assert_eq(observers(), 1);
	bed_send_empty(&bed, &bed.flow, COAP_RST, before);
	bed_turn(&bed);
	cr_assert_eq(observers(), 1, "that was of the registration before");
	publish("a", "three");
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_assert(!bed_open(&device, &first, &answer), "it is bound to the new one");
	cr_assert(bed_open(&device, &request, &answer));
	publish("b", "other");
	send_get(&device, COAP_CON, "b", 0, token, -1);
	take(&device, &request);
	cr_assert_eq(observers(), 1);
	publish("a", "four");
	bed_turn(&bed);
	expect_nothing();
	publish("b", "others");
	bed_turn(&bed);
	take(&device, &request);
	check_notification("others");
}

// A backend that answers the older of two registrations last does not undo the newer one.
Test(dp_observe, an_older_registration_that_comes_later_is_none)
{
	static const uint8_t content[] = {COAP_CONTENT, 0xff, 'x'};
	struct bed_request older, newer;
	char token[3] = {0};
	dp_handle handle;

	send_get(&device, COAP_CON, "a", 0, NULL, -1);
	cr_assert(bed_upstream_take(&bed, &handle));
	older = request;
	memcpy(token, request.token, 2);
	publish("a", "one");
	publish("b", "other");
	for (unsigned round = 0; round < 2; round++) {
		send_get(&device, COAP_CON, round ? "b" : "a", 0, token, -1);
		newer = request;
		expect_notification(&newer, COAP_ACK, round ? "other" : "one");
	}
	bed_upstream_answer(&bed, handle, content, sizeof(content));
	bed_turn(&bed);
	request = older;
	expect_plain(COAP_CONTENT);
	cr_assert_eq(observers(), 1);
	publish("b", "others");
	bed_turn(&bed);
	take(&device, &newer);
	check_notification("others");
}

Test(dp_observe, an_error_ends_it)
{
	struct coap_option option;
	uint32_t age = 0;

	registered("a", "one");
	publish_with("a",
		&(struct published){.code = COAP_NOT_FOUND,
			.format = DP_REP_NO_FORMAT,
			.payload = "Gone",
			.len = 4});
	bed_turn(&bed);
	expect_end(&request, COAP_NOT_FOUND);
	cr_assert_eq(body.payload_len, 4);
	cr_assert(!memcmp(body.payload, "Gone", 4));
	cr_assert(coap_option_find(&body, COAP_OPT_MAX_AGE, &option));
	cr_assert(coap_option_uint(&option, &age) && age == FRESH_MS / 1000);
	publish("a", "two");
	bed_turn(&bed);
	expect_nothing();
	cr_assert_eq(bed_count(&bed, DP_STAT_observe_ended), 1);
}

// RFC 7641 section 4.2.
Test(dp_observe, another_format_ends_it)
{
	registered("a", "one");
	publish_with("a",
		&(struct published){.code = COAP_CONTENT, .format = 50, .payload = "{}", .len = 2});
	bed_turn(&bed);
	expect_end(&request, COAP_NOT_ACCEPTABLE);
}

// What is empty has no format.
Test(dp_observe, nothing_at_all_does_not_end_it)
{
	registered("a", "one");
	publish_with("a",
		&(struct published){
			.code = COAP_CONTENT, .format = DP_REP_NO_FORMAT, .payload = "", .len = 0});
	bed_turn(&bed);
	expect_notification(&request, COAP_NON, "");
	publish("a", "two");
	bed_turn(&bed);
	expect_notification(&request, COAP_NON, "two");
	publish_with("a",
		&(struct published){.code = COAP_CONTENT,
			.format = DP_REP_NO_FORMAT,
			.payload = "x",
			.len = 1});
	bed_turn(&bed);
	expect_end(&request, COAP_NOT_ACCEPTABLE);
}

// What begins with nothing at all stays in the format that comes first.
Test(dp_observe, nothing_at_all_begins_in_any_format)
{
	publish_with("a",
		&(struct published){
			.code = COAP_CONTENT, .format = DP_REP_NO_FORMAT, .payload = "", .len = 0});
	send_get(&device, COAP_CON, "a", 0, NULL, -1);
	expect_notification(&request, COAP_ACK, "");
	publish_with("a",
		&(struct published){.code = COAP_CONTENT, .format = 50, .payload = "{}", .len = 2});
	bed_turn(&bed);
	expect_notification(&request, COAP_NON, "{}");
	publish("a", "text");
	bed_turn(&bed);
	expect_end(&request, COAP_NOT_ACCEPTABLE);
}

// It overtakes its registration, which the backend is slow to answer.
Test(dp_observe, the_device_takes_it_back_before_it_stands)
{
	static const uint8_t content[] = {COAP_CONTENT};
	struct bed_request first, others;
	dp_handle handle[3];
	char token[3] = {0};

	send_get(&device, COAP_CON, "a", 0, NULL, -1);
	first = request;
	memcpy(token, request.token, 2);
	send_get(&device, COAP_CON, "a", 0, NULL, -1);
	others = request;
	send_get(&device, COAP_CON, "a", 1, token, -1);
	for (unsigned i = 0; i < 3; i++)
		cr_assert(bed_upstream_take(&bed, &handle[i]));
	publish("a", "one");
	for (unsigned i = 0; i < 3; i++)
		bed_upstream_answer(&bed, handle[i], content, sizeof(content));
	bed_turn(&bed);
	cr_assert_eq(observers(), 1, "the one that was not taken back");
	cr_assert(bed_receive(&bed, &answer));
	cr_assert(bed_open(&device, &first, &answer));
	cr_assert_not(answer.has_observe);
	take(&device, &others);
	cr_assert(answer.has_observe);
	cr_assert_eq(bed_count(&bed, DP_STAT_observe_cancelled), 1);
	while (bed_receive(&bed, &answer))
		;
}

// What does not change is told again before Max-Age ends, as the loop has validated it meanwhile.
// What is pushed is good until it is replaced: Max-Age as configured.
// RFC 7641 section 4.5.1.
// A representation that is larger than a datagram: its first block (RFC 7959 section 2.6).
// After a reload: routes that are gone, or have no `observe` any more.
Test(dp_observe, a_route_that_is_gone_ends_it)
{
	registered("a", "one");
	bed.policy.number++;
	bed_turn(&bed);
	expect_nothing();
	cr_assert_eq(observers(), 1, "the route is still there");
	publish("a", "two");
	bed_turn(&bed);
	expect_notification(&request, COAP_NON, "two");
	routes[0].cache_id++;
	bed.policy.number++;
	bed_turn(&bed);
	expect_end(&request, COAP_NOT_FOUND);
}

// The loop hears of the reload first, takes out what is stored, and the device is due meanwhile.
Test(dp_observe, a_route_that_is_gone_ends_it_though_nothing_is_stored)
{
	registered("a", "one");
	take_out();
	later(FRESH_MS);
	expect_nothing();
	cr_assert_eq(observers(), 1);
	routes[0].cache_id++;
	bed.policy.number++;
	bed_turn(&bed);
	expect_end(&request, COAP_NOT_FOUND);
}

// A purge: nothing is gone but what was stored.
Test(dp_observe, what_is_not_stored_again_ends_it)
{
	registered("a", "one");
	take_out();
	later(FRESH_MS);
	expect_nothing();
	later(10000);
	expect_end(&request, COAP_SERVICE_UNAVAILABLE);
}

Test(dp_observe, a_policy_that_forbids_it_ends_it)
{
	static const struct dp_route_index *permits[3];
	struct dp_route_index *plain = dp_route_index_create(&routes[1], 1);
	struct dp_route_index *all = dp_route_index_create(routes, 2);

	permits[1] = all;
	permits[2] = plain;
	bed.policy.permit = permits;
	bed.policy.permit_count = 3;
	bed.w->contexts->context[device.context].permit = 1;
	registered("a", "one");
	bed.policy.number++;
	bed_turn(&bed);
	expect_nothing();
	bed.w->contexts->context[device.context].permit = 2;
	publish("a", "two");
	bed_turn(&bed);
	expect_end(&request, COAP_FORBIDDEN);
	dp_route_index_free(plain);
	dp_route_index_free(all);
}

// It was allowed when the request came, and not any more when its answer is there.
Test(dp_observe, a_policy_that_forbids_it_meanwhile_ends_it)
{
	static const uint8_t content[] = {COAP_CONTENT, 0xff, 'x'};
	static const struct dp_route_index *permits[3];
	struct dp_route_index *plain = dp_route_index_create(&routes[1], 1);
	struct dp_route_index *all = dp_route_index_create(routes, 2);
	dp_handle handle;

	permits[1] = all;
	permits[2] = plain;
	bed.policy.permit = permits;
	bed.policy.permit_count = 3;
	bed.w->contexts->context[device.context].permit = 1;
	send_get(&device, COAP_CON, "a", 0, NULL, -1);
	cr_assert(bed_upstream_take(&bed, &handle));
	bed.w->contexts->context[device.context].permit = 2;
	publish("a", "one");
	bed_upstream_answer(&bed, handle, content, sizeof(content));
	bed_turn(&bed);
	expect_notification(&request, COAP_ACK, "one");
	publish("a", "two");
	bed_turn(&bed);
	expect_end(&request, COAP_FORBIDDEN);
	dp_route_index_free(plain);
	dp_route_index_free(all);
}

Test(dp_observe, a_device_that_is_gone_takes_its_observers_with_it)
{
	struct dp_context_key key;

	registered("a", "one");
	send_get(&device, COAP_CON, "a", 0, NULL, -1);
	take(&device, &request);
	cr_assert_eq(observers(), 2);
	bed_device_name(&bed, &device, &key);
	cr_assert_eq(dp_device_remove(bed.dp, &key), 0);
	bed_turn(&bed);
	cr_assert_eq(observers(), 0);
	publish("a", "two");
	bed_turn(&bed);
	expect_nothing();
}

// Nothing is lost for want of a packet buffer, or of an own Partial IV.
// More than a slice, and all of them hear of it; whatever else changes meanwhile.
// A change that is published between the look-up and the registration is told.
Test(dp_observe, stays_with_its_worker)
{
	registered("a", "one");
	cr_assert(dp_observers_has(bed.w, device.context, device.generation));
	cr_assert(!dp_observers_has(bed.w, other.context, other.generation));
}

// Its timer goes off in the turn in which its slot changes.
Test(dp_observe, an_error_ends_it_once)
{
	registered("a", "one");
	dp_observation_wake(bed.w->observations, 1, bed.w->now_ms);
	bed_later(&bed, 4 * DP_OBSERVATION_TICK_MS);
	publish_with("a", &(struct published){.code = COAP_NOT_FOUND, .payload = ""});
	bed_turn(&bed);
	expect_end(&request, COAP_NOT_FOUND);
	expect_nothing();
	cr_assert_eq(bed_count(&bed, DP_STAT_observe_ended), 1);
}
