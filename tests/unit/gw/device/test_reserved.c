// SPDX-License-Identifier: BSD-3-Clause
// Names that no device may have.

#include "gw/device/reserved.h"

#include <criterion/criterion.h>
#include <string.h>

static struct device_ids ids(const char *kid, const char *context, bool derives)
{
	return (struct device_ids){
		.kid = (const uint8_t *)kid,
		.kid_len = (uint8_t)strlen(kid),
		.has_id_context = context != NULL,
		.id_context = (const uint8_t *)context,
		.id_context_len = context ? (uint8_t)strlen(context) : 0,
		.derives = derives,
	};
}

static bool has(
	struct device_reserved *reserved, const char *kid, const char *context, bool derives)
{
	const struct device_ids device = ids(kid, context, derives);

	return device_reserved_has(reserved, &device);
}

Test(device_reserved, names)
{
	struct device_reserved *reserved = device_reserved_new();
	const struct device_ids names[] = {ids("b", "x", false), ids("a", NULL, false),
		ids("", NULL, false), ids("b", "", false), ids("abc", "x", false),
		ids("b", "y", false)};

	cr_assert_not_null(reserved);
	cr_expect_not(has(reserved, "a", NULL, false));
	cr_assert_eq(device_reserved_set(reserved, names, sizeof(names) / sizeof(names[0])), 0);
	cr_expect(has(reserved, "a", NULL, false));
	cr_expect(has(reserved, "a", "any", false), "it is of all of its kid");
	cr_expect(has(reserved, "", NULL, false));
	cr_expect(has(reserved, "b", "x", false));
	cr_expect(has(reserved, "b", "y", false));
	cr_expect(has(reserved, "b", "", false));
	cr_expect_not(has(reserved, "b", NULL, false));
	cr_expect_not(has(reserved, "b", "xy", false));
	cr_expect(has(reserved, "b", "xy", true), "its ID Context may be any one day");
	cr_expect(has(reserved, "abc", NULL, true));
	cr_expect_not(has(reserved, "abc", NULL, false));
	cr_expect_not(has(reserved, "c", NULL, true));
	cr_expect_not(has(reserved, "ab", NULL, true));
	cr_assert_eq(device_reserved_set(reserved, names, 1), 0);
	cr_expect_not(has(reserved, "a", NULL, false));
	cr_expect(has(reserved, "b", "x", false));
	cr_assert_eq(device_reserved_set(reserved, NULL, 0), 0);
	cr_expect_not(has(reserved, "b", "x", false));
	cr_expect_not(has(NULL, "b", "x", false));
	device_reserved_free(reserved);
	device_reserved_free(NULL);
}
