// SPDX-License-Identifier: BSD-3-Clause
// Which entries of the registry have a device, of which the status counts states.

#include "gw/registry.h"

#include <criterion/criterion.h>

Test(registry, next_finds_each_device_and_nobody_else)
{
	static const uint32_t taken[] = {0, 1, 63, 64, 127, 191, 199};
	const uint32_t count = sizeof(taken) / sizeof(taken[0]);
	uint64_t words[4] = {0};
	const struct registry registry = {.taken = words, .max = 200};

	cr_assert_eq(registry_next(&registry, 0), 200);
	for (uint32_t i = 0; i < count; i++)
		words[taken[i] / 64] |= UINT64_C(1) << taken[i] % 64;
	for (uint32_t from = 0, i = 0; from < 200; from++) {
		i += i < count && taken[i] < from;
		cr_assert_eq(
			registry_next(&registry, from), i < count ? taken[i] : 200, "%u", from);
	}
	cr_assert_eq(registry_next(&registry, 200), 200);
	cr_assert_eq(registry_next(&registry, UINT32_MAX), 200);
}
