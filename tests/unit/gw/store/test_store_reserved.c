// SPDX-License-Identifier: BSD-3-Clause
// No device gets a name that is passed through.

#include "gw/device/reserved.h"
#include "tests/unit/gw/store/bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct bed bed;
static const uint8_t of_session[] = {0x0a, 0x0b, 0x0c};

static bool lent(void *arg, const uint8_t *kid, uint8_t kid_len)
{
	return kid_len == sizeof(of_session) && !memcmp(kid, of_session, kid_len);
}

Test(store_reserved, what_a_session_has_is_refused, .timeout = 120)
{
	struct device_reserved *reserved = device_reserved_new();
	struct device_spec spec;

	bed_make(&bed);
	bed.config.reserved = reserved;
	bed_open(&bed);
	device_reserved_lend(reserved, lent, NULL);
	spec = bed_spec(1, "0a0b0c", "01");
	cr_expect_eq(bed_add(&bed, &spec), -EEXIST);
	cr_expect(strstr(bed.error.text, "session of EDHOC"), "%s", bed.error.text);
	spec = bed_spec(1, "0a0b", "01");
	cr_expect_eq(bed_add(&bed, &spec), 0, "%s", bed.error.text);
	device_reserved_lend(reserved, NULL, NULL);
	spec = bed_spec(2, "0a0b0c", "01");
	cr_expect_eq(bed_add(&bed, &spec), 0, "%s", bed.error.text);
	bed_remove(&bed);
	device_reserved_free(reserved);
}

Test(store_reserved, adds_imports_and_other_keys_are_refused, .timeout = 120)
{
	static const uint8_t kid[] = {0x0a};
	const struct device_ids name = {.kid = kid, .kid_len = 1};
	struct device_reserved *reserved = device_reserved_new();
	struct device_spec spec;

	bed_make(&bed);
	bed.config.reserved = reserved;
	bed_open(&bed);
	spec = bed_spec(1, "0a", "01");
	cr_assert_eq(bed_add(&bed, &spec), 0, "%s", bed.error.text);
	cr_assert_eq(device_reserved_set(reserved, &name, 1), 0);
	cr_expect_eq(bed_add(&bed, &spec), -EEXIST);
	cr_expect(strstr(bed.error.text, "passed through"), "%s", bed.error.text);
	spec = bed_spec(2, "0a", "01");
	cr_expect_eq(bed_replace(&bed, &spec), -EEXIST);
	spec = bed_spec(3, "0b", "01");
	cr_expect_eq(bed_add(&bed, &spec), 0, "%s", bed.error.text);
	cr_assert_eq(device_reserved_set(reserved, NULL, 0), 0);
	spec = bed_spec(2, "0a", "01");
	cr_expect_geq(bed_replace(&bed, &spec), 0, "%s", bed.error.text);
	bed_remove(&bed);
	device_reserved_free(reserved);
}
