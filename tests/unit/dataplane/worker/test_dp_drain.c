// SPDX-License-Identifier: BSD-3-Clause
// Contexts that drain: nothing new is accepted, what is in flight is answered once under their own
// keys, and then they are gone.

#include "dataplane/dp_inside.h"
#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>

static struct bed bed;
static struct bed_device device;
static struct bed_request request;
static struct bed_answer answer;
static unsigned drained; // DP_EVENT_DRAINED
static struct dp_event last;

static const uint8_t done[] = {COAP_CHANGED};

static void init(void)
{
	bed_make_workers(&bed, 2, false);
	bed_stop_clock(&bed);
	bed_device_make(&device, 0, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
	drained = 0;
}

static void fini(void)
{
	bed_free(&bed);
}

TestSuite(dp_drain, .init = init, .fini = fini);

static void on_event(void *arg, const struct dp_event *event)
{
	cr_assert_eq(event->type, (uint32_t)DP_EVENT_DRAINED);
	drained++;
	last = *event;
}

static void poll(void)
{
	bed_turn(&bed);
	dp_poll(bed.dp, on_event, NULL);
	bed_turn(&bed);
	dp_poll(bed.dp, on_event, NULL);
}

static void drain(void)
{
	struct dp_context_key key;

	bed_device_key(&device, &key);
	cr_assert_eq(dp_context_drain(bed.dp, &key), 0);
}

static void send(unsigned worker, uint64_t piv, const char *path)
{
	bed.queue = worker;
	bed_seal_path(&device, &request, COAP_NON, piv, piv, COAP_POST, path, "x");
	bed_send_request(&bed, &request);
}

// A request that its backend has; *first is how it went out.
static dp_handle under_way(uint64_t piv, struct bed_request *first)
{
	dp_handle handle;

	send(0, piv, "up/x");
	*first = request;
	bed_turn(&bed);
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	return handle;
}

static const struct dp_context *context(void)
{
	return &dp_contexts(bed.dp)->context[device.context];
}

static void expect_gone(void)
{
	cr_expect_eq(drained, 1);
	cr_expect_eq(last.context, device.context);
	cr_expect_eq(last.generation, device.generation);
	cr_expect_eq(dp_contexts_draining(bed.dp), 0);
	cr_expect_eq(dp_devices_retiring(bed.dp), 0);
	cr_expect_eq(dp_context_live(context()), 0);
	cr_expect_eq(context()->sender_key[0], 0, "wiped");
}

Test(dp_drain, what_is_in_flight_is_answered_under_its_own_keys)
{
	struct bed_request first, second;
	dp_handle one = under_way(1, &first), two = under_way(2, &second);
	struct bed_device old = device, next = device;

	drain();
	cr_expect_eq(dp_contexts_draining(bed.dp), 1);
	cr_expect(dp_key_retiring(bed.dp, device.params.alg, device.keys.recipient_key));
	// Its device has other keys at once, under the same name.
	next.params.secret[0] ^= 1;
	cr_assert_eq(osc_derive(&next.keys, &next.params), 0);
	bed_device_add(&bed, &next, true);
	poll();
	cr_expect_eq(dp_context_live(context()), old.generation);
	cr_expect_eq(dp_devices_retiring(bed.dp), 0);
	bed_upstream_answer(&bed, one, done, sizeof(done));
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_assert(bed_open(&old, &first, &answer));
	cr_expect_not(answer.has_piv);
	poll();
	cr_expect_eq(drained, 0, "one is still under way");
	device = next;
	send(0, 1, "echo");
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect(bed_open(&next, &request, &answer));
	device = old;
	bed_upstream_answer(&bed, two, done, sizeof(done));
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect(bed_open(&old, &second, &answer));
	poll();
	expect_gone();
}

Test(dp_drain, nothing_new_is_accepted)
{
	struct bed_request first;
	dp_handle handle = under_way(1, &first);

	send(1, 2, "echo");
	bed_turn_one(&bed, 1); // it is on the ring now, verified
	cr_expect_eq(bed_count(&bed, DP_STAT_handed_over), 1);
	drain();
	poll();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_context_gone), 1);
	cr_expect_eq(context()->accepted, 1);
	cr_expect_eq(context()->window.next, 2, "and its window has not moved");
	// By its name nobody is found.
	send(0, 3, "echo");
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_unknown_context), 1);
	cr_expect_not(bed_receive(&bed, &answer));
	bed_upstream_answer(&bed, handle, done, sizeof(done));
	poll();
	cr_assert(bed_receive(&bed, &answer));
	cr_expect(bed_open(&device, &first, &answer));
	expect_gone();
}

