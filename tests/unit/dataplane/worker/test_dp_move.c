// SPDX-License-Identifier: BSD-3-Clause
// A context goes to the worker where its packets arrive.

#include "dataplane/shared/bucket.h"
#include "dataplane/worker/move.h"
#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>

static struct bed bed;
static struct bed_device device;
static struct bed_request request;
static struct bed_answer answer;
static uint64_t next_piv;

static void device_new(uint8_t id, uint8_t flags)
{
	bed_device_make(&device, id, AEAD_AES_CCM_16_64_128);
	bed_device_add_with(&bed, &device, true, flags, 1000);
	next_piv = 0;
}

static void init(void)
{
	bed_make_workers(&bed, BED_WORKERS_MAX, false);
	bed_stop_clock(&bed);
	// In the middle of a second, so that a clock that is a moment behind shows the same one.
	bed_later(&bed, 5500 - dp_worker_get(bed.dp, 0)->ms_start % 1000);
	dp_run_grant(bed.dp, 1);
	device_new(0x0a, 0);
}

static void fini(void)
{
	bed_free(&bed);
}

TestSuite(dp_move, .init = init, .fini = fini);

static const struct dp_context *context(void)
{
	return &dp_contexts(bed.dp)->context[device.context];
}

static void no_event(void *arg, const struct dp_event *event)
{
}

static void poll(void)
{
	dp_poll(bed.dp, no_event, NULL);
	bed_turn(&bed);
	dp_poll(bed.dp, no_event, NULL);
}

static void ask(unsigned queue, const char *path, enum coap_type type)
{
	bed.queue = queue;
	bed_seal_path(&device, &request, type, next_piv, next_piv, COAP_POST, path, "x");
	next_piv++;
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

static void answered(void)
{
	cr_assert(bed_receive(&bed, &answer));
	cr_assert(bed_open(&device, &request, &answer));
}

// So many requests, which are answered, at one worker; main comes to its turn after each.
static void serve(unsigned queue, unsigned count)
{
	while (count--) {
		bed_later(&bed, 1);
		ask(queue, "echo", COAP_CON);
		answered();
		poll();
	}
}

static uint64_t moved(void)
{
	return bed_count(&bed, DP_STAT_contexts_moved);
}

// Owned by worker 0, and given to worker 1.
static void move_it(void)
{
	serve(0, 1);
	cr_assert_eq(context()->owner, 0);
	serve(1, DP_MOVE_AFTER);
	cr_assert_eq(context()->owner, 1);
}

Test(dp_move, a_context_follows_its_packets)
{
	serve(0, 1);
	serve(1, DP_MOVE_AFTER - 1);
	cr_expect_eq(context()->owner, 0);
	serve(1, 1);
	cr_expect_eq(context()->owner, 1);
	cr_expect_eq(moved(), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_handed_over), DP_MOVE_AFTER);
	serve(1, 20);
	cr_expect_eq(bed_count(&bed, DP_STAT_handed_over), DP_MOVE_AFTER, "nothing is, any more");
	// And on to a third one, and back; not more often than each second.
	serve(2, 3 * DP_MOVE_AFTER);
	cr_expect_eq(context()->owner, 1);
	bed_later(&bed, 3000);
	serve(2, DP_MOVE_AFTER);
	cr_expect_eq(context()->owner, 2);
	bed_later(&bed, 3000);
	serve(0, DP_MOVE_AFTER);
	cr_expect_eq(context()->owner, 0);
	cr_expect_eq(moved(), 3);
	cr_expect_eq(context()->accepted, next_piv, "its state goes with it");
}

Test(dp_move, not_if_packets_arrive_here_and_there)
{
	serve(0, 1);
	for (unsigned i = 0; i < 10; i++) {
		serve(1, DP_MOVE_AFTER - 1);
		serve(i % 2 ? 0 : 2, 1);
	}
	cr_expect_eq(moved(), 0);
}

Test(dp_move, who_has_no_keys_moves_nothing)
{
	struct bed_request recorded[DP_MOVE_AFTER];

	for (unsigned i = 0; i < DP_MOVE_AFTER; i++) {
		serve(0, 1);
		recorded[i] = request;
	}
	bed.queue = 1;
	for (unsigned i = 0; i < 4 * DP_MOVE_AFTER; i++) {
		bed_later(&bed, 1);
		bed_send_request(&bed, &recorded[i % DP_MOVE_AFTER]);
		recorded[i % DP_MOVE_AFTER].coap[request.len - 1] ^= i % 2;
		poll();
	}
	cr_expect_eq(moved(), 0);
	cr_expect_eq(context()->owner, 0);
	while (bed_receive(&bed, &answer))
		;
}

