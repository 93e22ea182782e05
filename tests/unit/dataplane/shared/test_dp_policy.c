// SPDX-License-Identifier: BSD-3-Clause
// The route of a request: the first in the order of the configuration that matches path and method.

#include "dataplane/shared/policy.h"

#include <criterion/criterion.h>
#include <string.h>

#define GET         (1 << COAP_GET)
#define POST        (1 << COAP_POST)
#define ROUTES_MAX  40
#define ROUTE_DEPTH 5

static void path_make(struct dp_path *path, const char *const *segments)
{
	for (path->count = 0; segments[path->count]; path->count++)
		path->segment[path->count] = (struct dp_segment){
			.text = segments[path->count], .len = strlen(segments[path->count])};
}

#define PATH(...) ((const char *const[]){__VA_ARGS__, NULL})

Test(dp_policy, the_first_route_that_matches_wins)
{
	const struct dp_segment a[] = {{"a", 1}}, a_any[] = {{"a", 1}, {NULL, 0}},
				a_b_c[] = {{"a", 1}, {"b", 1}, {"c", 1}};
	const struct dp_route routes[] = {
		{.segments = a_b_c, .segment_count = 3, .methods = GET},                  // /a/b/c
		{.segments = a_any, .segment_count = 2, .methods = GET},                  // /a/+
		{.segments = a, .segment_count = 1, .methods = POST},                     // /a
		{.segments = a, .segment_count = 1, .rest = true, .methods = GET | POST}, // /a/#
		{.segment_count = 0, .methods = GET},                                     // /
	};
	const struct {
		const char *const *path;
		uint8_t method;
		int route;
	} cases[] = {
		{PATH("a", "b", "c"), COAP_GET, 0},
		{PATH("a", "b", "c"), COAP_POST, 3},
		{PATH("a", "b"), COAP_GET, 1},
		{PATH("a", "xyz"), COAP_GET, 1},
		{PATH("a", "b"), COAP_POST, 3},
		{PATH("a"), COAP_POST, 2},
		{PATH("a"), COAP_GET, 3},
		{PATH("a"), COAP_PUT, DP_ROUTE_METHOD},
		{PATH("a"), COAP_IPATCH + 1, DP_ROUTE_METHOD},
		{PATH("a"), 255, DP_ROUTE_METHOD},
		{PATH("a", "b", "c", "d"), COAP_GET, 3},
		{PATH("A"), COAP_GET, DP_ROUTE_NONE},
		{PATH("ab"), COAP_GET, DP_ROUTE_NONE},
		{PATH("b", "a"), COAP_GET, DP_ROUTE_NONE},
		{PATH("a", ""), COAP_GET, 1},
		{PATH(NULL), COAP_GET, 4},
		{PATH(NULL), COAP_POST, DP_ROUTE_METHOD},
	};
	struct dp_route_index *index = dp_route_index_create(routes, 5);

	cr_assert_not_null(index);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dp_path path;

		path_make(&path, cases[i].path);
		cr_expect_eq(
			dp_route_find(index, &path, cases[i].method), cases[i].route, "case %u", i);
	}
	dp_route_index_free(index);
}

// What the index must find: the routes are looked at one after the other.
static bool matches(const struct dp_route *route, const struct dp_path *path)
{
	if (path->count < route->segment_count ||
		(path->count > route->segment_count && !route->rest))
		return false;
	for (unsigned i = 0; i < route->segment_count; i++) {
		const struct dp_segment *want = &route->segments[i], *is = &path->segment[i];

		if (want->text && (want->len != is->len || memcmp(want->text, is->text, is->len)))
			return false;
	}
	return true;
}

static int find_slowly(
	const struct dp_route *routes, unsigned count, const struct dp_path *path, uint8_t method)
{
	int found = DP_ROUTE_NONE;

	for (unsigned i = 0; i < count; i++) {
		if (!matches(&routes[i], path))
			continue;
		if (routes[i].methods & 1 << method)
			return (int)i;
		found = DP_ROUTE_METHOD;
	}
	return found;
}

