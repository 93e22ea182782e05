// SPDX-License-Identifier: BSD-3-Clause
// Which entries of the registry have a device, of which the status counts states; and devices that
// come, go, are replaced and get other ids, in a table that is mostly full, with workers and a main
// that are late.

#include "gw/daemon/registry.h"
#include "gw/daemon/stop.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#include <criterion/criterion.h>

#define KIDS     24
#define CONTEXTS 4 // of a kid: without ID Context, and with three of them
#define KEYS     200
#define DEVICES  64 // of the bed
#define STEPS    20000

static struct bed bed;
static struct registry registry;

// What the store has.
static struct stored {
	uint64_t id; // 0: nobody
	unsigned keys;
	unsigned policy; // of policy_names
	bool by_clock;
} stored[KIDS][CONTEXTS];
static struct osc_keys keys[KEYS];
static bool taken[KEYS];
static const char *const policy_names[] = {"", "meters", "locks", "gone"};
static struct conf_policy with_locks[] = {{.name = "meters"}, {.name = "locks"}};
static struct conf conf = {.policies = with_locks, .policy_count = 2};
static unsigned count;
static uint64_t last_id, state = 42;

static uint64_t rnd(uint64_t below)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (state >> 33) % below;
}

Test(registry, next_finds_each_device_and_nobody_else)
{
	static const uint32_t places[] = {0, 1, 63, 64, 127, 191, 199};
	uint64_t words[4] = {0};
	const struct registry made = {.taken = words, .max = 200};

	cr_assert_eq(registry_next(&made, 0), 200);
	for (uint32_t i = 0; i < RTE_DIM(places); i++)
		words[places[i] / 64] |= UINT64_C(1) << places[i] % 64;
	for (uint32_t from = 0, i = 0; from < 200; from++) {
		i += i < RTE_DIM(places) && places[i] < from;
		cr_assert_eq(registry_next(&made, from), i < RTE_DIM(places) ? places[i] : 200,
			"%u", from);
	}
	cr_assert_eq(registry_next(&made, 200), 200);
	cr_assert_eq(registry_next(&made, UINT32_MAX), 200);
}

static struct device_keyed device_of(unsigned kid, unsigned context)
{
	const struct stored *s = &stored[kid][context];

	struct device_keyed device = {.id = s->id,
		.name = "d",
		.alg = AEAD_AES_CCM_16_64_128,
		.own_piv = s->by_clock ? DEVICE_OWN_PIV_CLOCK : DEVICE_OWN_PIV_AUTO,
		.has_id_context = context,
		.id_context_len = context > 0,
		.id_context = {context},
		.device_id_len = 1,
		.device_id = {kid},
		.gateway_id_len = 1,
		.gateway_id = {0xff},
		.keys = keys[s->keys]};

	strcpy(device.settings.policy, policy_names[s->policy]);
	return device;
}

static struct device_info info_of(unsigned kid, unsigned context)
{
	return (struct device_info){.id = stored[kid][context].id,
		.has_id_context = context,
		.id_context_len = context > 0,
		.id_context = {context},
		.device_id_len = 1,
		.device_id = {kid}};
}

// Gives it keys that nobody has, or those that it had.
static void keys_choose(struct stored *s, bool others)
{
	if (others) {
		if (s->id)
			taken[s->keys] = false;
		do
			s->keys = rnd(KEYS);
		while (taken[s->keys]);
	}
	taken[s->keys] = true;
}

static int add(unsigned kid, unsigned context, uint64_t replaces)
{
	struct stored *s = &stored[kid][context];
	struct device_keyed device;

	s->id = ++last_id;
	s->by_clock = rnd(2);
	s->policy = rnd(RTE_DIM(policy_names));
	device = device_of(kid, context);
	device.replaces = replaces;
	return registry_add(&registry, &device);
}

static int take_out(unsigned kid, unsigned context)
{
	const struct device_info info = info_of(kid, context);

	stored[kid][context].id = 0;
	taken[stored[kid][context].keys] = false;
	return registry_remove(&registry, &info);
}

static int move(unsigned kid, unsigned context)
{
	unsigned to_kid = rnd(KIDS), to_context = rnd(CONTEXTS);
	unsigned had = stored[kid][context].keys;

	if (stored[to_kid][to_context].id)
		return 0;
	int rc = take_out(kid, context);

	stored[to_kid][to_context].keys = had;
	keys_choose(&stored[to_kid][to_context], rnd(2));
	return rc ? rc : add(to_kid, to_context, 0);
}

