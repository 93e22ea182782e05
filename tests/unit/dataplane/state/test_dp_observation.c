// SPDX-License-Identifier: BSD-3-Clause
// Observations: how they are found, when their timers end, and how often is notified.

#include "dataplane/state/notify.h"
#include "dataplane/state/observation.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST     48
#define CONTEXTS 6
#define SLOTS    4
#define SHARE    12
#define START_MS UINT64_C(5000000000)

static uint64_t state = 88172645463325252;

static uint32_t random_below(uint32_t below)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (state >> 32) * below >> 32;
}

static struct dp_flow flow_of(unsigned port)
{
	return (struct dp_flow){
		.remote_addr = {10}, .remote_port = port, .family = 4, .remote_mac = {port}};
}

static uint32_t add(struct dp_observations *all, uint32_t context, unsigned port, const char *token,
	uint32_t slot, unsigned most)
{
	struct dp_flow flow = flow_of(port);
	const struct dp_observer who = {
		.context = context,
		.generation = 1,
		.flow = &flow,
		.token = (const uint8_t *)token,
		.token_len = strlen(token),
	};

	return dp_observation_add(all, &who, slot, most);
}

static uint32_t find(
	struct dp_observations *all, uint32_t context, unsigned port, const char *token)
{
	struct dp_flow flow = flow_of(port);
	const struct dp_observer who = {
		.context = context,
		.generation = 1,
		.flow = &flow,
		.token = (const uint8_t *)token,
		.token_len = strlen(token),
	};

	return dp_observation_find(all, &who);
}

// What the model knows of one observation.
struct known {
	uint32_t index; // 0: it is not there
	uint32_t context, slot;
	unsigned port;
	char token[4];
	uint16_t mid[2];
	unsigned mids;
	uint64_t due_ms; // 0: no timer
};

static struct known known[MOST];

static unsigned of_context(uint32_t context)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MOST; i++)
		n += known[i].index && known[i].context == context;
	return n;
}

static struct known *by_index(uint32_t index)
{
	for (unsigned i = 0; i < MOST; i++)
		if (known[i].index == index)
			return &known[i];
	return NULL;
}

static void check_all(struct dp_observations *all)
{
	unsigned count = 0;

	for (unsigned i = 0; i < MOST; i++) {
		const struct known *k = &known[i];
		struct dp_flow flow = flow_of(k->port);

		if (!k->index)
			continue;
		count++;
		cr_assert_eq(find(all, k->context, k->port, k->token), k->index);
		cr_assert_eq(dp_observation_at(all, k->index)->slot, k->slot);
		for (unsigned m = 0; m < k->mids; m++) {
			const struct known *other =
				by_index(dp_observation_by_mid(all, &flow, k->mid[m]));

			cr_assert(dp_observation_possible(all, &flow, k->mid[m]));
			cr_assert(other && other->port == k->port);
		}
	}
	cr_assert_eq(dp_observation_count(all), count);
	for (uint32_t context = 0; context < CONTEXTS; context++) {
		unsigned n = 0;
		uint32_t index = dp_observation_of_context(all, context, 1);

		for (; index; index = dp_observation_next_of_context(all, index), n++)
			cr_assert_eq(by_index(index)->context, context);
		cr_assert_eq(n, of_context(context));
		cr_assert_eq(dp_observation_of_context(all, context, 3), 0);
	}
}

static void add_some(struct dp_observations *all)
{
	struct known new = {
		.context = random_below(CONTEXTS),
		.slot = random_below(SLOTS),
		.port = 1 + random_below(3),
	};
	unsigned at = 0;

	snprintf(new.token, sizeof(new.token), "%u", random_below(40));
	if (find(all, new.context, new.port, new.token))
		return;
	new.index = add(all, new.context, new.port, new.token, new.slot, SHARE);
	unsigned held = of_context(new.context), count = dp_observation_count(all);

	if (!new.index) {
		cr_assert(held == SHARE || count == MOST);
		return;
	}
	cr_assert_lt(held, SHARE);
	while (known[at].index)
		at++;
	known[at] = new;
}

static void change_some(struct dp_observations *all, struct known *k, uint64_t now_ms)
{
	switch (random_below(6)) {
	case 0:
		dp_observation_remove(all, k->index);
		*k = (struct known){0};
		break;
	case 1:
		k->mid[1] = k->mid[0];
		k->mid[0] = random_below(30);
		k->mids += k->mids < 2;
		dp_observation_sent(all, k->index, k->mid[0]);
		break;
	case 2:
		k->mids = 0;
		dp_observation_forget(all, k->index);
		break;
	case 3:
		k->due_ms = 0;
		dp_observation_sleep(all, k->index);
		break;
	default:
		k->due_ms = now_ms + random_below(random_below(2) ? 300 : 200000);
		dp_observation_wake(all, k->index, k->due_ms);
		break;
	}
}

// No timer ends early, and none later than a few ticks after its time.
static void expire_some(struct dp_observations *all, uint64_t now_ms)
{
	uint32_t index;

	for (unsigned budget = 100000;
		(index = dp_observation_expire(all, now_ms, &budget)) != DP_OBSERVATION_NONE;) {
		struct known *k = by_index(index);

		cr_assert(k && k->due_ms && k->due_ms <= now_ms);
		k->due_ms = 0;
	}
	for (unsigned i = 0; i < MOST; i++)
		cr_assert(!known[i].index || !known[i].due_ms ||
			known[i].due_ms + 3 * DP_OBSERVATION_TICK_MS > now_ms);
}

