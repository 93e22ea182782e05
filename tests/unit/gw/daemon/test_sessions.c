// SPDX-License-Identifier: BSD-3-Clause
// How sessions of EDHOC begin and end in main. The test is in the place of the threads.

#include "gw/daemon/sessions.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#include <criterion/criterion.h>
#include <sodium.h>

#define MAX    3
#define KEEP   10000
#define AGE    100000
#define ROUND  20000 // in which all sessions were looked at
#define ID_LEN 3

static struct bed bed;
static struct registry registry;
static struct shard_plan plan = {.id_len = ID_LEN};
static struct reservations *reservations;
static struct device_reserved *passed_through; // names that are passed through
static struct sessions *sessions;
static uint64_t now_ms = 1000000;
static int64_t now_s = 1800000000;
static struct handshake_session agreed;

static void gone(void *arg, uint32_t context, uint32_t generation)
{
	sessions_gone(sessions, context, generation);
}

static const struct dp_flow from; // where its handshake came from

static void init(void)
{
	bed_make(&bed);
	registry = (struct registry){.gone = gone};
	cr_assert_eq(registry_init(&registry, bed.dp, BED_DEVICES), 0);
	randombytes_buf(plan.key, sizeof(plan.key));
	passed_through = device_reserved_new();
	cr_assert_not_null(passed_through);
	reservations = reservations_create(bed.dp, passed_through, 2, ID_LEN, plan.key);
	cr_assert_not_null(reservations);
	reservations_fill(reservations);
	sessions = sessions_create(&(const struct sessions_conf){.registry = &registry,
		.reservations = reservations,
		.max = MAX,
		.keep_ms = KEEP,
		.max_age_ms = AGE});
	cr_assert_not_null(sessions);
}

static void fini(void)
{
	sessions_free(sessions);
	reservations_free(reservations);
	device_reserved_free(passed_through);
	registry_fini(&registry);
	bed_free(&bed);
}

TestSuite(sessions, .init = init, .fini = fini, .timeout = 60);

static int add(uint64_t credential)
{
	const struct edhoc_connection none = {0};
	bool low;

	agreed = (struct handshake_session){.alg = AEAD_AES_CCM_16_64_128,
		.c_i = {1, {1}},
		.owner = {.id = credential, .name = "d", .not_after = INT64_MAX}};
	cr_assert(connections_take(reservations_of(reservations, 0), &none, &agreed.c_r, &low));
	randombytes_buf(&agreed.keys, sizeof(agreed.keys));
	return sessions_add(sessions, &agreed, &from, now_ms);
}

static uint32_t context_of(const struct edhoc_connection *c_r)
{
	struct dp_context_key key;

	dp_context_key_make(dp_contexts(bed.dp), &key, c_r->bytes, c_r->len, false, NULL, 0);
	return dp_names_find(&dp_contexts(bed.dp)->names, &key);
}

static bool lives(const struct edhoc_connection *c_r)
{
	return context_of(c_r) != DP_INDEX_NONE;
}

static uint16_t permit_of(const struct edhoc_connection *c_r)
{
	return dp_context_permit(&dp_contexts(bed.dp)->context[context_of(c_r)]);
}

// A worker accepted a request of the session.
static void use(const struct edhoc_connection *c_r)
{
	dp_contexts(bed.dp)->context[context_of(c_r)].accepted++;
}

static void turns(uint64_t ms)
{
	for (uint64_t passed = 0; passed < ms; passed += 1000) {
		now_ms += 1000;
		sessions_turn(sessions, now_ms, now_s);
	}
}

Test(sessions, a_credential_has_two_and_the_older_goes_when_the_newer_is_used)
{
	cr_assert_eq(add(1), 0);
	const struct edhoc_connection first = agreed.c_r;

	cr_assert_eq(add(1), 0);
	const struct edhoc_connection second = agreed.c_r;

	use(&first);
	turns(ROUND);
	cr_expect(lives(&first), "the newer one was never used");
	use(&second);
	turns(ROUND);
	cr_expect_not(lives(&first));
	cr_expect(lives(&second));
	cr_expect_eq(sessions_stats(sessions)->replaced, 1);
}

