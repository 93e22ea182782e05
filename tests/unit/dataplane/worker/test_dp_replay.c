// SPDX-License-Identifier: BSD-3-Clause
// Old numbers: what shows that a device has started its sequence numbers again, and what anybody
// could have recorded.

#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>

#define IDLE_MS  94000 // more than MAX_TRANSMIT_WAIT
#define AGAIN_MS 60000 // from one challenge to the next

static struct bed bed;
static struct bed_device device;
static struct bed_request request;
static struct bed_answer answer;
static uint8_t echo[40];
static uint16_t echo_len;
static uint16_t mid;

static void init(void)
{
	bed_make_workers(&bed, 2, false);
	bed_stop_clock(&bed);
	dp_run_grant(bed.dp, 0);
	bed_device_make(&device, 5, AEAD_AES_CCM_16_64_128);
}

static void fini(void)
{
	bed_free(&bed);
}

TestSuite(dp_replay, .init = init, .fini = fini);

static struct dp_context *context(void)
{
	return &dp_contexts(bed.dp)->context[device.context];
}

static struct dp_side *side(void)
{
	return &dp_contexts(bed.dp)->side[device.context];
}

static bool locked(void)
{
	return context()->state == DP_CONTEXT_REPLAY_LOCKED;
}

static void later(uint64_t ms)
{
	bed_turn(&bed);
	bed_later(&bed, ms);
	bed_turn(&bed);
}

// Sends a request with what the device was asked to repeat, if has_echo.
static void ask_with(
	enum coap_type type, uint64_t piv, const char *path, const char *payload, bool has_echo)
{
	uint8_t plaintext[128];
	struct coap_writer writer;

	coap_writer_init(&writer, plaintext, sizeof(plaintext));
	coap_write_code(&writer, COAP_POST);
	coap_write_option(&writer, COAP_OPT_URI_PATH, path, strlen(path));
	if (has_echo)
		coap_write_option(&writer, COAP_OPT_ECHO, echo, echo_len);
	coap_write_payload(&writer, payload, strlen(payload));
	bed_seal(&device, &request, type, mid++, piv, plaintext, coap_writer_len(&writer));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

static void ask(uint64_t piv, const char *payload)
{
	ask_with(COAP_CON, piv, "echo", payload, false);
}

static void expect_silence(void)
{
	cr_expect_not(bed_receive(&bed, &answer), "an answer where silence was due");
}

static void expect_served(void)
{
	cr_assert(bed_receive(&bed, &answer), "no answer");
	cr_assert(bed_open(&device, &request, &answer));
	cr_expect_eq(answer.plaintext[0], COAP_CHANGED);
}

static void expect_challenge(void)
{
	struct coap_option option;
	struct coap_body body;

	cr_assert(bed_receive(&bed, &answer), "no challenge");
	cr_assert(bed_open(&device, &request, &answer));
	cr_assert_eq(answer.plaintext[0], COAP_UNAUTHORIZED);
	cr_assert(answer.has_piv);
	cr_assert_eq(
		coap_body_parse(&body, answer.plaintext + 1, answer.plaintext_len - 1), COAP_OK);
	cr_assert(coap_option_find(&body, COAP_OPT_ECHO, &option));
	memcpy(echo, option.value, option.len);
	echo_len = option.len;
}

// A device that was served up to this number, and then not for long.
static void served_up_to(uint64_t highest, uint8_t flags)
{
	bed_device_add_with(&bed, &device, true, flags, flags & DP_CONTEXT_FLOOR ? 100000 : 0);
	ask(highest, "before");
	expect_served();
	later(IDLE_MS);
}

// As when others were answered so often that no tag of this device is remembered.
static void forget(void)
{
	bed_answers_forget(&bed);
}

// Within the window and below it: the device brings Echo with an old number, and so it is proved.
Test(dp_replay, old_numbers_are_a_suspicion)
{
	static const uint64_t highest[] = {10, 63, 1000};
	static const enum coap_type types[] = {COAP_CON, COAP_NON};

	for (unsigned i = 0; i < RTE_DIM(highest) * RTE_DIM(types); i++) {
		uint64_t end = highest[i / 2];
		enum coap_type type = types[i % 2];

		bed_device_make(&device, 5 + i, AEAD_AES_CCM_16_64_128);
		bed_device_add(&bed, &device, true);
		for (uint64_t piv = end < OSC_WINDOW_SIZE ? 0 : end; piv <= end; piv++) {
			ask(piv, "before");
			expect_served();
		}
		forget();
		later(IDLE_MS);
		struct osc_window window = context()->window;

		ask_with(type, 0, "echo", "anew", false);
		expect_challenge();
		cr_expect_eq(context()->state, DP_CONTEXT_ACTIVE);
		ask_with(type, 1, "echo", "anew", true);
		expect_silence();
		cr_expect(locked(), "it answered, with an old number");
		cr_expect_eq(context()->window.next, window.next, "it never moves down");
		cr_expect_eq(context()->window.bits, window.bits);
		// Its own counter again.
		ask(end + 1, "good");
		expect_served();
		cr_expect_eq(context()->state, DP_CONTEXT_ACTIVE);
	}
}

// One recorded packet, or all that there ever were, prove nothing.
Test(dp_replay, recorded_packets_lock_nobody)
{
	struct bed_request old[70];

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(old); i++) {
		ask(i, "x");
		old[i] = request;
		expect_served();
	}
	forget();
	later(IDLE_MS);
	unsigned challenges = 0;

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < RTE_DIM(old); i++) {
			bed.queue = i % 2;
			bed_send_request(&bed, &old[i]);
			bed_turn(&bed);
			while (bed_receive(&bed, &answer))
				challenges += answer.protected;
			bed_later(&bed, 1000);
		}
	}
	cr_expect_not(locked());
	cr_expect_eq(context()->state, DP_CONTEXT_ACTIVE);
	// At most one a minute; the rest of what was sent back are the very bytes of before.
	cr_expect_leq(bed_count(&bed, DP_STAT_rx_suspicions), 4);
	cr_expect_geq(bed_count(&bed, DP_STAT_rx_suspicions), 3);
	cr_expect_geq(challenges, 3);
	cr_expect_neq(side()->suspect_s, 0);
	cr_expect_eq(side()->suspect_accepted, context()->accepted, "and that is shown");
	bed.queue = 0;
	ask(70, "good");
	expect_served();
	cr_expect_neq(side()->suspect_accepted, context()->accepted);
}