Test(dp_drain, nobody_claims_one_that_was_not_claimed)
{
	send(0, 1, "echo");
	drain();
	poll();
	cr_expect_not(bed_receive(&bed, &answer));
	expect_gone();
}

Test(dp_drain, without_anything_in_flight_it_is_over_at_once)
{
	send(0, 1, "echo");
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	drain();
	poll();
	expect_gone();
}

// The device gets 5.04, and what the backend says afterwards is dropped: one answer for a request.
Test(dp_drain, a_deadline_is_answered_once)
{
	struct bed_request first;
	dp_handle handle = under_way(1, &first);

	drain();
	poll();
	bed_later(&bed, BED_TIMEOUT_MS + 100);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_assert(bed_open(&device, &first, &answer));
	cr_expect_eq(answer.plaintext[0], COAP_GATEWAY_TIMEOUT);
	poll();
	cr_expect_eq(drained, 0, "the loop has the exchange");
	bed_upstream_answer(&bed, handle, done, sizeof(done));
	poll();
	cr_expect_not(bed_receive(&bed, &answer));
	expect_gone();
}

// What cannot end, as its loop is stuck, ends with the longest time that a request may take.
Test(dp_drain, it_ends_at_the_longest_deadline)
{
	struct bed_request first;
	dp_handle handle;

	bed.dp->drain_ms = 0;
	handle = under_way(1, &first);
	drain();
	poll();
	expect_gone();
	bed_upstream_answer(&bed, handle, done, sizeof(done));
	bed_turn(&bed);
	cr_expect_not(bed_receive(&bed, &answer));
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_late), 1);
}

// Main does not wait for an event that had no room.
Test(dp_drain, a_lost_event_is_made_up_for)
{
	struct bed_request first;
	dp_handle handle = under_way(1, &first);

	drain();
	poll();
	bed_events_fill(&bed, 0);
	bed_upstream_answer(&bed, handle, done, sizeof(done));
	bed_turn_one(&bed, 0);
	cr_expect_eq(bed_count(&bed, DP_STAT_events_lost), 1);
	bed_events_take(&bed, 0, DP_EVENT_DRAINED);
	poll();
	cr_assert(bed_receive(&bed, &answer));
	expect_gone();
}

Test(dp_drain, main_may_end_it)
{
	struct bed_request first;
	dp_handle handle = under_way(1, &first);

	drain();
	poll();
	dp_context_drain_end(bed.dp, device.context, device.generation + 2);
	cr_expect_eq(dp_contexts_draining(bed.dp), 1, "that is another one");
	dp_context_drain_end(bed.dp, device.context, device.generation);
	poll();
	expect_gone();
	dp_context_drain_end(bed.dp, device.context, device.generation);
	bed_upstream_answer(&bed, handle, done, sizeof(done));
	bed_turn(&bed);
	cr_expect_not(bed_receive(&bed, &answer));
}

// With room for some, the one that has drained longest gives way.
Test(dp_drain, the_oldest_gives_way)
{
	const unsigned most = 2;
	struct bed_request first;

	dp_contexts(bed.dp)->draining_max = most;
	for (unsigned i = 0; i <= most; i++) {
		struct bed_device oldest = device;

		(void)under_way(1, &first);
		drain();
		poll();
		cr_expect_eq(dp_contexts_draining(bed.dp), RTE_MIN(i + 1, most));
		cr_expect_eq(drained, i == most);
		device.params.secret[0]++;
		cr_assert_eq(osc_derive(&device.keys, &device.params), 0);
		bed_device_add(&bed, &device, true);
		cr_expect_neq(oldest.context, device.context);
	}
}