Test(sessions, of_three_the_one_that_was_never_used_goes)
{
	cr_assert_eq(add(1), 0);
	const struct edhoc_connection first = agreed.c_r;

	use(&first);
	cr_assert_eq(add(1), 0);
	const struct edhoc_connection second = agreed.c_r;

	cr_assert_eq(add(1), 0);
	cr_expect(lives(&first), "who makes handshakes only ends no session that is used");
	cr_expect_not(lives(&second));
	cr_expect(lives(&agreed.c_r));
	cr_expect_eq(sessions_stats(sessions)->living, 2);
}

Test(sessions, who_is_idle_gives_way_and_nobody_else_does)
{
	cr_assert_eq(add(1), 0);
	const struct edhoc_connection first = agreed.c_r;

	cr_assert_eq(add(2), 0);
	const struct edhoc_connection second = agreed.c_r;

	cr_assert_eq(add(3), 0);
	cr_expect_eq(add(4), -EAGAIN, "all are too young");
	cr_expect_eq(sessions_stats(sessions)->refused, 1);
	now_ms += KEEP - 1;
	use(&first);
	cr_expect_eq(add(4), -EAGAIN);
	now_ms += 1;
	cr_expect_eq(add(4), 0);
	cr_expect(lives(&first), "it was used");
	cr_expect_not(lives(&second), "it was unused for longest");
	cr_expect_eq(sessions_stats(sessions)->idle, 1);
	cr_expect_eq(sessions_stats(sessions)->living, MAX);
}

Test(sessions, they_end_with_their_time)
{
	cr_assert_eq(add(1), 0);
	const struct edhoc_connection first = agreed.c_r;

	turns(AGE - ROUND);
	cr_expect_eq(permit_of(&first), DP_PERMIT_ALL);
	turns(2 * ROUND);
	cr_expect(lives(&first), "its device is told first");
	cr_expect_eq(permit_of(&first), DP_PERMIT_OVER);
	use(&first);
	turns(ROUND);
	cr_expect_not(lives(&first));
	cr_expect_eq(sessions_stats(sessions)->expired, 1);
}

Test(sessions, who_does_not_come_is_not_waited_for)
{
	cr_assert_eq(add(1), 0);
	const struct edhoc_connection first = agreed.c_r;

	turns(AGE + ROUND + 60000 + ROUND);
	cr_expect_not(lives(&first));
}

Test(sessions, they_end_with_their_credential)
{
	cr_assert_eq(add(1), 0);
	const struct edhoc_connection first = agreed.c_r;

	cr_assert_eq(add(1), 0);
	const struct edhoc_connection second = agreed.c_r;

	cr_assert_eq(add(2), 0);
	sessions_credential_gone(sessions, 1);
	cr_expect_not(lives(&first));
	cr_expect_not(lives(&second));
	cr_expect(lives(&agreed.c_r));
	cr_expect_eq(sessions_stats(sessions)->lost, 2);
}

Test(sessions, used_up_keys_end_them)
{
	cr_assert_eq(add(1), 0);
	const uint32_t context = context_of(&agreed.c_r);
	const uint32_t generation = registry.entry[context].generation;

	cr_expect_not(sessions_used_up(sessions, context, generation + 2, now_ms));
	cr_expect(sessions_used_up(sessions, context, generation, now_ms));
	cr_expect(sessions_used_up(sessions, context, generation, now_ms), "twice is no harm");
	cr_expect_eq(permit_of(&agreed.c_r), DP_PERMIT_OVER);
	use(&agreed.c_r);
	turns(ROUND);
	cr_expect_not(lives(&agreed.c_r));
	cr_expect_eq(sessions_stats(sessions)->used_up, 1);
}

static void pass(const struct edhoc_connection *kid)
{
	const struct device_ids name = {.kid = kid->bytes, .kid_len = kid->len};

	cr_assert_eq(device_reserved_set(passed_through, &name, 1), 0);
}