static dp_handle taken_by(unsigned worker)
{
	dp_handle handle;

	cr_assert_eq(dp_loop_receive(&dp_loop(bed.dp, 0)->port[worker], &handle, 1), 1);
	return handle;
}

static void respond(unsigned worker, dp_handle handle)
{
	struct dp_loop_port *up = &dp_loop(bed.dp, 0)->port[worker];
	struct dp_shared *shared = dp_shared_get(up->pool, handle);

	dp_shared_response(shared)[0] = COAP_CHANGED;
	shared->response.len = 1;
	dp_loop_respond(up, handle);
	bed_turn(&bed);
}

Test(dp_move, not_while_a_request_is_at_its_backend)
{
	serve(0, 1);
	ask(1, "up/x", COAP_CON);
	struct bed_request waiting = request;
	dp_handle handle = taken_by(0);

	serve(1, 2 * DP_MOVE_AFTER);
	cr_expect_eq(moved(), 0);
	respond(0, handle);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect(bed_open(&device, &waiting, &answer));
	serve(1, DP_MOVE_AFTER);
	cr_expect_eq(moved(), 1);
}

// A device whose requests all go to a backend: between two of them nothing is under way.
static void serve_up(unsigned queue, unsigned count)
{
	while (count--) {
		bed_later(&bed, 20);
		ask(queue, "up/x", COAP_CON);
		dp_handle handle = taken_by(context()->owner);
		unsigned owner = context()->owner;

		poll(); // main is quicker than the backend
		cr_expect_eq(context()->owner, owner, "not while it is under way");
		respond(owner, handle);
		answered();
		poll();
	}
}

Test(dp_move, a_device_of_a_backend_follows_its_packets)
{
	serve_up(0, 1);
	serve_up(1, 10 * DP_MOVE_AFTER);
	cr_expect_eq(context()->owner, 1);
	cr_expect_leq(bed_count(&bed, DP_STAT_handed_over), DP_MOVE_AFTER + 2);
}

Test(dp_move, not_while_an_answer_waits_for_its_ack)
{
	serve(0, 1);
	ask(1, "up/x", COAP_CON);
	struct bed_request waiting = request;
	dp_handle handle = taken_by(0);

	bed_later(&bed, DP_ACK_AFTER(DP_ACK_TIMEOUT_MS) + 2 * DP_TICK_MS);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	respond(0, handle);
	cr_assert(bed_receive(&bed, &answer));
	cr_assert_eq(answer.msg.type, COAP_CON);
	cr_expect(bed_open(&device, &waiting, &answer));
	uint16_t mid = answer.msg.mid;

	serve(1, 2 * DP_MOVE_AFTER);
	cr_expect_eq(moved(), 0);
	bed_send_empty(&bed, &bed.flow, COAP_ACK, mid);
	bed_turn(&bed);
	serve(1, DP_MOVE_AFTER);
	cr_expect_eq(moved(), 1);
}

// Who had the context before has the answers of before, for as long as copies may come.
Test(dp_move, a_copy_of_before_gets_the_same_bytes)
{
	static struct bed_answer first;
	struct bed_request before;
	struct dp_flow elsewhere = bed.flow;

	serve(0, 1);
	serve(1, 1);
	before = request;
	first = answer;
	serve(1, DP_MOVE_AFTER - 1);
	cr_assert_eq(context()->owner, 1);
	for (unsigned queue = 0; queue < BED_WORKERS_MAX; queue++) {
		bed_later(&bed, 20000);
		bed.queue = queue;
		bed_send_request(&bed, &before);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer), "at worker %u", queue);
		cr_expect_eq(answer.len, first.len);
		cr_expect_arr_eq(answer.coap, first.coap, first.len);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_duplicates_answered), BED_WORKERS_MAX);
	// Of what came after the move the owner knows.
	serve(1, 1);
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	answered();
	// A replay is one.
	uint64_t replays = bed_count(&bed, DP_STAT_drop_replay);

	elsewhere.remote_port++;
	bed_send(&bed, &elsewhere, before.coap, before.len);
	bed_turn(&bed);
	cr_expect_not(bed_receive(&bed, &answer));
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_replay), replays + 1);
	// Nothing crosses that does not verify.
	uint64_t handed = bed_count(&bed, DP_STAT_handed_over);
	struct bed_request forged = before;

	forged.coap[forged.len - 1] ^= 1;
	bed_send_request(&bed, &forged);
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_handed_over), handed);
	// 60 s are over; then 94.
	bed_later(&bed, 34000);
	bed_send_request(&bed, &before);
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_handed_over), handed, "no copy comes so late");
	while (bed_receive(&bed, &answer))
		;
}

