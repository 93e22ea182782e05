// SPDX-License-Identifier: BSD-3-Clause
// Own Partial IVs from the clock, with a clock of the test's own: no nonce comes twice, however the
// clock is set, and a key that a worker may still seal with is not taken again.

#include "gw/daemon/registry.h"
#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define START_S (DP_CLOCK_EPOCH_S + 1000000)

static struct bed bed;
static struct registry registry;
static struct device_keyed stored; // the same device as the registry has it
static struct bed_device device;
static struct bed_request request;
static struct bed_answer answer;
static uint64_t next_piv; // of the device
static int64_t clock_s;   // Unix time

static int64_t clock_read(void)
{
	return clock_s;
}

static void init(void)
{
	bed_make(&bed);
	bed_stop_clock(&bed);
	clock_s = START_S;
	dp_contexts(bed.dp)->clock.read = clock_read;
	dp_clock_grant(bed.dp, INT64_MAX);
	cr_assert_eq(registry_init(&registry, bed.dp, 64), 0);
	bed_device_make(&device, 7, AEAD_AES_CCM_16_64_128);
	stored = (struct device_keyed){
		.id = 1,
		.name = "d",
		.alg = device.params.alg,
		.own_piv = DEVICE_OWN_PIV_CLOCK,
		.device_id_len = 1,
		.device_id = {7},
		.gateway_id_len = 1,
		.gateway_id = {1},
		.keys = device.keys,
	};
	memcpy(stored.keys.sender_key, device.keys.recipient_key, AEAD_KEY_MAX);
	memcpy(stored.keys.recipient_key, device.keys.sender_key, AEAD_KEY_MAX);
}

static void fini(void)
{
	registry_fini(&registry);
	bed_free(&bed);
}

TestSuite(dp_clock, .init = init, .fini = fini);

static void on_event(void *arg, const struct dp_event *event)
{
	if (event->type == DP_EVENT_DRAINED)
		registry_drained(&registry, event->context, event->generation);
}

static void main_turn(void)
{
	dp_poll(bed.dp, on_event, NULL);
	registry_turn(&registry);
}

// Takes the device in, with its window open and known, as if it had answered a challenge: what is
// asked here is what it is answered with.
static void opened(void)
{
	struct device_info info = {.id = stored.id, .device_id_len = 1, .device_id = {7}};
	struct dp_context *ctx =
		(struct dp_context *)(uintptr_t)registry_find(&registry, &info, &device.context);

	cr_assert_not_null(ctx);
	device.generation = ctx->generation;
	ctx->state = DP_CONTEXT_ACTIVE;
	ctx->window.next = next_piv;
}

static void add(void)
{
	cr_assert_eq(registry_add(&registry, &stored), 0);
	opened();
}

static int try_remove(void)
{
	const struct device_info info = {.id = stored.id, .device_id_len = 1, .device_id = {7}};

	return registry_remove(&registry, &info);
}

static void remove_at_once(void)
{
	cr_assert_eq(try_remove(), 0);
	bed_turn(&bed);
	main_turn();
}

