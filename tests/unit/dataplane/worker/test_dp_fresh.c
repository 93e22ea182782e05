// SPDX-License-Identifier: BSD-3-Clause
// Freshness on demand: a route, or its backend, asks a device for an Echo (RFC 9175 section 2.3).

#include "dataplane/worker/fresh.h"
#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/outer.h"

#include <criterion/criterion.h>

#define FRESH_MS 10000

static const struct dp_segment segments[] = {{"now", 3}, {"tell", 4}, {"any", 3}};

#define FRESH_ROUTE(n, ...)                                                                     \
	{                                                                                       \
		.segments = &segments[n], .segment_count = 1, .methods = 0xfe, .slot = (n) + 1, \
		__VA_ARGS__                                                                     \
	}

// An actuator, a builtin, and a route whose backend decides.
static const struct dp_route routes[] = {
	FRESH_ROUTE(0, .target = DP_TARGET_UPSTREAM, .timeout_ms = 60000, .fresh_ms = FRESH_MS),
	FRESH_ROUTE(1, .target = DP_TARGET_ECHO, .fresh_ms = FRESH_MS),
	FRESH_ROUTE(2, .target = DP_TARGET_UPSTREAM, .timeout_ms = 60000),
};
static struct dp_route_index *routes_index;
static uint16_t mid;
static uint64_t piv;

static void setup(void)
{
	one_device_init();
	routes_index = dp_route_index_create(routes, RTE_DIM(routes));
	bed.policy.routes = routes;
	bed.policy.route_count = RTE_DIM(routes);
	bed.policy.index = routes_index;
	bed_device_add(&bed, &device, true);
	mid = 1;
	piv = 1;
}

static void teardown(void)
{
	one_device_fini();
	dp_route_index_free(routes_index);
}

TestSuite(dp_fresh, .init = setup, .fini = teardown);

// Options of a request beside its path, in their order.
struct asked {
	const char *path;
	const uint8_t *echo; // NULL: none
	uint8_t echo_len;
	uint16_t block; // number of a Block option; 0: none
	uint8_t block_value;
	bool later_too; // Block2 with a number, beside a Block1
	bool no_response;
};

static void ask_as(enum coap_type type, const struct asked *asked)
{
	uint8_t plaintext[128];
	struct coap_writer writer;

	coap_writer_init(&writer, plaintext, sizeof(plaintext));
	coap_write_code(&writer, asked->block == COAP_OPT_BLOCK2 ? COAP_GET : COAP_PUT);
	coap_write_option(&writer, COAP_OPT_URI_PATH, asked->path, strlen(asked->path));
	if (asked->later_too)
		coap_write_option(&writer, COAP_OPT_BLOCK2, &(const uint8_t){0x10}, 1);
	if (asked->block)
		coap_write_option(&writer, asked->block, &asked->block_value, 1);
	if (asked->echo)
		coap_write_option(&writer, COAP_OPT_ECHO, asked->echo, asked->echo_len);
	if (asked->no_response)
		coap_write_option_uint(&writer, COAP_OPT_NO_RESPONSE, 26);
	if (asked->block != COAP_OPT_BLOCK2)
		coap_write_payload(&writer, "0123456789abcdef", 16);
	bed_seal(&device, &request, type, mid++, piv++, plaintext, coap_writer_len(&writer));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

static void ask(const char *path, const uint8_t *echo)
{
	const struct asked asked = {.path = path, .echo = echo, .echo_len = DP_ECHO_LEN};

	ask_as(COAP_CON, &asked);
}

// Takes a challenge, which has nothing but an Echo, and keeps its value.
static void expect_challenge(uint8_t value[DP_ECHO_LEN])
{
	struct coap_option_iter iter;
	struct coap_option option;
	struct coap_body body;

	expect_answer(COAP_UNAUTHORIZED);
	cr_expect_not(answer.has_piv, "the one answer under the request's nonce");
	cr_assert_eq(
		coap_body_parse(&body, answer.plaintext + 1, answer.plaintext_len - 1), COAP_OK);
	cr_expect_null(body.payload);
	coap_option_iter_init(&iter, &body);
	cr_assert(coap_option_next(&iter, &option));
	cr_assert_eq(option.number, COAP_OPT_ECHO);
	cr_assert_eq(option.len, DP_ECHO_LEN);
	if (value)
		memcpy(value, option.value, DP_ECHO_LEN);
	cr_expect_not(coap_option_next(&iter, &option), "one Echo and nothing else");
}

// Takes the request that must be at the upstream loop, and answers it.
static void expect_performed(uint32_t echo_age)
{
	static const uint8_t done[] = {COAP_CHANGED};
	dp_handle handle;
	struct dp_shared *shared = bed_upstream_take(&bed, &handle);

	cr_assert_not_null(shared, "not performed");
	cr_expect_eq(shared->request.echo_age, echo_age, "%u", shared->request.echo_age);
	bed_upstream_answer(&bed, handle, done, sizeof(done));
	bed_turn(&bed);
	expect_answer(COAP_CHANGED);
}

static void expect_not_performed(void)
{
	dp_handle handle;

	cr_expect_null(bed_upstream_take(&bed, &handle), "performed");
}

Test(dp_fresh, without_an_echo_nothing_is_performed)
{
	uint8_t echo[DP_ECHO_LEN];

	ask("now", NULL);
	expect_challenge(echo);
	expect_not_performed();
	ask("now", echo);
	expect_performed(1);
	ask("tell", NULL);
	expect_challenge(NULL);
	ask("tell", echo);
	expect_answer(COAP_CHANGED);
	cr_expect_eq(answer.plaintext_len, 2 + 16);
	cr_expect_eq(bed_count(&bed, DP_STAT_fresh_challenges), 2);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 4, "all were accepted");
	ask_as(COAP_NON, &(struct asked){.path = "now"});
	expect_challenge(NULL);
	cr_expect_eq(answer.msg.type, COAP_NON);
	expect_not_performed();
}