// What it was asked before, and by a command behind the one to move.
Test(dp_move, a_command_finds_the_owner)
{
	struct dp_context_key key;

	serve(0, 1);
	for (unsigned i = 0; i < DP_MOVE_AFTER; i++) {
		bed_later(&bed, 1);
		ask(1, "echo", COAP_CON);
		answered();
	}
	dp_poll(bed.dp, no_event, NULL); // the command is on its way
	cr_expect_eq(dp_resync(bed.dp, device.context, device.generation, 0), -EAGAIN);
	cr_expect_eq(dp_mark_raise(bed.dp, device.context, device.generation, 0), -EAGAIN);
	cr_expect_eq(dp_run_base_raise(bed.dp, device.context, device.generation, 9), -EAGAIN);
	bed_device_key(&device, &key);
	cr_expect_eq(dp_device_remove(bed.dp, &key), 0);
	cr_expect_eq(dp_devices_retiring(bed.dp), 1);
	bed_turn(&bed);
	cr_expect_eq(context()->owner, 1);
	cr_expect_eq(context()->generation, device.generation, "it is still there");
	for (unsigned i = 0; i < 3; i++)
		poll();
	cr_expect_eq(dp_devices_retiring(bed.dp), 0);

	device_new(0x0b, 0);
	move_it();
	cr_expect_eq(dp_resync(bed.dp, device.context, device.generation, 0), 0);
	bed_turn_one(&bed, 0);
	cr_expect_eq(context()->state, DP_CONTEXT_ACTIVE);
	bed_turn_one(&bed, 1);
	cr_expect_eq(context()->state, DP_CONTEXT_WINDOW_UNKNOWN);
}

// Packets that were handed to an owner which is none any more when it takes them.
Test(dp_move, what_is_on_its_way_is_passed_on)
{
	serve(0, 1);
	for (unsigned i = 0; i < DP_MOVE_AFTER; i++) {
		bed_later(&bed, 1);
		ask(1, "echo", COAP_CON);
		answered();
	}
	dp_poll(bed.dp, no_event, NULL);
	for (unsigned i = 1; i < BED_WORKERS_MAX; i++) {
		bed.queue = i;
		bed_seal_path(
			&device, &request, COAP_CON, next_piv, next_piv, COAP_POST, "echo", "x");
		next_piv++;
		bed_send_request(&bed, &request);
		bed_turn_one(&bed, i);
	}
	const uint64_t before = dp_stat_read(dp_worker_stats(bed.dp, 0), DP_STAT_rx_requests);

	bed_turn(&bed);
	cr_expect_eq(context()->owner, 1);
	cr_expect_eq(dp_stat_read(dp_worker_stats(bed.dp, 0), DP_STAT_rx_requests), before);
	cr_expect_eq(context()->accepted, next_piv);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), next_piv);
	while (bed_receive(&bed, &answer))
		;
}

// A device that is removed before its owner reads that it is to be given away.
Test(dp_move, a_removed_context_is_not_moved)
{
	struct dp_context_key key;

	serve(0, 1);
	for (unsigned i = 0; i < DP_MOVE_AFTER; i++) {
		bed_later(&bed, 1);
		ask(1, "echo", COAP_CON);
		answered();
	}
	bed_device_key(&device, &key);
	cr_expect_eq(dp_device_remove(bed.dp, &key), 0);
	for (unsigned i = 0; i < 3; i++)
		poll();
	cr_expect_eq(moved(), 0);
	cr_expect_eq(dp_devices_retiring(bed.dp), 0);
}

Test(dp_move, own_partial_ivs_go_on)
{
	uint64_t last = 0;

	device_new(0x0c, DP_CONTEXT_OWN_PIV_ALWAYS);
	for (unsigned i = 0; i < 60; i++) {
		serve(i / 10 % BED_WORKERS_MAX, 1);
		cr_assert(answer.has_piv);
		cr_assert_gt(answer.piv, last);
		last = answer.piv;
		bed_later(&bed, 500);
	}
	cr_expect_gt(moved(), 3);
}