// The first request of a device claims its context.
static void claim(unsigned kid, unsigned context)
{
	const struct device_info info = info_of(kid, context);
	uint32_t index;

	if (registry_find(&registry, &info, &index) &&
		dp_contexts(bed.dp)->context[index].owner == DP_OWNER_NONE)
		dp_contexts(bed.dp)->context[index].owner = rnd(2);
}

static int one_step(void)
{
	unsigned kid = rnd(KIDS), context = rnd(CONTEXTS), what = rnd(20);
	struct stored *s = &stored[kid][context];

	if (!s->id && count < DEVICES && what < 16) {
		count++;
		keys_choose(s, taken[s->keys] || rnd(2));
		return add(kid, context, 0);
	}
	if (!s->id)
		return 0;
	if (what < 3) {
		count--;
		return take_out(kid, context);
	}
	if (what < 8) {
		keys_choose(s, rnd(2));
		return add(kid, context, s->id);
	}
	if (what < 10)
		return move(kid, context);
	if (what < 11) {
		const struct device_keyed device = device_of(kid, context);
		int rc = registry_resync(&registry, &device, 0);

		return rc == -EAGAIN ? 0 : rc; // its owner is busy
	}
	if (what < 13) { // another policy in place, also while it waits
		s->policy = rnd(RTE_DIM(policy_names));
		struct device_keyed device = device_of(kid, context);

		device.changed = true;
		return registry_add(&registry, &device);
	}
	if (what == 13) { // a reload
		conf.policy_count = rnd(3);
		cr_assert_eq(policies_number(&registry.policies, &conf), 0);
		policies_configured(&registry.policies, &conf);
	}
	claim(kid, context);
	return 0;
}

#define ENTRIES 1024 // of the bed's table at most

static uint32_t served_as[ENTRIES], gone_as[ENTRIES]; // generations

static void on_gone(void *arg, uint32_t context, uint32_t generation)
{
	char name[DEVICE_NAME_MAX + 1];

	cr_assert_lt(context, ENTRIES);
	cr_assert_not(registry_name(&registry, context, generation, name, sizeof(name)));
	cr_assert_lt(gone_as[context], generation, "said twice");
	gone_as[context] = generation;
}

// Whoever was served and is not any more was said to be gone; nobody else was.
static void look_at_gone(void)
{
	for (uint32_t i = 0; i < registry.max; i++) {
		uint32_t live = registry.entry[i].id ? registry.entry[i].generation : 0;

		if (served_as[i] && served_as[i] != live)
			cr_assert_geq(gone_as[i], served_as[i]);
		cr_assert(!live || gone_as[i] < live);
		served_as[i] = live;
	}
}

// Each device has the number of its own policy, and it is known how many have one that there is
// not.
static uint64_t look_at_policy(const struct stored *s, const struct dp_context *ctx)
{
	uint16_t number = policies_find(&registry.policies, policy_names[s->policy]);
	bool missing = s->policy && s->policy > conf.policy_count;

	if (!s->policy)
		number = DP_PERMIT_ALL;
	cr_assert_eq(dp_context_permit(ctx), number);
	cr_assert_eq(policies_is_configured(&registry.policies, number), !missing);
	return missing;
}

// Each device that is stored is served or waits, with its own keys; and no key is twice there.
static void look(bool all_served)
{
	const struct dp_context_table *table = dp_contexts(bed.dp);
	unsigned served = 0, by_clock = 0, entries = 0;
	uint64_t missing = 0;

	for (unsigned i = 0; i < KIDS * CONTEXTS; i++) {
		const struct stored *s = &stored[i / CONTEXTS][i % CONTEXTS];
		const struct device_info info = info_of(i / CONTEXTS, i % CONTEXTS);
		uint32_t index;

		if (!s->id)
			continue;
		const struct dp_context *ctx = registry_find(&registry, &info, &index);

		cr_assert_neq(ctx != NULL, registry_waits(&registry, s->id), "%lu", s->id);
		cr_assert(ctx || !all_served, "%lu", s->id);
		if (!ctx)
			continue;
		served++;
		by_clock += s->by_clock;
		missing += look_at_policy(s, ctx);
		cr_assert_eq(registry.entry[index].generation, dp_context_live(ctx));
		cr_assert_arr_eq(ctx->sender_key, keys[s->keys].sender_key, DP_KEY_INLINE);
	}
	for (uint32_t i = 0; (i = registry_next(&registry, i)) < registry.max; i++)
		entries++;
	cr_assert_eq(entries, served);
	// Those that drain may make Partial IVs of the clock still.
	if (dp_contexts_draining(bed.dp))
		cr_assert_geq(registry.clock_count, by_clock);
	else
		cr_assert_eq(registry.clock_count, by_clock);
	cr_assert_eq(registry.policies.missing, missing);
	look_at_gone();
	for (uint32_t i = 0; i < table->entries; i++)
		for (uint32_t k = i + 1; dp_context_live(&table->context[i]) && k < table->entries;
			k++)
			cr_assert(!dp_context_live(&table->context[k]) ||
				memcmp(table->context[i].sender_key, table->context[k].sender_key,
					DP_KEY_INLINE));
}

