// SPDX-License-Identifier: BSD-3-Clause
// Encoding of CoAP messages: RFC 7252 section 3.

#include "dataplane/coap/message.h"
#include "tests/unit/guard.h"

#include <criterion/criterion.h>
#include <string.h>

static void write_request(struct coap_writer *w)
{
	coap_write_header(w, COAP_CON, COAP_POST, 0x0102, (const uint8_t *)"tok", 3);
	coap_write_option(w, COAP_OPT_URI_PATH, "temperature-of-room", 19);
	coap_write_option(w, COAP_OPT_URI_PATH, "", 0);
	coap_write_option_uint(w, COAP_OPT_CONTENT_FORMAT, 0);
	coap_write_option_uint(w, COAP_OPT_SIZE1, 70000);
	coap_write_option(w, COAP_OPT_REQUEST_TAG, "x", 1);
	coap_write_payload(w, "21.5", 4);
}

static const uint8_t request[] = "\x43\x02\x01\x02tok"
				 "\xbd\x06temperature-of-room"
				 "\x00"
				 "\x10"
				 "\xd3\x23\x01\x11\x70"
				 "\xd1\xdbx"
				 "\xff"
				 "21.5";
#define REQUEST_LEN (sizeof(request) - 1)

Test(coap_writer, bytes_of_a_request)
{
	uint8_t buf[128];
	struct coap_writer w;

	coap_writer_init(&w, buf, sizeof(buf));
	write_request(&w);
	cr_assert_eq(coap_writer_len(&w), REQUEST_LEN);
	cr_expect_arr_eq(buf, request, REQUEST_LEN);
}

Test(coap_writer, too_little_room_of_any_size_fails_and_writes_nothing_outside)
{
	struct guard guard = guard_create(REQUEST_LEN);
	struct coap_writer w;

	for (size_t room = 0; room <= REQUEST_LEN; room++) {
		uint8_t *buf = guard_take(&guard, room);

		coap_writer_init(&w, buf, room);
		write_request(&w);
		cr_assert_eq(coap_writer_len(&w), room == REQUEST_LEN ? room : 0);
		cr_assert(guard_intact(&guard));
	}
	guard_free(&guard);
}

Test(coap_writer, options_out_of_order_fail_for_good)
{
	uint8_t buf[64];
	struct coap_writer w;

	coap_writer_init(&w, buf, sizeof(buf));
	coap_write_option(&w, COAP_OPT_URI_PATH, "a", 1);
	coap_write_option(&w, COAP_OPT_URI_HOST, "b", 1);
	coap_write_option(&w, COAP_OPT_URI_PATH, "c", 1);
	cr_expect_eq(coap_writer_len(&w), 0);
}

Test(coap_writer, a_value_longer_than_an_option_length_can_say_fails)
{
	static uint8_t value[UINT16_MAX + 1], buf[UINT16_MAX + 64];
	struct coap_body body;
	struct coap_option option;
	struct coap_writer w;

	coap_writer_init(&w, buf, sizeof(buf));
	coap_write_option(&w, 1000, value, UINT16_MAX + 1);
	cr_expect_eq(coap_writer_len(&w), 0);

	coap_writer_init(&w, buf, sizeof(buf));
	coap_write_option(&w, 1000, value, UINT16_MAX - 5);
	cr_assert_eq(coap_writer_len(&w), UINT16_MAX);
	cr_assert_eq(coap_body_parse(&body, buf, UINT16_MAX), COAP_OK);
	cr_assert(coap_option_find(&body, 1000, &option));
	cr_expect_eq(option.len, UINT16_MAX - 5);
}

Test(coap_writer, no_marker_without_payload)
{
	uint8_t buf[8];
	struct coap_writer w;

	coap_writer_init(&w, buf, sizeof(buf));
	coap_write_code(&w, COAP_CONTENT);
	coap_write_payload(&w, NULL, 0);
	cr_assert_eq(coap_writer_len(&w), 1);
	cr_expect_eq(buf[0], COAP_CONTENT);
}

Test(coap_writer, nothing_follows_a_payload)
{
	uint8_t buf[64];
	struct coap_writer w;

	coap_writer_init(&w, buf, sizeof(buf));
	coap_write_code(&w, COAP_CONTENT);
	coap_write_payload(&w, "x", 1);
	cr_assert_eq(coap_writer_len(&w), 3);
	coap_write_option(&w, COAP_OPT_ECHO, "y", 1);
	cr_expect_eq(coap_writer_len(&w), 0);
}

Test(coap_writer, uint_values_take_as_few_bytes_as_possible)
{
	static const struct {
		uint32_t value;
		unsigned len;
	} cases[] = {{0, 0}, {1, 1}, {255, 1}, {256, 2}, {65535, 2}, {65536, 3}, {0xffffff, 3},
		{0x1000000, 4}, {UINT32_MAX, 4}};
	uint8_t buf[16];
	struct coap_writer w;
	struct coap_body body;
	struct coap_option option;
	uint32_t value;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		coap_writer_init(&w, buf, sizeof(buf));
		coap_write_option_uint(&w, COAP_OPT_MAX_AGE, cases[i].value);
		size_t len = coap_writer_len(&w);
		cr_assert_eq(len, 2 + cases[i].len);
		cr_assert_eq(coap_body_parse(&body, buf, len), COAP_OK);
		cr_assert(coap_option_find(&body, COAP_OPT_MAX_AGE, &option));
		cr_assert(coap_option_uint(&option, &value));
		cr_expect_eq(value, cases[i].value);
	}
}