// Asks for an echo. Returns whether it came: it is the device's rate that refuses it.
static bool is_served(unsigned queue)
{
	ask(queue, "echo", COAP_CON);
	answered();
	cr_assert(answer.plaintext[0] == COAP_CHANGED ||
		answer.plaintext[0] == COAP_TOO_MANY_REQUESTS);
	return answer.plaintext[0] == COAP_CHANGED;
}

// Clocks of workers differ by what a turn takes. A device that goes from one to another and back
// has its rate, and no more.
Test(dp_move, a_device_gains_nothing_by_moving)
{
	enum { BURST = 4, MOVES = 6, MOVE_S = 2 };
	unsigned served = 0;

	bed.policy.rate_cost = DP_BUCKET_PER_MS * 1000; // one a second
	bed.policy.rate_fill = BURST * bed.policy.rate_cost;
	bed_clock_behind(&bed, 1, 1);
	bed_later(&bed, 5000);
	bed_turn(&bed);
	for (unsigned i = 0; i <= MOVES; i++) {
		const uint64_t before = moved();
		unsigned here = i % 2;

		// At the end of this its bucket is empty, and it is here.
		for (unsigned k = 0; k < 2 * DP_MOVE_AFTER; k++) {
			served += is_served(here);
			poll();
		}
		cr_assert_eq(moved(), before + (i > 0));
		cr_assert_eq(context()->owner, here);
		if (i < MOVES)
			bed_later(&bed, MOVE_S * 1000);
	}
	cr_expect_eq(served, BURST + MOVES * MOVE_S);
}

// The same where its bucket is to be aged, which the clock behind says was used in time to come.
Test(dp_move, a_device_gains_nothing_where_buckets_are_aged)
{
	const uint64_t each_ms = UINT64_C(1000) << DP_BUCKET_AGE_BITS;
	unsigned served = 0;

	bed.policy.rate_cost = DP_BUCKET_PER_MS * 1000; // one a second
	bed.policy.rate_fill = 4 * bed.policy.rate_cost;
	bed_turn(&bed);
	bed_later(&bed, each_ms - bed_now_ms(&bed) % each_ms);
	// Clocks are set one after the other when workers are made.
	bed_clock_behind(&bed, 1, 10);
	bed_turn(&bed);
	cr_assert_eq(bed_now_ms(&bed) % each_ms, 0);
	served += is_served(0);
	for (unsigned k = 0; k < 2 * DP_MOVE_AFTER; k++) {
		served += is_served(1);
		poll();
	}
	cr_expect_eq(context()->owner, 1);
	cr_expect_eq(served, 4);
	cr_expect_not(dp_bucket_is_aged(4096, 4095));
	cr_expect_not(dp_bucket_is_aged(4096, 8191));
	cr_expect(dp_bucket_is_aged(4095, 4096));
}

// The same for what it records: beyond its share it overwrites only its like.
Test(dp_move, a_bucket_of_a_clock_ahead_is_empty)
{
	const uint32_t fill = 1000, now = UINT32_MAX - 10;
	uint32_t full_at = now + fill;

	for (uint32_t ahead = 0; ahead <= DP_BUCKET_AHEAD; ahead += DP_BUCKET_PER_MS / 2)
		cr_assert_not(dp_bucket_take(&full_at, now - ahead, fill, 1), "%u", ahead);
	cr_expect_eq(full_at, now + fill);
	cr_expect(dp_bucket_take(&full_at, now + 1, fill, 1));
	full_at = now + fill;
	cr_expect(dp_bucket_take(&full_at, now - DP_BUCKET_AHEAD - 1, fill, fill),
		"it was larger before, or is long full");
	full_at = now + DP_BUCKET_FILL_MAX_MS * DP_BUCKET_PER_MS;
	cr_expect_eq(dp_bucket_age(full_at, now - DP_BUCKET_AHEAD, 5000), full_at);
	cr_expect_eq(dp_bucket_age(now - 1, now, 5000), now);
}

Test(dp_move_kid, affinity_by_kid_stays)
{
	bed_make_workers(&bed, BED_WORKERS_MAX, true);
	bed_stop_clock(&bed);
	device_new(0x0a, 0);
	serve(0, 1);
	uint8_t owner = context()->owner;

	serve((owner + 1) % BED_WORKERS_MAX, 4 * DP_MOVE_AFTER);
	cr_expect_eq(context()->owner, owner);
	bed_free(&bed);
}