static void on_event(void *arg, const struct dp_event *event)
{
	if (event->type == DP_EVENT_DRAINED)
		registry_drained(&registry, event->context, event->generation);
}

static bool is_busy(void)
{
	return dp_devices_retiring(bed.dp) || dp_contexts_draining(bed.dp);
}

static void main_turn(void)
{
	dp_poll(bed.dp, on_event, NULL);
	registry_turn(&registry);
}

Test(registry, each_device_is_served_in_the_end_and_no_key_twice)
{
	unsigned full = 0, waited = 0, no_place = 0;
	bool late = false;

	bed_make_workers(&bed, 2, false);
	cr_assert_eq(registry_init(&registry, bed.dp, DEVICES), 0);
	registry.gone = on_gone;
	cr_assert_eq(policies_number(&registry.policies, &conf), 0);
	policies_configured(&registry.policies, &conf);
	for (unsigned i = 0; i < KEYS; i++)
		memset(&keys[i], i, sizeof(keys[i]));
	for (unsigned step = 0; step < STEPS; step++) {
		int rc = one_step();

		cr_assert_eq(rc, 0, "step %u: %d", step, rc);
		full += count == DEVICES;
		waited += registry.waiting != NULL;
		no_place += dp_devices_retiring(bed.dp) + dp_contexts_draining(bed.dp) + count >=
			dp_contexts(bed.dp)->entries;
		late ^= rnd(100) == 0;
		if (!late && rnd(12) == 0)
			bed_turn(&bed);
		if (rnd(6) == 0)
			main_turn();
		if (step % 8 == 0)
			look(false);
		if (rnd(500))
			continue;
		for (unsigned turns = 0; is_busy() || registry.waiting; turns++) {
			cr_assert_lt(turns, 100);
			bed_turn(&bed);
			main_turn();
		}
		look(true);
	}
	cr_expect_gt(full, STEPS / 4);
	cr_expect_gt(waited, STEPS / 10);
	cr_expect_gt(no_place, STEPS / 100);
	registry_fini(&registry);
	bed_free(&bed);
}

// --- contexts that devices derive ------------------------------------------------------------

static struct device_keyed deriving(unsigned n)
{
	struct device_keyed device = {.id = 7,
		.name = "lwm2m",
		.alg = AEAD_AES_CCM_16_64_128,
		.rederive = DEVICE_REDERIVE_B2,
		.recovery = DEVICE_B2,
		.rederived = n,
		.has_id_context = true,
		.id_context_len = n ? 40 : 3,
		.id_context = {n, 1, 2},
		.device_id_len = 2,
		.device_id = {8, 9},
		.gateway_id_len = 1,
		.gateway_id = {0xff},
		.window_known = true};

	memset(&device.keys, n + 1, sizeof(device.keys));
	return device;
}

static uint32_t find_by(bool has, const uint8_t *id_context, uint8_t len)
{
	struct dp_context_key key;

	dp_context_key_make(
		dp_contexts(bed.dp), &key, (const uint8_t *)"\x08\x09", 2, has, id_context, len);
	return dp_names_find(&dp_contexts(bed.dp)->names, &key);
}

// By each of its names, and none of them is another window.
static struct dp_context *named(const struct device_keyed *device)
{
	uint8_t text[2 + 40] = {0x58, 40};
	uint32_t index = find_by(true, device->id_context, device->id_context_len);

	cr_assert_neq(index, DP_INDEX_NONE);
	cr_expect_eq(find_by(false, NULL, 0), index);
	memcpy(text + 2, device->id_context, 40);
	if (device->rederived)
		cr_expect_eq(find_by(true, text, sizeof(text)), index, "as a CBOR byte string");
	cr_expect_eq(dp_contexts(bed.dp)->count, 1, "one window");
	return &dp_contexts(bed.dp)->context[index];
}

static struct dp_context *derive(const struct device_keyed *device)
{
	uint32_t context, generation;

