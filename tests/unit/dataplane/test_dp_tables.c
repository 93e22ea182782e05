// SPDX-License-Identifier: BSD-3-Clause
// Timer wheel, exchange pool, paths, Echo values and doorbell of the data plane.

#include "dataplane/coap/path.h"
#include "dataplane/shared/doorbell.h"
#include "dataplane/state/echo.h"
#include "dataplane/state/wheel.h"

#include <rte_common.h>

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define POOL 300

static uint64_t state = 88172645463325252;

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

// Never early, at most two ticks after it could have been seen, each once, in steps of any size.
Test(dp_wheel, deadlines_are_met_once_and_never_early)
{
	struct dp_exchange_pool *pool = dp_exchange_pool_create(POOL, 64);
	static struct dp_wheel wheel;
	uint64_t due[POOL];
	bool armed[POOL] = {0};
	uint64_t now = 12345, seen_until = now;
	unsigned expired = 0, removed = 0;

	dp_wheel_init(&wheel, now);
	for (unsigned step = 0; step < 200000; step++) {
		unsigned i = rnd() % POOL;

		if (!armed[i]) {
			// Mostly soon, sometimes in the past or some periods of the wheel ahead,
			// or beyond it.
			due[i] = now + (rnd() % 16 ? rnd() % 3000 : rnd() % 60000);
			if (rnd() % 256 == 0)
				due[i] = now + rnd() % (3 * 3600 * 1000);
			if (rnd() % 32 == 0)
				due[i] = now - rnd() % 100;
			dp_wheel_insert(&wheel, pool, i, due[i]);
			armed[i] = true;
		} else if (rnd() % 4 == 0) {
			dp_wheel_remove(&wheel, pool, i);
			dp_wheel_remove(&wheel, pool, i); // twice does nothing
			armed[i] = false;
			removed++;
		}
		if (rnd() % 8)
			continue;
		now += rnd() % 1000 ? rnd() % 40 : rnd() % 100000; // a long stop now and then
		uint32_t index;
		unsigned moved;

		do {
			moved = dp_wheel_move(&wheel, pool);
			while ((index = dp_wheel_expire(&wheel, pool, now)) != DP_INDEX_NONE) {
				cr_assert(armed[index], "expired twice, or after it was removed");
				cr_assert_gt(now, due[index], "early");
				armed[index] = false;
				expired++;
			}
		} while (moved || wheel.tick <= now / DP_TICK_MS);
		for (unsigned k = 0; k < POOL; k++)
			cr_assert(
				!armed[k] || due[k] + 2 * DP_TICK_MS > now || due[k] <= seen_until,
				"late");
		seen_until = now;
	}
	cr_expect_gt(expired, 10000);
	cr_expect_gt(removed, 10000);
	dp_exchange_pool_free(pool);
}

static void protect(struct dp_exchange_pool *pool, int how)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t start = RTE_ALIGN_CEIL((uintptr_t)dp_exchange_at(pool, 0), page);
	uintptr_t end = RTE_ALIGN_FLOOR((uintptr_t)dp_exchange_at(pool, pool->shared.count), page);

	cr_assert_eq(mprotect((void *)start, end - start, how), 0);
}

