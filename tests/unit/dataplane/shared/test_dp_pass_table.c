// SPDX-License-Identifier: BSD-3-Clause
// Which messages are passed through.

#include "dataplane/shared/passthrough.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct dp_pass *find(const struct dp_pass_table *table, const char *kid, int kid_len,
	const char *context, int context_len)
{
	const struct osc_option option = {
		.kid = (const uint8_t *)kid,
		.kid_len = (uint8_t)kid_len,
		.has_kid = true,
		.kid_context = (const uint8_t *)context,
		.kid_context_len = (uint8_t)context_len,
		.has_kid_context = context != NULL,
	};

	return dp_pass_find(table, &option);
}

Test(dp_pass_table, names)
{
	static const struct dp_pass entries[] = {
		{.kid_len = 0, .route = 0},
		{.kid_len = 1, .kid = "a", .route = 1},
		{.kid_len = 2, .kid = "a\0", .route = 2},
		{.kid_len = 1,
			.kid = "b",
			.has_kid_context = true,
			.kid_context_len = 1,
			.kid_context = (const uint8_t *)"x",
			.route = 3},
		{.kid_len = 1,
			.kid = "b",
			.has_kid_context = true,
			.route = 4,
			.kid_context = (const uint8_t *)""},
	};
	struct dp_pass_table *table =
		dp_pass_table_create(entries, sizeof(entries) / sizeof(entries[0]));

	cr_assert_not_null(table);
	cr_expect_eq(find(table, "", 0, NULL, 0)->route, 0);
	cr_expect_eq(find(table, "a", 1, NULL, 0)->route, 1);
	cr_expect_eq(find(table, "a\0", 2, NULL, 0)->route, 2);
	cr_expect_eq(find(table, "a", 1, "any", 3)->route, 1, "whatever its kid context is");
	cr_expect_null(find(table, "b", 1, NULL, 0));
	cr_expect_null(find(table, "b", 1, "xx", 2));
	cr_expect_null(find(table, "b", 1, "y", 1));
	cr_expect_eq(find(table, "b", 1, "x", 1)->route, 3);
	cr_expect_eq(find(table, "b", 1, "", 0)->route, 4);
	cr_expect_null(find(table, "c", 1, NULL, 0));
	cr_expect_null(find(table, "aaaaaaaaaaaaaaaa", 16, NULL, 0), "no kid is so long");
	dp_pass_table_free(table);
}

Test(dp_pass_table, a_thousand_are_all_found)
{
	enum { MANY = 1024, LONG = 255 };
	struct dp_pass *entries = calloc(MANY, sizeof(*entries));
	uint8_t(*contexts)[LONG] = calloc(MANY, LONG);

	for (unsigned i = 0; i < MANY; i++) { // they differ at the very end
		memcpy(contexts[i] + LONG - sizeof(i), &i, sizeof(i));
		entries[i] = (struct dp_pass){
			.kid_len = 1,
			.kid = {7},
			.has_kid_context = i % 2,
			.kid_context = contexts[i],
			.kid_context_len = LONG,
			.route = (uint16_t)i,
		};
		if (i % 2)
			continue;
		entries[i].kid_len = 4;
		memcpy(entries[i].kid, &i, sizeof(i));
	}
	struct dp_pass_table *table = dp_pass_table_create(entries, MANY);

	cr_assert_not_null(table);
	for (unsigned i = 0; i < MANY; i++) {
		const struct dp_pass *found = i % 2
			? find(table, "\7", 1, (const char *)contexts[i], LONG)
			: find(table, (const char *)&i, 4, NULL, 0);

		cr_assert_not_null(found);
		cr_assert_eq(found->route, i);
	}
	dp_pass_table_free(table);
	free(contexts);
	free(entries);
}