	cr_assert_eq(registry_rederive(&registry, device, &context, &generation), 0);
	cr_assert_neq(generation, 0);
	struct dp_context *ctx = named(device);

	cr_expect_eq(ctx, &dp_contexts(bed.dp)->context[context]);
	cr_expect_eq(dp_context_live(ctx), generation);
	cr_expect_eq(ctx->state, DP_CONTEXT_ACTIVE);
	cr_expect_eq(ctx->window.next, 0);
	return ctx;
}

Test(registry, a_derived_context_goes_on_where_the_one_before_stands)
{
	struct device_keyed device = deriving(0);

	bed_make_workers(&bed, 2, false);
	cr_assert_eq(registry_init(&registry, bed.dp, DEVICES), 0);
	cr_assert_eq(registry_add(&registry, &device), 0);
	struct dp_context *ctx = named(&device), *before = ctx;

	cr_expect_eq(ctx->flags, DP_CONTEXT_REDERIVE | DP_CONTEXT_RECOVERY_B2);
	cr_expect_eq(ctx->own_counter, 1, "0 may have been used");
	// Its owner has used some, and it has a request under way.
	ctx->owner = 0;
	ctx->own_counter = 5;
	ctx->in_flight = 3;
	device = deriving(1);
	ctx = derive(&device);
	cr_expect_eq(ctx->own_counter, 5);
	cr_expect_eq(find_by(true, (const uint8_t *)"\0\1\2", 3), DP_INDEX_NONE);
	cr_expect_eq(dp_contexts_draining(bed.dp), 1);
	cr_expect_neq(dp_context_live(before), 0);
	before->in_flight = DP_INDEX_NONE;
	// So it does if the disk said nothing of its row, which is found later.
	ctx->owner = 0;
	device = deriving(4);
	cr_assert_eq(registry_add(&registry, &device), 0);
	ctx = named(&device);
	cr_expect_eq(ctx->own_counter, 5);
	// With a higher base it begins again, above.
	ctx->owner = 1;
	ctx->own_counter = DP_COUNTER_MAX / 2 + 2;
	cr_expect_eq(registry_next_base(&registry, ctx - dp_contexts(bed.dp)->context), 1);
	device = deriving(2);
	device.run_base = 1;
	ctx = derive(&device);
	cr_expect_eq(ctx->own_counter, 1);
	cr_expect_eq(ctx->run_base, 1);
	// What it has already changes nothing.
	ctx->window.next = 9;
	uint32_t same, same_generation;

	cr_assert_eq(registry_rederive(&registry, &device, &same, &same_generation), 0);
	cr_expect_eq(&dp_contexts(bed.dp)->context[same], ctx);
	cr_expect_eq(ctx->window.next, 9);
	// One context of a device drains, not two.
	cr_expect_leq(dp_contexts_draining(bed.dp), 1);
	// By an ID Context that became too long for it, Echo heals a lost window.
	device = deriving(3);
	device.id_context_len = DEVICE_B2_CONTEXT_MAX + 1;
	device.run_base = 1;
	uint32_t context, generation;

	cr_assert_eq(registry_rederive(&registry, &device, &context, &generation), 0);
	cr_expect_eq(dp_contexts(bed.dp)->context[context].flags, DP_CONTEXT_REDERIVE);
	for (unsigned turns = 0; is_busy(); turns++) {
		cr_assert_lt(turns, 100);
		bed_turn(&bed);
		main_turn();
	}
	registry_fini(&registry);
	bed_free(&bed);
}

// A context that drains has the id of its device still, and a window of other keys: written in the
// place of the other one, it would have requests accepted again after the next start.
Test(registry, a_stop_writes_the_window_of_the_derived_context_only)
{
	struct device_keyed device = deriving(0);
	struct stop_windows windows = {.registry = &registry};
	struct store_window window;
	uint32_t context, generation;

	bed_make_workers(&bed, 2, false);
	cr_assert_eq(registry_init(&registry, bed.dp, DEVICES), 0);
	device.window_known = true;
	device.window.next = 70;
	cr_assert_eq(registry_add(&registry, &device), 0);
	named(&device)->owner = 0;
	device = deriving(1);
	device.window_known = true;
	cr_assert_eq(registry_rederive(&registry, &device, &context, &generation), 0);
	// No worker has heard of it yet.
	dp_contexts(bed.dp)->context[context].window.next = 3;
	cr_assert(stop_window(&windows, &window));
	cr_expect_eq(window.id, device.id);
	cr_expect_eq(window.window.next, 3);
	cr_expect_not(stop_window(&windows, &window));
	registry_fini(&registry);
	bed_free(&bed);
}