// A turn touches no more exchanges than it moves and takes off.
Test(dp_wheel, a_turn_does_not_walk_what_is_due_later)
{
	enum { MANY = 20000 };
	struct dp_exchange_pool *pool = dp_exchange_pool_create(MANY, 64);
	static struct dp_wheel wheel;
	uint64_t now = 1000000;
	unsigned expired = 0;

	cr_assert_not_null(pool);
	dp_wheel_init(&wheel, now);
	// All in what would be one slot of a single wheel, ten minutes ahead.
	for (unsigned i = 0; i < MANY; i++)
		dp_wheel_insert(&wheel, pool, i,
			now +
				600000 / (DP_WHEEL_NEAR_SLOTS * DP_TICK_MS) * DP_WHEEL_NEAR_SLOTS *
					DP_TICK_MS);
	const uint64_t due = dp_exchange_at(pool, 0)->due;

	// Before their time comes near, to read one of them is a fault.
	protect(pool, PROT_NONE);
	while (now / DP_TICK_MS < due) {
		if (wheel.tick / DP_PERIOD_TICKS + 1 >= due / DP_PERIOD_TICKS)
			protect(pool, PROT_READ | PROT_WRITE);
		cr_assert_leq(dp_wheel_move(&wheel, pool), DP_WHEEL_MOVES);
		cr_assert_eq(dp_wheel_expire(&wheel, pool, now), DP_INDEX_NONE);
		cr_assert_gt(wheel.tick, now / DP_TICK_MS, "the wheel is behind");
		now += DP_TICK_MS;
	}
	while (dp_wheel_expire(&wheel, pool, now) != DP_INDEX_NONE)
		expired++;
	cr_expect_eq(expired, MANY);
	dp_exchange_pool_free(pool);
}

// All states that can come after these before the exchange is free again.
static unsigned exchange_reach(unsigned states)
{
	for (unsigned before = 0; before != states;) {
		before = states;
		for (unsigned from = 0; from < DP_EXCHANGE_STATE_COUNT; from++)
			for (unsigned to = 1; to < DP_EXCHANGE_STATE_COUNT; to++)
				if (states >> from & 1 && dp_exchange_may(from, to))
					states |= 1u << to;
	}
	return states;
}

Test(dp_exchange, what_is_sealed_or_abandoned_is_not_answered_again)
{
	unsigned answered = DP_EXCHANGE_BIT(ANSWERED) | DP_EXCHANGE_BIT(ANSWERED_ACKED);
	unsigned abandoned = DP_EXCHANGE_BIT(ABANDONED) | DP_EXCHANGE_BIT(ABANDONED_ACKED);
	unsigned sealed = DP_EXCHANGE_BIT(SEALED) | DP_EXCHANGE_BIT(SEALED_ACKED);
	unsigned all = exchange_reach(DP_EXCHANGE_BIT(TAKEN));

	cr_expect_eq(all, (1u << DP_EXCHANGE_STATE_COUNT) - 1 - DP_EXCHANGE_BIT(FREE));
	cr_expect_eq(exchange_reach(abandoned), abandoned);
	cr_expect_eq(exchange_reach(sealed), sealed | DP_EXCHANGE_BIT(UNACKED));
	cr_expect(exchange_reach(answered) & sealed);
	for (unsigned from = 0; from < DP_EXCHANGE_STATE_COUNT; from++) {
		bool may = dp_exchange_may(from, DP_EXCHANGE_SEALED) ||
			dp_exchange_may(from, DP_EXCHANGE_SEALED_ACKED);

		cr_expect_eq(may, answered >> from & 1, "%u", from);
		// Only a handle that comes back frees what a loop holds.
		cr_expect_eq(dp_exchange_may(from, DP_EXCHANGE_FREE),
			from != DP_EXCHANGE_FREE && from != DP_EXCHANGE_HELD &&
				from != DP_EXCHANGE_HELD_ACKED,
			"%u", from);
		// Nothing that was acknowledged is answered as if it was not.
		for (unsigned to = 1; to < DP_EXCHANGE_STATE_COUNT; to++)
			if (dp_exchange_may(from, to) && dp_exchange_is_acked(from))
				cr_expect(dp_exchange_is_acked(to) || to == DP_EXCHANGE_ABANDONED,
					"%u to %u", from, to);
	}
}

Test(dp_exchange, sealing_again_aborts, .signal = SIGABRT)
{
	struct dp_exchange x = {.state = DP_EXCHANGE_SEALED};

	dp_exchange_to(&x, DP_EXCHANGE_SEALED);
}

Test(dp_exchange, giving_back_what_is_free_aborts, .signal = SIGABRT)
{
	struct dp_exchange_pool *pool = dp_exchange_pool_create(2, 64);

	dp_exchange_give(pool, 0);
}