// By a reload, when the session's kid was reserved already.
Test(sessions, a_kid_that_is_passed_through_is_no_sessions)
{
	const struct edhoc_connection none = {0};
	struct edhoc_connection c_r;
	bool low;

	cr_assert(connections_take(reservations_of(reservations, 0), &none, &c_r, &low));
	pass(&c_r);
	cr_expect(reservations_lost(reservations, &c_r));
	agreed = (struct handshake_session){.alg = AEAD_AES_CCM_16_64_128,
		.c_i = {1, {1}},
		.c_r = c_r,
		.owner = {.id = 1, .name = "d", .not_after = INT64_MAX}};
	cr_expect_eq(sessions_add(sessions, &agreed, &from, now_ms), -EEXIST);
	cr_expect_eq(sessions_stats(sessions)->living, 0);
}

Test(sessions, a_kid_that_is_passed_through_is_not_reserved)
{
	enum { ALL = 1 << 16 }; // identifiers of two bytes

	struct reservations *short_ids =
		reservations_create(bed.dp, passed_through, 1, 2, plan.key);
	const struct edhoc_connection kid = {2, {0x12, 0x34}}, none = {0};
	struct edhoc_connection c_r;
	unsigned taken = 0;
	bool low;

	cr_assert_not_null(short_ids);
	pass(&kid);
	for (unsigned i = 0; i < ALL; i++) {
		if (!connections_count(reservations_of(short_ids, 0)))
			reservations_fill(short_ids);
		if (!connections_take(reservations_of(short_ids, 0), &none, &c_r, &low))
			break;
		taken++;
		cr_assert_not(edhoc_connection_equal(&c_r, &kid));
	}
	cr_expect_geq(taken, shard_serials(&(struct shard_plan){.id_len = 2}) - 1);
	reservations_free(short_ids);
}

Test(sessions, a_kid_that_a_device_has_is_nobody_elses)
{
	const struct edhoc_connection none = {0};
	struct device_keyed device = {.id = 5,
		.name = "stored",
		.alg = AEAD_AES_CCM_16_64_128,
		.window_known = true,
		.has_id_context = true, // so it has another name, and the same kid
		.id_context_len = 1,
		.device_id_len = ID_LEN,
		.gateway_id_len = 2};
	struct edhoc_connection c_r;
	bool low;

	cr_assert(connections_take(reservations_of(reservations, 0), &none, &c_r, &low));
	memcpy(device.device_id, c_r.bytes, c_r.len);
	randombytes_buf(&device.keys, sizeof(device.keys));
	cr_expect_not(reservations_lost(reservations, &c_r));
	cr_assert_eq(registry_add(&registry, &device), 0);
	cr_expect(reservations_lost(reservations, &c_r));
	agreed = (struct handshake_session){.alg = AEAD_AES_CCM_16_64_128,
		.c_i = {1, {1}},
		.c_r = c_r,
		.owner = {.id = 1, .name = "d", .not_after = INT64_MAX}};
	cr_expect_eq(sessions_add(sessions, &agreed, &from, now_ms), -EEXIST);
	cr_expect_eq(sessions_stats(sessions)->living, 0);
}

Test(sessions, what_was_reserved_is_lent_until_its_session_ends)
{
	const uint8_t longer[ID_LEN + 1] = {0};

	cr_assert_eq(add(1), 0);
	const struct edhoc_connection first = agreed.c_r;

	cr_expect(reservations_has(reservations, first.bytes, first.len));
	cr_expect_not(reservations_has(reservations, longer, sizeof(longer)));
	reservations_end(reservations, &first);
	cr_expect_not(reservations_has(reservations, first.bytes, first.len));
}

