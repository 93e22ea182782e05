// SPDX-License-Identifier: BSD-3-Clause
// Names of policies keep their numbers, and one that gets none allows nothing.

#include "dataplane/shared/policy.h"
#include "gw/daemon/policies.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

Test(policies, names_keep_their_numbers)
{
	struct policies policies = {.count = 0};
	char name[16];

	cr_expect_eq(policies_find(&policies, "a"), DP_PERMIT_NOTHING);
	cr_expect_eq(policies_get(&policies, ""), DP_PERMIT_ALL);
	cr_expect(policies_is_configured(&policies, DP_PERMIT_ALL));
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		cr_assert_eq(policies_get(&policies, name), i + 1);
		cr_assert_not(policies_is_configured(&policies, (uint16_t)(i + 1)));
	}
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		cr_assert_eq(policies_get(&policies, name), i + 1);
		cr_assert_eq(policies_find(&policies, name), i + 1);
	}
	cr_expect_eq(policies_find(&policies, "p3000"), DP_PERMIT_NOTHING);
	policies_free(&policies);
}

Test(policies, whoever_gets_no_number_may_do_nothing)
{
	struct policies policies = {.count = 0};
	struct conf_policy late = {.name = "late"};
	struct conf conf = {.policies = &late, .policy_count = 1};
	char name[16];

	for (unsigned i = 1; i < DP_PERMIT_OVER; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		cr_assert_eq(policies_get(&policies, name), i);
	}
	cr_expect_eq(policies_get(&policies, "late"), DP_PERMIT_NOTHING);
	cr_expect_eq(policies_number(&policies, &conf), -ENOSPC);
	cr_expect_not(policies_is_configured(&policies, DP_PERMIT_NOTHING));
	policies_count(&policies, DP_PERMIT_NOTHING, 1);
	cr_expect_eq(policies.missing, 1);
	conf.policy_count = 0;
	policies_configured(&policies, &conf);
	cr_expect_eq(policies.missing, 1);
	policies_count(&policies, DP_PERMIT_NOTHING, -1);
	cr_expect_eq(policies.missing, 0);
	policies_free(&policies);
}

Test(policies, a_device_that_misses_its_policy_is_told_once)
{
	struct policies policies = {.count = 0};
	struct conf_policy meters = {.name = "meters"};
	struct conf conf = {.policies = &meters, .policy_count = 1};

	cr_assert_eq(policies_number(&policies, &conf), 0);
	cr_expect_eq(meters.number, 1);
	policies_configured(&policies, &conf);
	policies.told = true;
	policies_count(&policies, meters.number, 1);
	cr_expect(policies.told);
	uint16_t other = policies_get(&policies, "other");
	policies_count(&policies, other, 1);
	cr_expect_not(policies.told);
	policies.told = true;
	policies_count(&policies, other, 1);
	cr_expect(policies.told);
	policies_count(&policies, other, -2);
	cr_expect(!policies.told && !policies.missing);
	conf.policy_count = 0;
	policies_configured(&policies, &conf);
	cr_expect(!policies.told && policies.missing == 1);
	policies_free(&policies);
}