Test(dp_fresh, an_echo_is_good_until_it_is_too_old)
{
	uint8_t echo[DP_ECHO_LEN];

	ask("now", NULL);
	expect_challenge(echo);
	bed_later(&bed, FRESH_MS - 1000);
	ask("now", echo);
	expect_performed(FRESH_MS / 1000);
	bed_later(&bed, 1000);
	ask("now", echo);
	expect_performed(FRESH_MS / 1000 + 1);
	bed_later(&bed, 1);
	ask("now", echo);
	expect_challenge(echo);
	expect_not_performed();
	ask("now", echo);
	expect_performed(1);
}

// Who holds back a request with its Echo delivers it too late.
Test(dp_fresh, a_request_that_was_held_back)
{
	uint8_t echo[DP_ECHO_LEN];
	struct bed_request held;

	ask("now", NULL);
	expect_challenge(echo);
	const struct asked asked = {.path = "now", .echo = echo, .echo_len = DP_ECHO_LEN};
	uint8_t plaintext[64];
	struct coap_writer writer;

	coap_writer_init(&writer, plaintext, sizeof(plaintext));
	coap_write_code(&writer, COAP_PUT);
	coap_write_option(&writer, COAP_OPT_URI_PATH, asked.path, strlen(asked.path));
	coap_write_option(&writer, COAP_OPT_ECHO, asked.echo, asked.echo_len);
	bed_seal(&device, &held, COAP_CON, 77, piv++, plaintext, coap_writer_len(&writer));
	bed_later(&bed, FRESH_MS + 1);
	request = held;
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_challenge(NULL);
	expect_not_performed();
}