static uint64_t state = 1;

static uint32_t rnd(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 32) * below >> 32;
}

static struct dp_segment some_segment(void)
{
	static const char *const texts[] = {"a", "b", "ab", "", "ba"};
	const char *text = texts[rnd(5)];

	return (struct dp_segment){.text = text, .len = strlen(text)};
}

static void routes_make(
	struct dp_route *routes, struct dp_segment (*segments)[ROUTE_DEPTH], unsigned count)
{
	unsigned wildcards = rnd(101); // percent

	for (unsigned i = 0; i < count; i++) {
		routes[i] = (struct dp_route){
			.segments = segments[i],
			.segment_count = rnd(ROUTE_DEPTH + 1),
			.rest = rnd(4) == 0,
			.methods = rnd(3) ? rnd(128) << 1 : 0xfe,
		};
		for (unsigned k = 0; k < routes[i].segment_count; k++)
			segments[i][k] = rnd(100) < wildcards ? (struct dp_segment){NULL, 0}
							      : some_segment();
	}
}

Test(dp_policy, the_index_finds_what_a_walk_over_all_routes_finds)
{
	static struct dp_segment segments[ROUTES_MAX][ROUTE_DEPTH];
	struct dp_route routes[ROUTES_MAX];
	unsigned found = 0, other = 0;

	for (unsigned round = 0; round < 3000; round++) {
		unsigned count = rnd(ROUTES_MAX + 1);

		routes_make(routes, segments, count);
		struct dp_route_index *index = dp_route_index_create(routes, count);

		cr_assert_not_null(index);
		for (unsigned i = 0; i < 50; i++) {
			struct dp_path path = {.count = rnd(ROUTE_DEPTH + 2)};
			uint8_t method = 1 + rnd(7);

			for (unsigned k = 0; k < path.count; k++)
				path.segment[k] = some_segment();
			int is = dp_route_find(index, &path, method);

			cr_assert_eq(is, find_slowly(routes, count, &path, method),
				"round %u, path %u: %d", round, i, is);
			found += is >= 0;
			other += is == DP_ROUTE_METHOD;
		}
		dp_route_index_free(index);
	}
	cr_expect_gt(found, 10000, "%u", found);
	cr_expect_gt(other, 1000, "%u", other);
}

// As many ways to place wildcards as there are routes, and the longest path there is.
Test(dp_policy, the_longest_path_through_every_wildcard)
{
	static struct dp_segment segments[DP_PATH_MAX + 1][DP_PATH_MAX];
	struct dp_route routes[DP_PATH_MAX + 1];
	struct dp_path path = {.count = DP_PATH_MAX};

	for (unsigned i = 0; i <= DP_PATH_MAX; i++) {
		routes[i] = (struct dp_route){.segments = segments[i],
			.segment_count = DP_PATH_MAX,
			.methods = i == DP_PATH_MAX ? POST : GET};
		for (unsigned k = 0; k < DP_PATH_MAX; k++)
			if (i != k)
				segments[i][k] = (struct dp_segment){"a", 1};
	}
	for (unsigned k = 0; k < DP_PATH_MAX; k++)
		path.segment[k] = (struct dp_segment){"a", 1};
	struct dp_route_index *index = dp_route_index_create(routes, DP_PATH_MAX + 1);

	cr_assert_not_null(index);
	cr_expect_eq(dp_route_find(index, &path, COAP_GET), 0);
	cr_expect_eq(dp_route_find(index, &path, COAP_POST), DP_PATH_MAX);
	cr_expect_eq(dp_route_find(index, &path, COAP_PUT), DP_ROUTE_METHOD);
	path.segment[DP_PATH_MAX - 1].text = "b";
	cr_expect_eq(dp_route_find(index, &path, COAP_GET), DP_PATH_MAX - 1);
	dp_route_index_free(index);
}