Test(dp_observation, agrees_with_a_list)
{
	uint64_t now_ms = START_MS;
	struct dp_observations *all = dp_observations_create(MOST, SLOTS, now_ms);

	cr_assert(all);
	for (unsigned step = 0; step < 60000; step++) {
		struct known *k = &known[random_below(MOST)];

		if (k->index)
			change_some(all, k, now_ms);
		else if (random_below(3))
			add_some(all);
		if (!(step % 16)) {
			now_ms += random_below(random_below(50) ? 60 : 100000);
			expire_some(all, now_ms);
		}
		if (!(step % 8))
			check_all(all);
	}
	dp_observations_free(all);
}

Test(dp_observation, expires_no_more_than_the_budget)
{
	struct dp_observations *all = dp_observations_create(MOST, SLOTS, START_MS);
	unsigned n = 0, calls = 0, budget;

	for (unsigned i = 0; i < MOST; i++) {
		uint32_t index = add(all, i, 1, "t", 0, SHARE);

		cr_assert(index);
		dp_observation_wake(all, index, START_MS + 100);
	}
	for (; n < MOST; calls++) {
		budget = 5;
		unsigned before = n;

		while (dp_observation_expire(all, START_MS + 200, &budget))
			n++;
		cr_assert_leq(n - before, 5);
		cr_assert_lt(calls, 20);
	}
	budget = 5;
	cr_assert_eq(dp_observation_expire(all, START_MS + 200, &budget), 0);
	cr_assert_eq(budget, 5, "looking at what is not there costs nothing");
	dp_observations_free(all);
}

// Each that stays is met once, whatever else is added or removed between two steps.
Test(dp_observation, walks_a_slot_in_slices)
{
	struct dp_observations *all = dp_observations_create(MOST, SLOTS, START_MS);
	bool met[MOST + 1] = {false};
	uint32_t first[30], index;
	unsigned n = 0;

	for (unsigned i = 0; i < 30; i++)
		first[i] = add(all, i, 1, "t", 2, SHARE);
	dp_observation_walk(all, 2);
	while ((index = dp_observation_walk_next(all)) != DP_OBSERVATION_NONE) {
		cr_assert(!met[index]);
		met[index] = true;
		n++;
		if (n % 3 == 0) // itself
			dp_observation_remove(all, index);
		if (n == 10) // the next one
			for (unsigned i = 0; i < 30; i++)
				if (!met[first[i]] && i % 2)
					dp_observation_remove(all, first[i]);
		if (n == 4)
			cr_assert(add(all, 40, 1, "new", 2, SHARE));
	}
	for (unsigned i = 0; i < 30; i++)
		cr_assert(met[first[i]] || i % 2);
	cr_assert_geq(n, 20);
	dp_observations_free(all);
}

// RFC 7641 section 4.5.
Test(dp_notify, confirms_each_nth_and_each_day)
{
	unsigned since = 0, con = 0;

	for (unsigned i = 0; i < 64; i++) {
		bool confirm = dp_notify_confirms(since, 16, 100, 200);

		con += confirm;
		since = confirm ? 0 : since + 1;
	}
	cr_assert_eq(con, 4);
	cr_assert(dp_notify_confirms(0, 1, 100, 100), "each one");
	cr_assert(!dp_notify_confirms(0, 16, 100, 100 + 22 * 3600));
	cr_assert(dp_notify_confirms(0, 16, 100, 100 + 24 * 3600 - 60));
}

Test(dp_notify, refreshes_before_max_age_ends)
{
	uint64_t least = UINT64_MAX, most = 0;

	for (unsigned i = 0; i < 1000; i++) {
		uint64_t wait = dp_notify_refresh_ms(60, 0, random_below(UINT32_MAX));

		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
	}
	cr_assert(most <= 57000 && most > 56000, "%lu", (unsigned long)most);
	cr_assert(least >= 42000 && least < 43000, "%lu", (unsigned long)least);
	cr_assert_eq(dp_notify_refresh_ms(1, 0, 0), 3000);
	cr_assert_eq(dp_notify_refresh_ms(0, 0, 7), 3000);
	cr_assert_eq(dp_notify_refresh_ms(5, 10000, 7), 10000);
	cr_assert_eq(dp_notify_refresh_ms(UINT32_MAX, 0, 0), UINT64_C(4080218930250));
}

// RFC 7641 section 4.5.1.
Test(dp_notify, sends_one_in_three_seconds_on_average)
{
	uint32_t now = dp_bucket_now(START_MS), at = now;
	unsigned sent = 0;

	for (unsigned ms = 0; ms < 60000; ms += 10)
		sent += !dp_notify_rate(&at, now + ms * DP_BUCKET_PER_MS);
	cr_assert_eq(sent, 4 + 19);
	uint32_t wait = dp_notify_rate(&at, now + 60000 * DP_BUCKET_PER_MS);

	if (wait) {
		cr_assert_leq(wait, 3000);
		cr_assert(!dp_notify_rate(&at, now + (60000 + wait) * DP_BUCKET_PER_MS));
	}
}
