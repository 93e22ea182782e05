// SPDX-License-Identifier: BSD-3-Clause
// A list of what was revoked that is made in steps is the one that is made at once.

#include "gw/handshake/revoked.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define MANY   50000

static struct error error;

static struct revoked *list_begin(void)
{
	struct revoked *revoked = revoked_begin();

	cr_assert_not_null(revoked);
	return revoked;
}

// Returns how many steps it took.
static unsigned index_all(struct revoked *revoked, size_t most)
{
	unsigned steps = 0;
	int rc;

	while ((rc = revoked_index(revoked, most, &error)) == 1)
		steps++;
	cr_assert_eq(rc, 0);
	return steps;
}

// Takes a text in two pieces, and what was left of the first one again.
static ssize_t take_in_two(struct revoked *revoked, const char *text, size_t first)
{
	ssize_t n = revoked_take(revoked, text, first, false, &error);

	if (n < 0)
		return n;
	cr_assert_leq((size_t)n, first);
	return revoked_take(revoked, text + n, strlen(text) - (size_t)n, true, &error);
}

static bool has_serial(const struct revoked *revoked, uint32_t serial)
{
	struct credential_mark mark = {.serial_len = 4, .digest = {0xff}};

	for (unsigned i = 0; i < 4; i++)
		mark.serial[i] = (uint8_t)(serial >> (24 - 8 * i));
	return revoked_has(revoked, &mark);
}

static bool has_digest(const struct revoked *revoked)
{
	struct credential_mark mark = {.serial_len = 0};

	for (uint8_t i = 0; i < EDHOC_HASH_LEN; i++)
		mark.digest[i] = i;
	return revoked_has(revoked, &mark);
}

Test(revoked, a_text_may_be_cut_anywhere)
{
	static const char text[] =
		"# a # b\n\r\nserial 01:02:03:04 # x\nsha256 " DIGEST "\nserial 05060708";

	for (size_t first = 0; first < sizeof(text); first++) {
		struct revoked *revoked = list_begin();

		cr_assert_geq(take_in_two(revoked, text, first), 0, "%zu", first);
		cr_assert_eq(revoked_count(revoked), 3);
		index_all(revoked, 10);
		cr_assert(has_serial(revoked, 0x01020304) && has_serial(revoked, 0x05060708));
		cr_assert(has_digest(revoked));
		cr_assert_not(has_serial(revoked, 0x01020305));
		revoked_free(revoked);
	}
}

Test(revoked, a_mistake_has_the_number_of_its_line_wherever_the_text_is_cut)
{
	static const char text[] = "# a\n\nserial 01\nserial x\nserial 02\n";

	for (size_t first = 0; first < sizeof(text); first++) {
		struct revoked *revoked = list_begin();

		cr_assert_eq(take_in_two(revoked, text, first), -EINVAL);
		cr_assert_eq(strncmp(error.text, "line 4: ", 8), 0, "%s", error.text);
		revoked_free(revoked);
	}
}

Test(revoked, a_line_without_end_is_refused)
{
	char *text = malloc(REVOKED_LINE_MAX + 20);
	struct revoked *revoked = list_begin();

	memcpy(text, "serial 01\n", 10);
	memset(text + 10, '#', REVOKED_LINE_MAX + 1);
	cr_assert_eq(revoked_take(revoked, text, 10 + REVOKED_LINE_MAX, false, &error), 10);
	cr_assert_eq(
		revoked_take(revoked, text + 10, REVOKED_LINE_MAX + 1, false, &error), -EINVAL);
	cr_assert_eq(strncmp(error.text, "line 2: ", 8), 0, "%s", error.text);
	revoked_free(revoked);
	free(text);
}

// Some are there twice, which is no mistake, and the pieces of memory end at odd places.
Test(revoked, a_table_that_is_made_in_steps_has_all)
{
	static char text[MANY * 20];
	struct revoked *revoked = list_begin();
	size_t len = 0;

	for (uint32_t i = 0; i < MANY; i++)
		len += (size_t)sprintf(text + len, "serial %08x\n", 0x01000000 + 3 * (i / 2 * 2));
	cr_assert_eq(revoked_take(revoked, text, len, true, &error), (ssize_t)len);
	cr_assert_geq(index_all(revoked, 1000), 3 * MANY / 1000);
	cr_assert_eq(revoked_count(revoked), MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		cr_assert_eq(has_serial(revoked, 0x01000000 + 3 * i), i % 2 == 0, "%u", i);
		cr_assert_not(has_serial(revoked, 0x01000001 + 3 * i));
	}
	revoked_free(revoked);
}

Test(revoked, an_empty_list_has_nothing)
{
	struct revoked *revoked = list_begin();

	cr_assert_eq(revoked_take(revoked, "", 0, true, &error), 0);
	index_all(revoked, 1);
	cr_assert_not(has_digest(revoked));
	revoked_free(revoked);
}