Test(sessions, what_lives_is_listed_once_each)
{
	struct session_view view;
	unsigned seen = 0;

	cr_expect_not(sessions_next(sessions, 0, 0, now_ms, now_s, &view));
	cr_assert_eq(add(1), 0);
	const struct edhoc_connection first = agreed.c_r;

	now_ms += 5000;
	cr_assert_eq(add(2), 0);
	cr_assert_eq(add(1), 0);
	for (uint32_t at = 0; sessions_next(sessions, at, 0, now_ms, now_s, &view);
		at = view.place + 1)
		seen |= 1U << view.place;
	cr_expect_eq(seen, 7U, "all three");
	cr_assert(sessions_next(sessions, 0, 1, now_ms, now_s, &view));
	cr_expect_eq(view.c_r.len, ID_LEN);
	cr_expect_arr_eq(view.c_r.bytes, first.bytes, ID_LEN);
	cr_expect_eq(view.age_ms, 5000);
	cr_expect_eq(view.left_ms, AGE - 5000);
	cr_expect_eq(view.context, context_of(&first));
	cr_assert(sessions_next(sessions, view.place + 1, 1, now_ms, now_s, &view));
	cr_expect_eq(view.credential, 1);
	cr_expect_eq(view.age_ms, 0);
	cr_expect_not(sessions_next(sessions, view.place + 1, 1, now_ms, now_s, &view));
	sessions_credential_gone(sessions, 1);
	cr_expect_not(sessions_next(sessions, 0, 1, now_ms, now_s, &view));
	cr_assert(sessions_next(sessions, 0, 0, now_ms, now_s, &view), "another one's lives");
	cr_expect_eq(view.credential, 2);
	cr_expect_not(sessions_next(sessions, UINT32_MAX, 0, now_ms, now_s, &view));
}

Test(sessions, what_is_left_of_one_ends_with_its_credential)
{
	struct session_view view;

	cr_assert_eq(add(1), 0);
	agreed.owner.id = 2;
	agreed.owner.not_after = now_s + 7;
	const struct edhoc_connection none = {0};
	bool low;

	cr_assert(connections_take(reservations_of(reservations, 0), &none, &agreed.c_r, &low));
	cr_assert_eq(sessions_add(sessions, &agreed, &from, now_ms), 0);
	cr_assert(sessions_next(sessions, 0, 2, now_ms, now_s, &view));
	cr_expect_eq(view.left_ms, 7000);
	cr_assert(sessions_next(sessions, 0, 2, now_ms, now_s + 8, &view));
	cr_expect_eq(view.left_ms, 0);
}

Test(sessions, none_is_reserved_twice)
{
	static uint8_t seen[1 << 21];
	const struct edhoc_connection none = {0};
	struct edhoc_connection c_r;
	bool low;

	for (unsigned round = 0; round < 8; round++) {
		for (unsigned thread = 0; thread < 2; thread++)
			while (connections_take(
				reservations_of(reservations, thread), &none, &c_r, &low)) {
				const uint32_t number = (uint32_t)c_r.bytes[0] << 16 |
					(uint32_t)c_r.bytes[1] << 8 | c_r.bytes[2];

				cr_assert_eq(c_r.len, ID_LEN);
				cr_assert_not(seen[number / 8] >> number % 8 & 1);
				seen[number / 8] |= (uint8_t)(1 << number % 8);
			}
		reservations_fill(reservations);
	}
}

static uint32_t serial_of(const struct edhoc_connection *c_r)
{
	unsigned shard;
	uint32_t serial;

	shard_id_read(&plan, c_r->bytes, &shard, &serial);
	cr_expect_eq(shard, 0);
	return serial;
}

Test(sessions, who_has_the_key_of_the_store_reads_serials_that_begin_anew_at_each_start)
{
	const uint32_t serials = shard_serials(&plan);
	const struct edhoc_connection none = {0};
	struct edhoc_connection c_r, other;
	bool low;

	cr_assert(connections_take(reservations_of(reservations, 0), &none, &c_r, &low));
	for (unsigned i = 0; i < 100; i++) {
		const uint32_t before = serial_of(&c_r);

		cr_assert(connections_take(reservations_of(reservations, 0), &none, &c_r, &low));
		// What is between them is the other thread's.
		cr_expect_lt((serial_of(&c_r) - before) % serials, 64);
	}
	struct reservations *again =
		reservations_create(bed.dp, passed_through, 2, ID_LEN, plan.key);

	reservations_fill(again);
	cr_assert(connections_take(reservations_of(again, 0), &none, &other, &low));
	cr_expect_neq(serial_of(&other) / 256, serial_of(&c_r) / 256,
		"who has an identifier of before meets nobody else's session");
	reservations_free(again);
}
