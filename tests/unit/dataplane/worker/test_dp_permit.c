// SPDX-License-Identifier: BSD-3-Clause
// What the policy of a device does not allow is a protected 4.03, whatever routes there are. A
// device whose policy is not known may do nothing.

#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#include <criterion/criterion.h>

static struct bed bed;
static struct bed_device device, other;
static struct bed_request request;
static struct bed_answer answer;
static struct dp_route_index *meters;
static const struct dp_route_index *permit[3];
static uint64_t piv;

static void init(void)
{
	static const struct dp_segment echo[] = {{"echo", 4}}, deep[] = {{"up", 2}, {NULL, 0}};
	static const struct dp_route allowed[] = {
		{.segments = echo, .segment_count = 1, .methods = 1 << COAP_POST},
		{.segments = deep, .segment_count = 2, .methods = 1 << COAP_GET | 1 << COAP_PUT},
	};

	bed_make(&bed);
	bed_stop_clock(&bed);
	bed_device_make(&device, 2, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
	bed_device_make(&other, 3, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &other, true);
	meters = dp_route_index_create(allowed, RTE_DIM(allowed));
	permit[1] = meters;
	bed.policy.permit = permit;
	bed.policy.permit_count = RTE_DIM(permit);
	piv = 0;
}

static void fini(void)
{
	dp_route_index_free(meters);
	bed_free(&bed);
}

TestSuite(dp_permit, .init = init, .fini = fini);

static void may(uint16_t number)
{
	const struct dp_context_limits limits = {.permit = number};

	cr_assert_eq(
		dp_context_limit(dp_contexts(bed.dp), device.context, device.generation, &limits),
		0);
}

// Returns the code of the answer, or 0 if an upstream loop has the request.
static uint8_t ask(const struct bed_device *from, uint8_t code, const char *path)
{
	dp_handle handle;

	piv++;
	bed_seal_path(from, &request, COAP_NON, piv, piv, code, path, NULL);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	if (bed_upstream_take(&bed, &handle)) {
		static const uint8_t changed = COAP_CHANGED;

		bed_upstream_answer(&bed, handle, &changed, 1);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		return 0;
	}
	cr_assert(bed_receive(&bed, &answer));
	cr_assert(bed_open(from, &request, &answer), "it is protected");
	return answer.plaintext[0];
}

static void expect_meter(void)
{
	cr_expect_eq(ask(&device, COAP_POST, "echo"), COAP_CHANGED);
	cr_expect_eq(ask(&device, COAP_GET, "up/x"), 0);
	cr_expect_eq(ask(&device, COAP_PUT, "up/a.b"), 0);
	uint64_t refused = bed_count(&bed, DP_STAT_policy_refused);

	cr_expect_eq(ask(&device, COAP_GET, "echo"), COAP_FORBIDDEN);
	cr_expect_eq(ask(&device, COAP_POST, "up/x"), COAP_FORBIDDEN);
	cr_expect_eq(ask(&device, COAP_GET, "up"), COAP_FORBIDDEN);
	cr_expect_eq(ask(&device, COAP_POST, "low"), COAP_FORBIDDEN);
	cr_expect_eq(ask(&device, COAP_GET, "tv1"), COAP_FORBIDDEN);
	cr_expect_eq(ask(&device, COAP_GET, "a.b"), COAP_FORBIDDEN);
	cr_expect_eq(ask(&device, COAP_GET, "no-such-route"), COAP_FORBIDDEN,
		"it is not told which routes there are");
	cr_expect_eq(bed_count(&bed, DP_STAT_policy_refused), refused + 7);
}

Test(dp_permit, what_is_not_allowed_is_4_03)
{
	may(1);
	expect_meter();
	bed_fast_paths(&bed, false);
	expect_meter();
}

Test(dp_permit, a_policy_that_is_not_known_allows_nothing)
{
	const uint16_t numbers[] = {2, 3, 1000, DP_PERMIT_NOTHING};

	for (unsigned i = 0; i < RTE_DIM(numbers); i++) {
		may(numbers[i]);
		for (unsigned fast = 0; fast < 2; fast++) {
			bed_fast_paths(&bed, fast);
			cr_expect_eq(ask(&device, COAP_POST, "echo"), COAP_FORBIDDEN);
			cr_expect_eq(ask(&device, COAP_GET, "tv1"), COAP_FORBIDDEN);
			cr_expect_eq(ask(&device, COAP_GET, "nowhere"), COAP_FORBIDDEN);
		}
	}
	cr_expect_eq(ask(&other, COAP_POST, "echo"), COAP_CHANGED, "others have none");
	bed.policy.permit_count = 0; // of a configuration without policies
	may(1);
	cr_expect_eq(ask(&device, COAP_POST, "echo"), COAP_FORBIDDEN);
}

Test(dp_permit, a_device_without_a_policy_may_do_everything)
{
	may(1);
	cr_expect_eq(ask(&device, COAP_GET, "echo"), COAP_FORBIDDEN);
	may(DP_PERMIT_ALL);
	cr_expect_eq(ask(&device, COAP_GET, "echo"), COAP_CONTENT);
	cr_expect_eq(ask(&device, COAP_GET, "no-such-route"), COAP_NOT_FOUND);
	permit[0] = meters; // which no context without a policy looks at
	cr_expect_eq(ask(&device, COAP_GET, "echo"), COAP_CONTENT);
	permit[0] = NULL;
}
