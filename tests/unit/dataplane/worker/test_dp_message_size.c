// SPDX-License-Identifier: BSD-3-Clause
// No answer is larger than its device takes: 1152 bytes of message and 1024 of payload if nothing
// else is said (RFC 7252 section 4.6).

#include "tests/unit/dataplane/worker/dp_bed.h"

#include <criterion/criterion.h>
#include <errno.h>

static struct bed bed;
static struct bed_device device;
static struct bed_request request;
static struct bed_answer answer;
static dp_handle handle;

static void init(void)
{
	bed_make(&bed);
	bed_stop_clock(&bed);
	bed_device_make(&device, 2, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
	dp_run_grant(bed.dp, DP_RUN_MAX);
}

static void fini(void)
{
	bed_free(&bed);
}

TestSuite(dp_message_size, .init = init, .fini = fini);

static struct dp_context *context(void)
{
	return &dp_contexts(bed.dp)->context[device.context];
}

// Of a device that says nothing else the policy says it, and if that does not, RFC 7252
// section 4.6.
static uint16_t most(void)
{
	uint16_t own = context()->max_message, all = bed.policy.max_message;

	return own ? own : all ? all : 1152;
}

static void expect_answer(uint8_t code)
{
	cr_assert(bed_receive(&bed, &answer));
	cr_assert(bed_open(&device, &request, &answer));
	cr_expect_eq(answer.plaintext[0], code);
	cr_expect_leq(answer.len, most(), "%u bytes", answer.len);
}

static struct dp_shared *ask(uint64_t piv)
{
	bed_seal_path(&device, &request, COAP_CON, piv, piv, COAP_GET, "up/x", NULL);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	struct dp_shared *shared = bed_upstream_take(&bed, &handle);

	cr_assert_not_null(shared);
	return shared;
}

static void backend_answers(size_t len)
{
	static uint8_t plaintext[2048] = {COAP_CONTENT, COAP_PAYLOAD_MARK, 'x'};

	cr_assert_leq(len, sizeof(plaintext));
	bed_upstream_answer(&bed, handle, plaintext, len);
	bed_turn(&bed);
}

Test(dp_message_size, what_a_loop_may_answer_fits_the_device)
{
	static const struct {
		uint16_t of_all, max_message, payload_max, least_room;
	} cases[] = {{0, 0, 1024, 1100}, {0, 1038, 922, 1000}, {0, 128, 113, 90},
		{0, 9216, 8192, 1400}, {1152, 0, 1024, 1100}, {300, 0, 266, 260},
		{9216, 0, 8192, 1400}, {300, 1038, 922, 1000}, {9216, 128, 113, 90}};
	uint64_t piv = 0;

	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		bed.policy.max_message = cases[i].of_all;
		context()->max_message = cases[i].max_message;
		for (unsigned own = 0; own < 2; own++) {
			context()->flags = own ? DP_CONTEXT_OWN_PIV_ALWAYS : 0;
			const struct dp_request *r = &ask(++piv)->request;
			uint16_t room = r->response_max;

			cr_expect_eq(r->payload_max, cases[i].payload_max);
			cr_expect_geq(room, cases[i].least_room);
			cr_expect_leq(room, 1472, "the link's MTU is a limit, too");
			backend_answers(room);
			expect_answer(COAP_CONTENT);
			cr_expect_eq(answer.plaintext_len, room);
			cr_expect_eq(answer.has_piv, own == 1);
			ask(++piv);
			backend_answers(room + 1);
			expect_answer(COAP_INTERNAL_SERVER_ERROR);
		}
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_oversize), 2 * RTE_DIM(cases));
}

static void echo(uint8_t code, size_t len, uint64_t piv)
{
	char payload[1400];

	memset(payload, 'x', len);
	payload[len] = 0;
	bed_seal_path(&device, &request, COAP_CON, piv, piv, code, "echo", payload);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

// A device may send more than it takes.
Test(dp_message_size, echo_of_a_larger_request_is_no_larger_than_the_device_takes)
{
	uint64_t piv = 0;

	for (unsigned own = 0; own < 2; own++) {
		context()->flags = own ? DP_CONTEXT_OWN_PIV_ALWAYS : 0;
		echo(COAP_POST, 1024, ++piv);
		expect_answer(COAP_CHANGED);
		cr_expect_eq(answer.plaintext_len, 1024 + 2);
		echo(COAP_POST, 1025, ++piv);
		expect_answer(COAP_CHANGED);
		cr_expect_eq(answer.plaintext_len, 1, "what was asked is done");
		echo(COAP_FETCH, 1025, ++piv);
		expect_answer(COAP_INTERNAL_SERVER_ERROR);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_oversize), 4);
	// A small device, whose message is full before its payload is.
	context()->max_message = 64;
	echo(COAP_POST, 56, ++piv);
	expect_answer(COAP_CHANGED);
	cr_expect_eq(answer.plaintext_len, 1);
}

