// SPDX-License-Identifier: BSD-3-Clause
// Nothing that is stored is ever shown to a device or on a route that may not see it: random
// routes, policies, entries and requests. Each entry says in its payload for whom it was stored,
// and a model says what may be answered.

#include "dataplane/shared/representation.h"
#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define DEVICES  4
#define ROUTES   4
#define POLICIES 4 // the first is none
#define PATHS    3 // below each route
#define ROUNDS   40
#define STEPS    100

static struct bed bed;
static struct bed_device device[DEVICES];
static uint16_t policy_of[DEVICES];
static struct dp_segment segments[ROUTES][2];
static char names[ROUTES][4];
static struct dp_route routes[ROUTES];
static uint8_t allowed[POLICIES][ROUTES]; // methods
static struct dp_route_index *permit_index[POLICIES], *route_index;
static const struct dp_route_index *permits[POLICIES];
static uint64_t piv, next_id;
static uint64_t state = 1;

static unsigned random_below(unsigned n)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)((state >> 33) % n);
}

static uint8_t random_methods(void)
{
	return (uint8_t)(random_below(128) << 1) | 1 << COAP_GET * random_below(2);
}

static void tables_free(void)
{
	dp_route_index_free(route_index);
	for (unsigned p = 1; p < POLICIES; p++)
		dp_route_index_free(permit_index[p]);
}

// Other routes and policies. Ids are never used again, as the loop drops what is of a route that is
// gone.
static void tables_make(void)
{
	for (unsigned r = 0; r < ROUTES; r++) {
		snprintf(names[r], sizeof(names[r]), "r%u", r);
		segments[r][0] = (struct dp_segment){names[r], 2};
		routes[r] = (struct dp_route){
			.segments = segments[r],
			.segment_count = 1,
			.rest = true,
			.methods = (uint8_t)(random_methods() | 1 << COAP_GET),
			.timeout_ms = BED_TIMEOUT_MS,
			.cache_id = random_below(4) ? ++next_id : 0,
			.cache_shared = random_below(2),
		};
		routes[r].home = routes[r].cache_id ? 1 + random_below(2) : random_below(3);
	}
	route_index = dp_route_index_create(routes, ROUTES);
	for (unsigned p = 1; p < POLICIES; p++) {
		struct dp_route entries[ROUTES];
		unsigned n = 0;

		for (unsigned r = 0; r < ROUTES; r++) {
			allowed[p][r] = random_below(2) ? random_methods() : 0;
			if (allowed[p][r])
				entries[n++] = (struct dp_route){.segments = segments[r],
					.segment_count = 1,
					.rest = true,
					.methods = allowed[p][r]};
		}
		permits[p] = permit_index[p] = dp_route_index_create(entries, n);
	}
	bed.policy.routes = routes;
	bed.policy.route_count = ROUTES;
	bed.policy.index = route_index;
	bed.policy.permit = permits;
	bed.policy.permit_count = POLICIES;
	for (unsigned d = 0; d < DEVICES; d++) {
		policy_of[d] = (uint16_t)random_below(POLICIES);
		const struct dp_context_limits limits = {.permit = policy_of[d]};

		cr_assert_eq(dp_context_limit(dp_contexts(bed.dp), device[d].context,
				     device[d].generation, &limits),
			0);
	}
}

static size_t request_make(uint8_t *plaintext, uint8_t code, unsigned route, unsigned path)
{
	struct coap_writer w;
	char segment[4];

	coap_writer_init(&w, plaintext, 64);
	coap_write_code(&w, code);
	coap_write_option(&w, COAP_OPT_URI_PATH, names[route], 2);
	snprintf(segment, sizeof(segment), "%u", path);
	coap_write_option(&w, COAP_OPT_URI_PATH, segment, 1);
	return coap_writer_len(&w);
}