static void ask(const char *path)
{
	uint64_t piv = next_piv++;

	bed_seal_path(&device, &request, COAP_CON, piv, piv, COAP_GET, path, NULL);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

// The own Partial IV of an answer, if there is one.
static bool answered(uint64_t *piv)
{
	if (!bed_receive(&bed, &answer))
		return false;
	cr_assert(bed_open(&device, &request, &answer));
	cr_assert(answer.has_piv);
	*piv = answer.piv;
	return true;
}

static bool own_piv(uint64_t *piv)
{
	ask("echo");
	return answered(piv);
}

static uint64_t must_own_piv(void)
{
	uint64_t piv = 0;

	cr_assert(own_piv(&piv));
	return piv;
}

static void expect_refused(enum dp_stat why)
{
	uint64_t before = bed_count(&bed, why);
	uint64_t piv;

	cr_expect_not(own_piv(&piv));
	cr_expect_eq(bed_count(&bed, why), before + 1);
}

static uint64_t second_of(int64_t unix_s)
{
	return (uint64_t)(unix_s - DP_CLOCK_EPOCH_S) << DP_CLOCK_BITS;
}

Test(dp_clock, never_ahead_of_the_clock_and_1024_a_second)
{
	stored.window_known = true; // new keys begin at once
	add();
	for (unsigned i = 0; i < 1 << DP_CLOCK_BITS; i++)
		cr_assert_eq(must_own_piv(), second_of(START_S) + i);
	expect_refused(DP_STAT_drop_own_piv_spent);
	clock_s++; // the border of a second
	cr_expect_eq(must_own_piv(), second_of(START_S + 1));
	cr_expect_eq(dp_clock_used(bed.dp), START_S + 1);
}

// Whatever had the key before may have used this second up, also with the clock at a stand.
Test(dp_clock, a_context_begins_in_the_second_after_it_was_made)
{
	add();
	expect_refused(DP_STAT_drop_own_piv_spent);
	clock_s++;
	uint64_t last = must_own_piv();

	for (unsigned i = 0; i < 3; i++) {
		remove_at_once();
		add();
		expect_refused(DP_STAT_drop_own_piv_spent);
		expect_refused(DP_STAT_drop_own_piv_spent);
		clock_s++;
		uint64_t piv = must_own_piv();

		cr_expect_gt(piv, last);
		last = piv;
	}
}

// As by a wrong time server and its correction.
Test(dp_clock, set_forward_and_back_no_second_comes_again)
{
	add();
	clock_s = START_S + 3600;
	uint64_t highest = must_own_piv();

	clock_s = START_S + 1;
	expect_refused(DP_STAT_drop_clock); // the same context
	remove_at_once();
	add();
	expect_refused(DP_STAT_drop_clock); // and the next one
	clock_s = START_S + 3600;
	expect_refused(DP_STAT_drop_own_piv_spent);
	clock_s++;
	cr_expect_gt(must_own_piv(), highest);
	// New keys were used in no second: they are the way out.
	clock_s = START_S + 2;
	remove_at_once();
	stored.id++;
	stored.keys.sender_key[0]++;
	device.keys.recipient_key[0]++;
	stored.window_known = true;
	add();
	cr_expect_eq(must_own_piv(), second_of(clock_s));
}

Test(dp_clock, only_durable_seconds_are_used)
{
	dp_clock_grant(bed.dp, START_S + 10);
	add();
	clock_s = START_S + 10;
	must_own_piv();
	clock_s++;
	expect_refused(DP_STAT_drop_clock);
	dp_clock_grant(bed.dp, START_S + 20);
	must_own_piv();
	// An earlier process may have used more than the clock shows.
	dp_contexts(bed.dp)->clock.least = START_S + 15 - DP_CLOCK_EPOCH_S;
	remove_at_once();
	add();
	clock_s = START_S + 13;
	expect_refused(DP_STAT_drop_clock);
	clock_s = START_S + 15;
	cr_expect_eq(must_own_piv(), second_of(clock_s));
	// Nor is there a second before the epoch.
	clock_s = DP_CLOCK_EPOCH_S - 1;
	expect_refused(DP_STAT_drop_clock);
}

// The owner was not told, or not yet: its command ring is full of others.
Test(dp_clock, keys_are_not_taken_again_while_their_owner_may_seal)
{
	const uint8_t plaintext[] = {COAP_CONTENT};
	dp_handle handle;
	uint64_t late, piv;

	add();
	clock_s++;
	ask("up");
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	struct bed_request asked = request;

	// More commands than the owner takes in a turn, so that in the next one it seals first.
	for (unsigned i = 0; i < 40; i++)
		cr_assert_eq(dp_mark_raise(bed.dp, device.context, device.generation, 1), 0);
	cr_assert_eq(try_remove(), 0);
	cr_expect(dp_key_retiring(bed.dp, stored.alg, stored.keys.sender_key));
	cr_expect_not(dp_key_retiring(bed.dp, stored.alg, stored.keys.recipient_key));
	stored.id++;
	cr_assert_eq(registry_add(&registry, &stored), 0);
	cr_expect(registry_waits(&registry, stored.id), "the keys are not free yet");
	cr_expect_eq(registry.clock_count, 0);

	clock_s++; // in which a context of before would begin
	bed_upstream_answer(&bed, handle, plaintext, sizeof(plaintext));
	bed_turn_one(&bed, 0);
	request = asked;
	cr_assert(answered(&late), "the answer was sealed in time");
	main_turn();
	cr_expect(registry_waits(&registry, stored.id));
	bed_turn(&bed);
	main_turn();
	cr_expect_not(registry_waits(&registry, stored.id), "nobody seals any more");
	cr_expect_eq(registry.clock_count, 1);
	opened();
	for (unsigned i = 0; i < 3 && !own_piv(&piv); i++)
		clock_s++;
	cr_expect_gt(piv, late);
}

static void change_limits(uint64_t id, uint16_t max_message)
{
	struct device_keyed changed = stored;

	changed.id = id;
	changed.changed = true;
	changed.settings.max_message = max_message;
	cr_assert_eq(registry_add(&registry, &changed), 0);
}

// In the data plane, while it waits for its keys, and where nobody is.
Test(dp_clock, limits_change_where_the_device_is)
{
	const struct device_info info = {.id = 1, .device_id_len = 1, .device_id = {7}};
	struct dp_context *ctx;

	change_limits(1, 200);
	cr_expect_null(registry_find(&registry, &info, &device.context), "it is not taken in");
	add();
	clock_s++;
	must_own_piv();
	ctx = &dp_contexts(bed.dp)->context[device.context];
	uint64_t window = ctx->window.next, own = ctx->own_next;

	change_limits(2, 300);
	cr_expect_eq(ctx->max_message, 0, "another device");
	change_limits(1, 300);
	cr_expect_eq(ctx->max_message, 300);
	cr_expect(ctx->window.next == window && ctx->own_next == own);
	cr_expect_eq(ctx->generation, device.generation);
	cr_expect_eq(registry.clock_count, 1);
	must_own_piv();

	cr_assert_eq(try_remove(), 0);
	stored.id = 2;
	cr_assert_eq(registry_add(&registry, &stored), 0);
	cr_assert(registry_waits(&registry, 2));
	change_limits(2, 400);
	cr_expect(registry_waits(&registry, 2));
	bed_turn(&bed);
	main_turn();
	opened();
	cr_expect_eq(dp_contexts(bed.dp)->context[device.context].max_message, 400);
	cr_expect_eq(registry.clock_count, 1);
}

// What is done to a device that waits for its keys is done to the device, not to the wait.
Test(dp_clock, a_device_that_waits_can_be_removed_replaced_and_resynced)
{
	add();
	clock_s++;
	must_own_piv(); // it has an owner, who must be asked
	cr_assert_eq(try_remove(), 0);
	stored.id = 2;
	cr_assert_eq(registry_add(&registry, &stored), 0);
	cr_assert_eq(registry_resync(&registry, &stored, 0), 0);
	stored.id = 3;
	stored.replaces = 2;
	cr_assert_eq(registry_add(&registry, &stored), 0);
	cr_expect_not(registry_waits(&registry, 2));
	cr_expect(registry_waits(&registry, 3));
	cr_assert_eq(try_remove(), 0);
	cr_expect_not(registry_waits(&registry, 3));
	cr_expect_eq(try_remove(), -ENOENT);
	bed_turn(&bed);
	main_turn();
	cr_expect_eq(registry_next(&registry, 0), registry.max, "nobody is there");

	// Others need not wait for it: back to keys of before while new ones are retired.
	stored.id = 4;
	stored.replaces = 0;
	add();
	clock_s += 2;
	must_own_piv();
	struct device_keyed other = stored;

	other.id = 5;
	other.replaces = 4;
	other.keys.sender_key[0]++;
	cr_assert_eq(registry_add(&registry, &other), 0);
	cr_expect_not(registry_waits(&registry, 5));
	stored.id = 6;
	stored.replaces = 5;
	cr_assert_eq(registry_add(&registry, &stored), 0);
	cr_expect(registry_waits(&registry, 6));
	bed_turn(&bed);
	main_turn();
	opened();
	cr_expect_eq(registry.clock_count, 1);
}
