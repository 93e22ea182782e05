// SPDX-License-Identifier: BSD-3-Clause
// What main asks a worker about its observations.

#include "tests/unit/dataplane/worker/observer.h"

#include <criterion/criterion.h>

TestSuite(dp_observed, .init = observer_init, .fini = observer_fini);

static const struct dp_observed_ask *ask(const struct dp_observed_question *question)
{
	const struct dp_observed_ask *found;

	cr_assert(dp_observed_ask(bed.dp, 0, question));
	cr_assert(!dp_observed_answer(bed.dp, 0));
	for (unsigned turns = 0; !(found = dp_observed_answer(bed.dp, 0)); turns++) {
		cr_assert_lt(turns, 10);
		bed_turn_one(&bed, 0);
	}
	return found;
}

static void register_too(const struct bed_device *who, const char *path, const char *token)
{
	publish(path, path);
	send_get(who, COAP_NON, path, 0, token, -1);
	while (bed_receive(&bed, &answer))
		;
}

static bool has_path(const struct dp_observed *observed, const char *last)
{
	uint8_t path[16] = {1, 's', (uint8_t)strlen(last)};

	memcpy(path + 3, last, strlen(last));
	return observed->path.len == 3 + strlen(last) && !observed->path.cut &&
		!memcmp(observed->path.bytes, path, observed->path.len);
}

Test(dp_observed, all_are_told)
{
	const struct dp_observed_ask *told;

	cr_assert(!dp_observed_ask(bed.dp, 0, &(struct dp_observed_question){.from = 1, .most = 1}),
		"nobody observes");
	registered("a", "one");
	register_too(&other, "bb", "xy");
	told = ask(&(struct dp_observed_question){.from = 1, .most = DP_OBSERVED_MAX});
	cr_assert_eq(told->count, 2);
	cr_assert_eq(told->next, 0);
	cr_expect(has_path(&told->found[0], "a"));
	cr_expect_eq(told->found[0].context, device.context);
	cr_expect(told->found[0].current && told->found[0].stored && !told->found[0].fetch);
	cr_expect(!memcmp(told->found[0].endpoint, &bed.flow, DP_ENDPOINT_LEN));
	cr_expect(has_path(&told->found[1], "bb"));
	cr_expect_eq(told->found[1].context, other.context);
}

Test(dp_observed, in_pages)
{
	const struct dp_observed_ask *told;

	registered("a", "one");
	register_too(&other, "bb", "xy");
	told = ask(&(struct dp_observed_question){.from = 1, .most = 1});
	cr_assert_eq(told->count, 1);
	cr_assert_eq(told->found[0].place, 1);
	cr_assert_eq(told->next, 2);
	told = ask(&(struct dp_observed_question){.from = 2, .most = 1});
	cr_assert_eq(told->count, 1);
	cr_expect_eq(told->found[0].context, other.context);
	told = ask(&(struct dp_observed_question){.from = 3, .most = 1});
	cr_assert_eq(told->count, 0);
	cr_assert_eq(told->next, 0);
	// A client may say any place.
	told = ask(&(struct dp_observed_question){.from = UINT32_MAX, .most = 1});
	cr_assert_eq(told->count, 0);
}

Test(dp_observed, those_of_a_device)
{
	const struct dp_observed_ask *told;
	struct dp_observed_question question = {.of_device = true,
		.from = 1,
		.most = DP_OBSERVED_MAX,
		.context = other.context,
		.generation = bed.w->contexts->context[other.context].generation};

	registered("a", "one");
	register_too(&other, "bb", "xy");
	told = ask(&question);
	cr_assert_eq(told->count, 1);
	cr_expect_eq(told->found[0].context, other.context);
	question.generation += 2;
	told = ask(&question);
	cr_assert_eq(told->count, 0, "another device had its place");
}

Test(dp_observed, a_device_hears_that_its_registration_ended)
{
	const struct bed_request *registration = &request;
	struct bed_request first;
	struct dp_observed_question question = {.cancel = true,
		.of_device = true,
		.of_path = true,
		.context = device.context,
		.generation = bed.w->contexts->context[device.context].generation,
		.path = {.len = 4, .bytes = {1, 's', 1, 'b'}}};

	registered("a", "one");
	first = *registration;
	cr_assert_eq(ask(&question)->count, 0, "not of this path");
	cr_assert_eq(observers(), 1);
	question.path.bytes[3] = 'a';
	cr_assert_eq(ask(&question)->count, 1);
	expect_end(&first, COAP_SERVICE_UNAVAILABLE);
	expect_nothing();
	cr_assert_eq(bed_count(&bed, DP_STAT_observe_ended), 1);
	cr_assert(!dp_observed_ask(bed.dp, 0, &question));
}

// However many it has, and however many were sent just now; what other devices have stays.
Test(dp_observed, all_of_a_device_end)
{
	const struct dp_observed_question question = {.cancel = true,
		.of_device = true,
		.context = device.context,
		.generation = bed.w->contexts->context[device.context].generation};
	char token[3] = "t0", payload[8];

	bed.policy.observe_burst = 4;
	bed.policy.observe_confirm = 255; // so that the rate is used up
	register_too(&other, "a", "zz");
	for (unsigned i = 0; i < PER_DEVICE; i++, token[1]++)
		register_too(&device, "a", token);
	cr_assert_eq(observers(), PER_DEVICE + 1);
	for (unsigned i = 0; i < 2 * RATE_ROOM; i++) {
		snprintf(payload, sizeof(payload), "%u", i);
		publish("a", payload);
		bed_turn(&bed);
	}
	while (bed_receive(&bed, &answer))
		;
	cr_assert_eq(ask(&question)->count, PER_DEVICE);
	cr_assert_eq(observers(), 1);
	unsigned n = 0;

	for (; bed_receive(&bed, &answer); n++)
		cr_assert_eq(answer.msg.code, COAP_CHANGED);
	cr_assert_eq(n, PER_DEVICE);
	cr_assert_eq(bed_count(&bed, DP_STAT_observe_ended), PER_DEVICE);
}

// One that cannot be told ends all the same: the device notices by Max-Age.
Test(dp_observed, without_a_partial_iv_it_ends_unheard)
{
	struct dp_context *ctx = &bed.w->contexts->context[device.context];
	const struct dp_observed_question question = {.cancel = true,
		.of_device = true,
		.context = device.context,
		.generation = ctx->generation};

	registered("a", "one");
	ctx->own_counter = DP_COUNTER_MAX + 1;
	cr_assert_eq(ask(&question)->count, 1);
	expect_nothing();
	cr_assert_eq(observers(), 0);
}