// A write that failed may be on the disk all the same: the store has an ID Context that the data
// plane does not know. Settings reach the device where it is, and it never has two contexts.
Test(registry, a_device_is_one_though_the_store_has_another_id_context)
{
	struct device_keyed device = deriving(0);
	uint32_t index;

	bed_make_workers(&bed, 2, false);
	cr_assert_eq(registry_init(&registry, bed.dp, DEVICES), 0);
	cr_assert_eq(registry_add(&registry, &device), 0);
	struct dp_context *before = named(&device);

	device = deriving(1);
	device.changed = true;
	device.settings.max_in_flight = 3;
	cr_assert_eq(registry_add(&registry, &device), 0);
	cr_expect_eq(before->max_in_flight, 3);
	device.changed = false;
	device.window_known = false;
	cr_assert_eq(registry_resync(&registry, &device, 0), 0);
	cr_expect_neq(named(&device), before);
	cr_expect_eq(named(&device)->state, DP_CONTEXT_WINDOW_UNKNOWN);
	cr_expect_eq(dp_contexts_draining(bed.dp), 1);
	cr_expect_eq(registry_next(&registry, 0), named(&device) - dp_contexts(bed.dp)->context);
	const struct device_info info = {
		.id = 7, .rederive = DEVICE_REDERIVE_B2, .device_id_len = 2, .device_id = {8, 9}};

	cr_expect_not_null(registry_find(&registry, &info, &index));
	for (unsigned turns = 0; is_busy(); turns++) {
		cr_assert_lt(turns, 100);
		bed_turn(&bed);
		main_turn();
	}
	registry_fini(&registry);
	bed_free(&bed);
}

// Who removes a device wants nothing sent to it any more: a context that it had before ends, too,
// whatever is under way.
Test(registry, a_device_that_is_removed_drains_no_longer)
{
	struct device_keyed device = deriving(0);
	uint32_t context, generation;

	bed_make_workers(&bed, 2, false);
	cr_assert_eq(registry_init(&registry, bed.dp, DEVICES), 0);
	cr_assert_eq(registry_add(&registry, &device), 0);
	struct dp_context *before = named(&device);

	before->owner = 0;
	before->in_flight = 3; // none that ends by itself
	device = deriving(1);
	cr_assert_eq(registry_rederive(&registry, &device, &context, &generation), 0);
	bed_turn(&bed);
	main_turn();
	cr_expect_eq(dp_contexts_draining(bed.dp), 1);
	const struct device_info info = {
		.id = 7, .rederive = DEVICE_REDERIVE_B2, .device_id_len = 2, .device_id = {8, 9}};

	cr_assert_eq(registry_remove(&registry, &info), 0);
	cr_expect_eq(dp_contexts_draining(bed.dp), 0);
	before->in_flight = DP_INDEX_NONE;
	for (unsigned turns = 0; is_busy(); turns++) {
		cr_assert_lt(turns, 100);
		bed_turn(&bed);
		main_turn();
	}
	registry_fini(&registry);
	bed_free(&bed);
}

// The store says what a device was added with, or derived last; what the data plane has may be
// another context of it.
Test(registry, a_device_that_derives_is_replaced_and_removed_under_any_id_context)
{
	struct device_keyed device = deriving(0);
	uint32_t context, generation;

	bed_make_workers(&bed, 2, false);
	cr_assert_eq(registry_init(&registry, bed.dp, DEVICES), 0);
	cr_assert_eq(registry_add(&registry, &device), 0);
	device = deriving(1);
	cr_assert_eq(registry_rederive(&registry, &device, &context, &generation), 0);
	device = deriving(0);
	device.id = 8;
	device.replaces = 7;
	memset(&device.keys, 9, sizeof(device.keys));
	cr_assert_eq(registry_add(&registry, &device), 0);
	cr_expect_eq(named(&device)->sender_key[0], 9);
	const struct device_info info = {.id = 8,
		.rederive = DEVICE_REDERIVE_B2,
		.has_id_context = true,
		.id_context_len = 5,
		.device_id_len = 2,
		.device_id = {8, 9}};

	cr_expect_not_null(registry_find(&registry, &info, &context));
	cr_expect_eq(registry_remove(&registry, &info), 0);
	cr_expect_eq(dp_contexts(bed.dp)->count, 0);
	for (unsigned turns = 0; is_busy(); turns++) {
		cr_assert_lt(turns, 100);
		bed_turn(&bed);
		main_turn();
	}
	registry_fini(&registry);
	bed_free(&bed);
}