// Our own words are left out before the code is.
Test(dp_message_size, diagnostics_are_left_out_for_small_devices)
{
	static const uint8_t proxy[] = {COAP_GET, 0xd1, COAP_OPT_PROXY_SCHEME - 13, 'x'};

	context()->max_message = DP_MESSAGE_MIN;
	context()->flags = DP_CONTEXT_OWN_PIV_ALWAYS;
	bed_seal(&device, &request, COAP_CON, 1, 1, proxy, sizeof(proxy));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_answer(COAP_PROXYING_NOT_SUPPORTED);
	ask(2);
	backend_answers(200);
	expect_answer(COAP_INTERNAL_SERVER_ERROR);
}

static void limits(uint32_t generation, uint16_t max_message, uint8_t max_in_flight, int expected)
{
	const struct dp_context_limits limits = {
		.max_message = max_message, .max_in_flight = max_in_flight};

	cr_expect_eq(dp_context_limit(dp_contexts(bed.dp), device.context, generation, &limits),
		expected);
}

static struct dp_shared *post(uint64_t piv)
{
	bed_seal_path(&device, &request, COAP_CON, piv, piv, COAP_POST, "up/x", NULL);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	return bed_upstream_take(&bed, &handle);
}

Test(dp_message_size, limits_of_a_live_device_change_and_nothing_else)
{
	ask(1);
	backend_answers(1000);
	expect_answer(COAP_CONTENT);
	const struct dp_context before = *context();

	limits(device.generation + 2, 128, 1, -ENOENT);
	limits(device.generation, 128, 1, 0);
	struct dp_context after = *context();

	cr_expect_eq(after.max_message, 128);
	cr_expect_eq(after.max_in_flight, 1);
	after.max_message = before.max_message;
	after.max_in_flight = before.max_in_flight;
	cr_expect_arr_eq((uint8_t *)&after, (const uint8_t *)&before, sizeof(after));
	cr_expect_eq(ask(2)->request.payload_max, 113);
	cr_expect_null(post(3), "one is under way");
	expect_answer(COAP_TOO_MANY_REQUESTS);
	limits(device.generation, 0, 0, 0);
	cr_expect_eq(ask(4)->request.payload_max, 1024);
}

// The loop was told of the room there was when the device asked.
Test(dp_message_size, answers_under_way_fit_a_limit_that_became_smaller)
{
	ask(1);
	limits(device.generation, 128, 0, 0);
	backend_answers(1000);
	expect_answer(COAP_INTERNAL_SERVER_ERROR);
	limits(device.generation, 0, 0, 0);
	cr_assert_not_null(post(2));
	limits(device.generation, 128, 0, 0);
	backend_answers(1000);
	expect_answer(COAP_CONTENT);
	cr_expect_eq(answer.plaintext_len, 1, "what was asked is done");
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_oversize), 2);
}

// A device whose messages hold no challenge could never answer one.
Test(dp_message_size, a_challenge_is_never_shortened)
{
	struct bed_device other;
	struct coap_option echo;
	struct coap_body body;

	bed_device_make(&other, 3, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &other, false);
	dp_contexts(bed.dp)->context[other.context].max_message = 40;
	bed_seal_path(&other, &request, COAP_CON, 1, 1, COAP_POST, "echo", "x");
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_assert_gt(answer.len, 40);
	cr_assert(bed_open(&other, &request, &answer));
	cr_expect_eq(answer.plaintext[0], COAP_UNAUTHORIZED);
	cr_assert_eq(
		coap_body_parse(&body, answer.plaintext + 1, answer.plaintext_len - 1), COAP_OK);
	cr_expect(coap_option_find(&body, COAP_OPT_ECHO, &echo));
}