Test(dp_exchange, a_handle_is_stale_after_give)
{
	struct dp_exchange_pool *pool = dp_exchange_pool_create(4, 100);
	uint32_t index[4];

	for (unsigned i = 0; i < 4; i++) {
		index[i] = dp_exchange_take(pool);
		cr_assert_neq(index[i], DP_INDEX_NONE);
		for (unsigned k = 0; k < i; k++)
			cr_assert_neq(index[i], index[k]);
	}
	cr_expect_eq(dp_exchange_take(pool), DP_INDEX_NONE);
	cr_expect_eq(pool->free_count, 0);
	struct dp_shared *shared = dp_exchange_shared(pool, index[2]);
	dp_handle handle = dp_handle_make(index[2], shared->generation);

	cr_expect_eq(dp_shared_get(&pool->shared, handle), shared);
	dp_shared_close(shared);
	cr_expect_null(dp_shared_get(&pool->shared, handle), "closed");
	handle = dp_handle_make(index[2], shared->generation);
	dp_exchange_give(pool, index[2]);
	cr_expect_null(dp_shared_get(&pool->shared, handle), "given");
	cr_expect_eq(dp_exchange_take(pool), index[2]);
	cr_expect_null(dp_shared_get(&pool->shared, handle), "another's now");
	cr_expect_null(dp_shared_get(&pool->shared, dp_handle_make(4, 0)), "no such exchange");
	cr_expect_null(dp_shared_get(&pool->shared, dp_handle_make(UINT32_MAX, 0)));
	// The buffers of two exchanges do not meet.
	cr_expect_geq(pool->shared.stride, sizeof(struct dp_shared) + 200);
	cr_expect_eq(dp_shared_response(shared), dp_shared_request_buf(shared) + 100);
	dp_exchange_pool_free(pool);
}

static size_t path_encode(const char *const *segments, uint8_t *buf, size_t room)
{
	struct coap_writer writer;

	coap_writer_init(&writer, buf, room);
	coap_write_option(&writer, COAP_OPT_URI_HOST, "evil", 4);
	for (; *segments; segments++)
		coap_write_option(&writer, COAP_OPT_URI_PATH, *segments, strlen(*segments));
	coap_write_option(&writer, COAP_OPT_URI_QUERY, "q", 1);
	cr_assert(!writer.failed);
	return coap_writer_len(&writer);
}

#define PATH(...) ((const char *const[]){__VA_ARGS__, NULL})

// Protocol rule A.11: what a server could decode and normalise again.
Test(coap_path, segments_that_may_not_go_on)
{
	const struct {
		const char *const *path;
		bool ok;
	} cases[] = {
		{PATH("a", "b"), true}, {PATH("a", ""), true}, // a trailing slash
		{PATH("a", "", "b"), false}, {PATH("", "a"), false}, {PATH("."), false},
		{PATH("a", ".."), false}, {PATH("..;x"), false}, {PATH(".;"), false},
		{PATH("..."), true}, {PATH(".a"), true}, {PATH("a;.."), true}, {PATH("a/b"), false},
		{PATH("a\\b"), false}, {PATH("a\nb"), false}, {PATH("a\x7f"), false},
		{PATH("%2e%2e"), true}, // "%" is encoded again
		{PATH("a?b#c"), true}, {PATH("\xc3\xa4"), true},
		{PATH("\xc2\x85"), false},     // U+0085
		{PATH("\xc0\xaf"), false},     // "/" overlong
		{PATH("\xed\xa0\x80"), false}, // a surrogate
		{PATH("\xf4\x90\x80\x80"), false}, {PATH("\xf0\x9f\x98\x80"), true},
		{PATH("\xe2\x82"), false}, // cut
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t buf[64];
		struct coap_body body;

		cr_assert_eq(
			coap_body_parse(&body, buf, path_encode(cases[i].path, buf, sizeof(buf))),
			COAP_OK);
		cr_expect_eq(coap_path_ok(&body), cases[i].ok, "case %u", i);
	}
	cr_expect_not(coap_segment_ok((const uint8_t *)"a\0b", 3), "NUL");
}

