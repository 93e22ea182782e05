// SPDX-License-Identifier: BSD-3-Clause
// Usual requests, and those that differ from them in one thing.

#include "tests/unit/dataplane/oscore/request_pair.h"
#include "tests/unit/guard.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define ROOM 1024

struct request {
	uint8_t bytes[ROOM];
	size_t len;
};

static void put(struct request *r, unsigned byte)
{
	r->bytes[r->len++] = (uint8_t)byte;
}

static void put_many(struct request *r, unsigned byte, size_t n)
{
	memset(r->bytes + r->len, (int)byte, n);
	r->len += n;
}

// Lengths in bytes; context_len -1: no kid context. Nibbles and extensions are as long as they must
// be, and the last bytes are ciphertext.
static struct request build(unsigned token_len, unsigned piv_len, int context_len, unsigned kid_len,
	unsigned cipher_len)
{
	struct request r = {.len = 0};
	const unsigned len = 1 + piv_len + (context_len < 0 ? 0 : 1 + context_len) + kid_len;

	put(&r, 0x40 | token_len);
	put(&r, COAP_POST);
	put(&r, 0x12);
	put(&r, 0x34);
	put_many(&r, 0xaa, token_len);
	if (len < 13) {
		put(&r, 0x90 | len);
	} else if (len < 269) {
		put(&r, 0x9d);
		put(&r, len - 13);
	} else {
		put(&r, 0x9e);
		put(&r, (len - 269) >> 8);
		put(&r, len - 269);
	}
	put(&r, 0x08 | piv_len | (context_len < 0 ? 0 : 0x10));
	put_many(&r, 0x21, piv_len);
	if (context_len >= 0) {
		put(&r, context_len);
		put_many(&r, 0xcc, context_len);
	}
	put_many(&r, 0x6b, kid_len);
	put(&r, 0xff);
	put_many(&r, 0xee, cipher_len);
	return r;
}

// True if it was taken as usual.
static bool look(struct guard *guard, const uint8_t *bytes, size_t len)
{
	uint8_t *data = guard_take(guard, len);
	bool taken;
	const char *what = request_differs(memcpy(data, bytes, len), len, &taken);

	cr_assert_null(what, "%s", what);
	return taken;
}

Test(oscore_request, every_length_of_each_part)
{
	static const int contexts[] = {-1, 0, 1, 2, 3, 7, 8, 9, 10, 11, 12, 254, 255};
	struct guard guard = guard_create(ROOM);

	for (unsigned token = 0; token <= 8; token++)
		for (unsigned piv = 0; piv <= 7; piv++)
			for (unsigned c = 0; c < sizeof(contexts) / sizeof(contexts[0]); c++)
				for (unsigned kid = 0; kid <= 9; kid++)
					for (unsigned cipher = 0; cipher < 12; cipher++) {
						struct request r =
							build(token, piv, contexts[c], kid, cipher);
						bool want = piv >= 1 && piv <= 5 && kid <= 7 &&
							cipher >= 8 && r.bytes[4 + token] != 0x9e;

						cr_assert_eq(look(&guard, r.bytes, r.len), want);
					}
	guard_free(&guard);
}

// Of each byte every value, of each message every cut, and every byte taken out or put in.
Test(oscore_request, one_byte_of_each_changed)
{
	const struct request requests[] = {build(2, 1, -1, 3, 13), build(8, 2, -1, 7, 9),
		build(0, 1, -1, 0, 8), build(4, 5, -1, 6, 40), build(8, 5, -1, 7, 20),
		build(1, 3, 8, 1, 13), build(3, 2, 0, 2, 13), build(2, 1, 255, 7, 8)};
	struct guard guard = guard_create(ROOM);
	unsigned taken = 0;

	for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		const struct request *r = &requests[i];

		cr_expect(look(&guard, r->bytes, r->len), "request %u", i);
		for (size_t at = 0; at < r->len; at++) {
			struct request changed = *r;

			for (unsigned value = 0; value < 256; value++) {
				changed.bytes[at] = value;
				taken += look(&guard, changed.bytes, r->len);
				memmove(changed.bytes + at + 1, r->bytes + at, r->len - at);
				taken += look(&guard, changed.bytes, r->len + 1);
				changed = *r;
			}
			memmove(changed.bytes + at, r->bytes + at + 1, r->len - at - 1);
			look(&guard, changed.bytes, r->len - 1);
			look(&guard, r->bytes, at);
		}
	}
	cr_expect_gt(taken, 10000);
	guard_free(&guard);
}

// Both bytes of the header that are no number, and all flag bytes with all beginnings of options.
Test(oscore_request, two_bytes_at_once)
{
	struct guard guard = guard_create(ROOM);
	struct request r = build(4, 3, -1, 3, 13);

	for (unsigned first = 0; first < 256; first++)
		for (unsigned second = 0; second < 256; second++) {
			struct request changed = r;

			changed.bytes[0] = first;
			changed.bytes[1] = second;
			look(&guard, changed.bytes, r.len);
			changed = r;
			changed.bytes[8] = first;
			changed.bytes[9] = second;
			look(&guard, changed.bytes, r.len);
		}
	guard_free(&guard);
}

Test(oscore_request, longer_than_a_datagram)
{
	static uint8_t bytes[UINT16_MAX + 1];
	const struct request r = build(4, 3, -1, 3, 13);
	bool taken;

	memcpy(bytes, r.bytes, r.len);
	cr_expect_null(request_differs(bytes, UINT16_MAX, &taken));
	cr_expect(taken);
	cr_expect_null(request_differs(bytes, UINT16_MAX + 1, &taken));
	cr_expect_not(taken);
}