// What a loop would publish of a device's request: its payload says whose it is.
static void publish(unsigned d, unsigned route, unsigned path, uint8_t code)
{
	const struct dp_route *r = &routes[route];
	struct dp_reps *reps = dp_reps(bed.dp);
	const struct dp_rep_asker asker = {.route = r->cache_id,
		.code = code,
		.shared = r->cache_shared,
		.context = device[d].context,
		.generation = device[d].generation};
	uint8_t plaintext[64];
	size_t len = request_make(plaintext, code, route, path);
	struct coap_body body;
	struct dp_rep_key key;
	char says[32];
	struct dp_rep_table *table;

	if (!r->cache_id)
		return;
	table = &reps->table[r->home - 1];
	cr_assert_eq(coap_body_parse(&body, plaintext + 1, len - 1), 0);
	cr_assert(dp_rep_key_make(&key, &reps->keys, &asker, &body));
	uint32_t slot = dp_rep_place(table, key.hash, key.bytes, key.len, NULL, NULL);
	const struct dp_representation *before = dp_rep_at(table, slot);

	if (before && before->hash != key.hash)
		dp_rep_evict(table, slot);
	int n = snprintf(says, sizeof(says), "%u %u %u %lu %d", code, route, path, r->cache_id,
		r->cache_shared ? -1 : (int)d);
	struct dp_representation *rep = dp_rep_make(&key, (uint32_t)n);

	rep->code = COAP_CONTENT;
	rep->content_format = DP_REP_NO_FORMAT;
	rep->fresh_ms = bed.w->now_ms + 100000;
	memcpy(rep->bytes + rep->key_len, says, (size_t)n);
	dp_rep_publish(table, slot, rep);
}

// Asks, and checks what comes. Returns whether it came from what is stored.
static bool ask(unsigned d, unsigned route, unsigned path, uint8_t code)
{
	static struct bed_request request;
	static struct bed_answer answer;
	const uint8_t changed = COAP_CHANGED;
	uint64_t cached = bed_count(&bed, DP_STAT_answers_cached);
	const struct dp_route *r = &routes[route];
	bool may = (!policy_of[d] || allowed[policy_of[d]][route] >> code & 1) &&
		r->methods >> code & 1;
	uint8_t plaintext[64];
	struct coap_body body;
	char says[32];
	dp_handle handle;

	piv++;
	bed_seal(&device[d], &request, COAP_NON, (uint16_t)piv, piv, plaintext,
		request_make(plaintext, code, route, path));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	if (bed_upstream_take(&bed, &handle)) {
		cr_assert(may);
		bed_upstream_answer(&bed, handle, &changed, 1);
		bed_turn(&bed);
	}
	cr_assert(bed_receive(&bed, &answer));
	if (bed_count(&bed, DP_STAT_answers_cached) == cached)
		return false;
	cr_assert(bed_open(&device[d], &request, &answer));
	cr_assert(may, "device %u, route %u, method %u", d, route, code);
	cr_assert(r->cache_id);
	snprintf(says, sizeof(says), "%u %u %u %lu %d", code, route, path, r->cache_id,
		r->cache_shared ? -1 : (int)d);
	cr_assert_eq(coap_body_parse(&body, answer.plaintext + 1, answer.plaintext_len - 1), 0);
	cr_assert_eq(body.payload_len, strlen(says));
	cr_assert(!memcmp(body.payload, says, body.payload_len), "%.*s is shown for %s",
		body.payload_len, body.payload, says);
	return true;
}

Test(dp_cached_seen, by_who_may)
{
	unsigned shown = 0;

	bed_make_loops(&bed, 2);
	bed_stop_clock(&bed);
	for (unsigned d = 0; d < DEVICES; d++) {
		bed_device_make(&device[d], (uint8_t)(d + 2), AEAD_AES_CCM_16_64_128);
		bed_device_add(&bed, &device[d], true);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		if (round)
			tables_free();
		tables_make();
		bed_fast_paths(&bed, round % 2);
		for (unsigned step = 0; step < STEPS; step++) {
			unsigned d = random_below(DEVICES), route = random_below(ROUTES);
			unsigned path = random_below(PATHS);
			uint8_t code = random_below(4) ? COAP_GET : 1 + random_below(COAP_IPATCH);

			if (random_below(2))
				publish(d, route, path, code);
			else
				shown += ask(d, route, path, code);
		}
	}
	cr_expect_gt(shown, ROUNDS * STEPS / 50, "%u", shown);
	tables_free();
	bed_free(&bed);
}