Test(dp_fresh, only_a_value_that_was_made_for_it_counts)
{
	const uint64_t now = bed_now_ms(&bed);
	const uint64_t phase = dp_contexts(bed.dp)->side[device.context].unknown_phases;
	const struct {
		uint32_t context, generation;
		uint64_t phase, then;
		uint8_t len;
		bool fresh;
	} cases[] = {
		{0, 0, DP_ECHO_FRESH, now, DP_ECHO_LEN, true},
		{1, 0, DP_ECHO_FRESH, now, DP_ECHO_LEN, false},
		{0, 2, DP_ECHO_FRESH, now, DP_ECHO_LEN, false},
		{0, 0, UINT64_C(1) << 63, now, DP_ECHO_LEN, false},
		{0, 0, phase + 1, now, DP_ECHO_LEN, false},
		{0, 0, phase, now, DP_ECHO_LEN, true}, // that which opened the window
		{0, 0, phase, now - FRESH_MS - 1, DP_ECHO_LEN, false},
		{0, 0, DP_ECHO_FRESH, now - FRESH_MS - 1, DP_ECHO_LEN, false},
		{0, 0, DP_ECHO_FRESH, now + 1, DP_ECHO_LEN, false}, // of the future
		{0, 0, DP_ECHO_FRESH, now, DP_ECHO_LEN - 1, false},
		{0, 0, DP_ECHO_FRESH, now, 1, false},
	};

	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		uint8_t echo[DP_ECHO_LEN];

		bed_echo_make(&bed, device.context + cases[i].context,
			device.generation + cases[i].generation, cases[i].phase, cases[i].then,
			echo);
		const struct asked asked = {.path = "now", .echo = echo, .echo_len = cases[i].len};

		ask_as(COAP_CON, &asked);
		if (cases[i].fresh) {
			expect_performed(1);
		} else {
			expect_challenge(NULL);
			expect_not_performed();
		}
		bed_later(&bed, 0);
	}
	// Nor does one outside of OSCORE, which anybody may put there.
	uint8_t echo[DP_ECHO_LEN];

	bed_echo_make(&bed, device.context, device.generation, DP_ECHO_FRESH, now, echo);
	const struct outer_option outside = {COAP_OPT_ECHO, sizeof(echo), echo};

	bed_seal_path(&device, &request, COAP_CON, mid++, piv++, COAP_PUT, "now", "x");
	outer_send_options(&outside, 1);
	expect_challenge(NULL);
	expect_not_performed();
}

Test(dp_fresh, copies_get_the_same_bytes)
{
	struct bed_answer first;
	uint8_t echo[DP_ECHO_LEN];

	ask("now", NULL);
	expect_challenge(echo);
	first = answer;
	bed_later(&bed, 500);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.len, first.len);
	cr_expect_arr_eq(answer.coap, first.coap, first.len);
	// What was fresh when it came is not asked again later.
	ask("tell", echo);
	expect_answer(COAP_CHANGED);
	first = answer;
	bed_later(&bed, 2 * FRESH_MS);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.len, first.len);
	cr_expect_arr_eq(answer.coap, first.coap, first.len);
	cr_expect_eq(bed_count(&bed, DP_STAT_fresh_challenges), 1);
}

Test(dp_fresh, a_challenge_is_heard_and_whole)
{
	ask_as(COAP_CON, &(struct asked){.path = "now", .no_response = true});
	expect_challenge(NULL);
	bed.policy.max_message = DP_MESSAGE_MIN / 2; // less than it takes
	ask("now", NULL);
	expect_challenge(NULL);
}

Test(dp_fresh, a_device_that_does_not_answer_them_gets_so_many)
{
	uint8_t echo[DP_ECHO_LEN];

	bed_later(&bed, 1000 - bed_now_ms(&bed) % 1000);
	bed_turn(&bed);
	for (unsigned i = 0; i < DP_FRESH_PER_SECOND; i++) {
		ask("now", NULL);
		expect_challenge(echo);
	}
	ask("now", NULL);
	expect_answer(COAP_TOO_MANY_REQUESTS);
	cr_assert_eq(answer.plaintext_len, 4);
	cr_expect_eq(answer.plaintext[2], COAP_OPT_MAX_AGE - 13);
	cr_expect(answer.plaintext[3] == 1 || answer.plaintext[3] == 2, "seconds");
	cr_expect_eq(bed_count(&bed, DP_STAT_fresh_refused), 1);
	expect_not_performed();
	ask("now", echo);
	expect_performed(1);
	bed_later(&bed, 1000);
	ask("now", NULL);
	expect_challenge(NULL);
}