Test(dp_replay, at_most_once_a_minute_and_never_a_device_that_was_served_just_now)
{
	served_up_to(1000, 0);
	ask(1, "a");
	expect_challenge();
	for (unsigned i = 0; i < AGAIN_MS / 1000 - 1; i++) {
		later(1000);
		ask(2 + i, "b");
		expect_silence();
	}
	later(1000);
	ask(70, "c");
	expect_challenge();
	later(AGAIN_MS);
	// A healthy device is served: old numbers are no suspicion for a while.
	ask(1001, "good");
	expect_served();
	for (unsigned i = 0; i < 93; i++) {
		ask(100 + i, "d");
		expect_silence();
		later(1000);
	}
	later(1000);
	ask(300, "e");
	expect_challenge();
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_suspicions), 3);
	cr_expect_not(locked());
}

// A value proves only for as long as it is fresh and nothing was accepted.
Test(dp_replay, only_a_fresh_value_proves)
{
	served_up_to(1000, 0);
	ask(1, "a");
	expect_challenge();
	ask(1001, "good");
	expect_served();
	later(IDLE_MS);
	ask_with(COAP_CON, 2, "echo", "b", true);
	cr_expect_not(locked(), "it is from before a request that was accepted");
	expect_challenge();
	later(DP_ECHO_AGE_MS + 1000);
	ask_with(COAP_CON, 3, "echo", "c", true);
	cr_expect_not(locked(), "it is too old");
	expect_challenge();
	echo[echo_len - 1] ^= 1;
	later(1000);
	ask_with(COAP_CON, 4, "echo", "d", true);
	expect_silence();
	cr_expect_not(locked(), "it is forged");
	// The value that opened a window is no proof either, though it was sent with a number that
	// is old by now.
	cr_assert_eq(dp_resync(bed.dp, device.context, device.generation, 0), 0);
	bed_turn(&bed);
	ask(2000, "e");
	expect_challenge();
	ask_with(COAP_CON, 2001, "echo", "f", true);
	expect_served();
	later(IDLE_MS);
	ask_with(COAP_CON, 5, "echo", "g", true);
	cr_expect_not(locked());
	expect_challenge();
}