Test(dp_echo, only_the_value_made_for_this_and_now_is_valid)
{
	const struct dp_echo_key key = {{1, 2, 3}}, other = {{1, 2, 4}};
	const uint64_t now = 1000000;
	uint8_t echo[DP_ECHO_LEN + 1] = {0};

	dp_echo_make(&key, 7, 3, 1, now, echo);
	cr_expect(dp_echo_valid(&key, 7, 3, 1, now, echo, DP_ECHO_LEN));
	cr_expect(dp_echo_valid(&key, 7, 3, 1, now + DP_ECHO_AGE_MS, echo, DP_ECHO_LEN));
	cr_expect_not(dp_echo_valid(&key, 7, 3, 1, now + DP_ECHO_AGE_MS + 1, echo, DP_ECHO_LEN));
	cr_expect_not(dp_echo_valid(&key, 7, 3, 1, now - 1, echo, DP_ECHO_LEN), "from the future");
	cr_expect_not(dp_echo_valid(&other, 7, 3, 1, now, echo, DP_ECHO_LEN), "another start");
	cr_expect_not(dp_echo_valid(&key, 8, 3, 1, now, echo, DP_ECHO_LEN), "another context");
	cr_expect_not(dp_echo_valid(&key, 7, 5, 1, now, echo, DP_ECHO_LEN), "another generation");
	cr_expect_not(dp_echo_valid(&key, 7, 3, 2, now, echo, DP_ECHO_LEN), "another phase");
	for (size_t len = 0; len <= DP_ECHO_LEN + 1; len++)
		cr_expect_eq(dp_echo_valid(&key, 7, 3, 1, now, echo, len), len == DP_ECHO_LEN);
	for (unsigned bit = 0; bit < 8 * DP_ECHO_LEN; bit++) {
		echo[bit / 8] ^= 1 << bit % 8;
		cr_expect_not(dp_echo_valid(&key, 7, 3, 1, now, echo, DP_ECHO_LEN), "bit %u", bit);
		echo[bit / 8] ^= 1 << bit % 8;
	}
}

#define ROUNDS 100000

static struct dp_doorbell bell;
static uint32_t sent; // the ring: as many as were sent
static uint32_t taken;
static uint32_t lost;

static void *sleeper(void *arg)
{
	uint32_t got = 0;

	while (got < ROUNDS) {
		uint32_t there = __atomic_load_n(&sent, __ATOMIC_ACQUIRE);

		if (there != got) {
			got = there;
			__atomic_store_n(&taken, got, __ATOMIC_RELEASE);
			continue;
		}
		struct pollfd fd = {.fd = bell.fd, .events = POLLIN};

		dp_doorbell_arm(&bell);
		if (__atomic_load_n(&sent, __ATOMIC_RELAXED) == got && poll(&fd, 1, 60000) != 1) {
			__atomic_store_n(&lost, 1, __ATOMIC_RELEASE);
			break;
		}
		dp_doorbell_disarm(&bell);
	}
	return NULL;
}

Test(dp_doorbell, no_wake_up_is_lost)
{
	pthread_t thread;

	cr_assert_eq(dp_doorbell_init(&bell), 0);
	cr_assert_eq(pthread_create(&thread, NULL, sleeper, NULL), 0);
	for (uint32_t i = 1; i <= ROUNDS && !__atomic_load_n(&lost, __ATOMIC_ACQUIRE); i++) {
		__atomic_store_n(&sent, i, __ATOMIC_RELEASE);
		dp_doorbell_ring(&bell);
		// In step now and then, so that the other side comes to sleep and no later ring
		// wakes it in the place of this one.
		if (rnd() % 4 == 0)
			while (__atomic_load_n(&taken, __ATOMIC_ACQUIRE) != i &&
				!__atomic_load_n(&lost, __ATOMIC_ACQUIRE))
				sched_yield();
	}
	pthread_join(thread, NULL);
	cr_expect_not(lost, "the sleeper was not woken");
	dp_doorbell_close(&bell);
	cr_expect_eq(bell.fd, -1);
	dp_doorbell_close(&bell);
}