// What is kept moves nothing; what completes a body does.
Test(dp_fresh, of_a_body_the_last_block_must_be)
{
	static const struct {
		uint16_t number;
		uint8_t value; // NUM, M, SZX 0
		bool due, later_too;
	} cases[] = {
		{COAP_OPT_BLOCK1, 0x08, false, false}, // 0/1/16
		{COAP_OPT_BLOCK1, 0x18, false, false},
		{COAP_OPT_BLOCK1, 0x20, true, false}, // 2/0/16
		{COAP_OPT_BLOCK1, 0x00, true, false},
		{COAP_OPT_BLOCK2, 0x00, true, false},
		{COAP_OPT_BLOCK2, 0x08, true, false},  // M means nothing here
		{COAP_OPT_BLOCK2, 0x10, false, false}, // a later one
		{COAP_OPT_BLOCK1, 0x08, false, true},
		{COAP_OPT_BLOCK1, 0x20, true, true},
	};

	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		const struct asked asked = {.path = "now",
			.block = cases[i].number,
			.block_value = cases[i].value,
			.later_too = cases[i].later_too};

		ask_as(COAP_CON, &asked);
		if (cases[i].due) {
			expect_challenge(NULL);
			expect_not_performed();
		} else {
			expect_performed(0);
		}
	}
}

// It may get what is kept; whether something is, the loop knows, which performs nothing for it.
Test(dp_fresh, a_later_block_is_stale_without_an_echo)
{
	const uint64_t now = bed_now_ms(&bed);
	const struct {
		const char *path;
		uint64_t made; // 0: no Echo
		bool stale;
	} cases[] = {
		{"now", 0, true},
		{"now", now - FRESH_MS - 1, true},
		{"now", now, false},
		{"any", 0, false},
	};
	uint8_t echo[DP_ECHO_LEN];
	dp_handle handle;

	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		const struct asked asked = {.path = cases[i].path,
			.echo = cases[i].made ? echo : NULL,
			.echo_len = DP_ECHO_LEN,
			.block = COAP_OPT_BLOCK2,
			.block_value = 0x10};

		bed_echo_make(&bed, device.context, device.generation, DP_ECHO_FRESH, cases[i].made,
			echo);
		ask_as(COAP_CON, &asked);
		struct dp_shared *shared = bed_upstream_take(&bed, &handle);

		cr_assert_not_null(shared);
		cr_expect_eq(shared->request.stale, cases[i].stale, "%u", i);
		bed_upstream_answer(&bed, handle, &(const uint8_t){COAP_CONTENT}, 1);
		bed_turn(&bed);
		expect_answer(COAP_CONTENT);
	}
}

// 425 (Too Early) of a backend: the loop leaves the value to the worker.
Test(dp_fresh, a_backend_asks)
{
	static const uint8_t early[] = {COAP_UNAUTHORIZED, 0xd0, COAP_OPT_ECHO - 13};
	static const uint8_t login[] = {COAP_UNAUTHORIZED, 0xd0, 1};
	uint8_t echo[DP_ECHO_LEN];
	dp_handle handle;

	ask("any", NULL);
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	bed_upstream_answer(&bed, handle, early, sizeof(early));
	bed_turn(&bed);
	expect_challenge(echo);
	ask("any", echo);
	expect_performed(1);
	ask("now", echo);
	expect_performed(1);
	// After an empty ACK as well, and whatever No-Response says.
	ask_as(COAP_CON, &(struct asked){.path = "any", .no_response = true});
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	bed_later(&bed, DP_ACK_AFTER(2000) + 2 * DP_TICK_MS);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.len, COAP_EMPTY_LEN);
	bed_upstream_answer(&bed, handle, early, sizeof(early));
	bed_turn(&bed);
	expect_challenge(NULL);
	cr_expect_eq(answer.msg.type, COAP_CON);
	bed_send_empty(&bed, &bed.flow, COAP_ACK, answer.msg.mid);
	// 401 is another thing.
	ask("any", NULL);
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	bed_upstream_answer(&bed, handle, login, sizeof(login));
	bed_turn(&bed);
	expect_answer(COAP_UNAUTHORIZED);
	cr_expect_eq(answer.plaintext_len, sizeof(login));
	cr_expect_eq(bed_count(&bed, DP_STAT_fresh_challenges), 2);
}

// A device without own Partial IVs yet is challenged all the same; one that always gets them, too.
Test(dp_fresh, devices_with_own_partial_ivs)
{
	bed_device_make(&device, 0x31, AEAD_AES_CCM_16_64_128);
	bed_device_add_with(&bed, &device, true, DP_CONTEXT_OWN_PIV_ALWAYS, 0);
	dp_run_grant(bed.dp, 5);
	ask("now", NULL);
	expect_answer(COAP_UNAUTHORIZED);
	cr_expect(answer.has_piv);
	expect_not_performed();
}