// Two verified messages under one number, and the first is remembered: nobody but the device can
// have made the second.
Test(dp_replay, two_messages_under_one_number_are_proof_at_once)
{
	static const enum coap_type types[] = {COAP_CON, COAP_NON};
	dp_handle handle;

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(types); i++) {
		uint64_t piv = 200 * i + 100;

		// One that was answered, ...
		ask_with(types[i], piv, "echo", "first", false);
		expect_served();
		later(2000);
		struct bed_request first = request;

		// ... which others may send from elsewhere, or in another envelope: no proof.
		first.coap[3]++;
		bed_send_request(&bed, &first);
		bed_turn(&bed);
		expect_silence();
		cr_expect_not(locked());
		later(2000);
		ask_with(types[i], piv, "echo", "second", false);
		expect_silence();
		cr_expect(locked(), "type %u", types[i]);
		ask(piv + 1, "good");
		expect_served();
		cr_expect_not(locked());

		// ... one in flight, ...
		later(1000);
		ask_with(types[i], piv + 2, "up", "first", false);
		cr_assert_not_null(bed_upstream_take(&bed, &handle));
		ask_with(types[i], piv + 2, "up", "second", false);
		expect_silence();
		cr_expect(locked());
		bed_upstream_answer(&bed, handle, (const uint8_t[]){COAP_CHANGED}, 1);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		ask(piv + 3, "good");
		expect_served();
		later(1000);

		// ... and one of the same burst.
		bed_seal_path(&device, &request, types[i], mid++, piv + 4, COAP_POST, "echo", "1");
		struct bed_request burst = request;

		bed_send_request(&bed, &burst);
		bed_seal_path(&device, &request, types[i], mid++, piv + 4, COAP_POST, "echo", "2");
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		request = burst;
		expect_served();
		expect_silence();
		cr_expect(locked());
		ask(piv + 5, "good");
		expect_served();
		later(2000);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_suspicions), 0);
}

static unsigned state_events(void)
{
	return bed_events_take(&bed, 0, DP_EVENT_STATE);
}

// Each pair is proof, and the request behind it makes good: main and its log are not flooded.
Test(dp_replay, a_device_tells_of_itself_once_a_second)
{
	struct bed_request first;

	bed_device_add(&bed, &device, true);
	for (unsigned second = 0; second < 2; second++) {
		for (uint64_t i = 0; i < 50; i++) {
			uint64_t piv = 100 * second + i;

			bed_seal_path(
				&device, &first, COAP_CON, mid++, piv, COAP_POST, "echo", "1");
			bed_send_request(&bed, &first);
			ask(piv, "2");
			while (bed_receive(&bed, &answer))
				;
		}
		cr_expect_eq(state_events(), 2, "locked, and active again");
		ask(1000 * second + 99, "last");
		while (bed_receive(&bed, &answer))
			;
		later(1000);
	}
}

// At a worker that does not own it, too, and the first one of a context that nobody owns.
Test(dp_replay, a_suspicion_finds_its_owner)
{
	served_up_to(1000, 0);
	bed.queue = 1;
	ask(1, "a");
	expect_challenge();
	ask_with(COAP_CON, 2, "echo", "b", true);
	expect_silence();
	cr_expect(locked());
	bed.queue = 0;
	// As after a clean stop: the window is known, and nobody claimed the context.
	bed_device_make(&device, 6, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
	context()->window.next = 1001;
	context()->window.bits = 1;
	ask(7, "c");
	expect_challenge();
	cr_expect_eq(context()->owner, 0);
}

Test(dp_replay, who_has_no_echo_or_no_run_is_not_asked)
{
	served_up_to(1000, DP_CONTEXT_FLOOR);
	ask(1, "a");
	expect_silence();
	cr_expect_not(locked());
	bed_device_make(&device, 6, AEAD_AES_CCM_16_64_128);
	served_up_to(1000, 0);
	dp_run_grant(bed.dp, DP_RUN_NONE);
	ask(1, "a");
	expect_silence();
	cr_expect_not(locked());
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_no_run), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_suspicions), 0);
	dp_run_grant(bed.dp, 0);
	later(1000);
	ask(2, "b");
	expect_challenge();
}
