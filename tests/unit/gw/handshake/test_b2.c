// SPDX-License-Identifier: BSD-3-Clause
// The engine of RFC 8613 appendix B.2, against messages that b2_vectors.py made.

#include "gw/handshake/b2.h"
#include "tests/unit/gw/handshake/b2_vectors.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>
#include <sodium.h>

#define VECTORS (sizeof(vectors) / sizeof(vectors[0]))
#define ROOM    2048

static struct b2 b2;
static struct b2_device device;
static struct b2_request request;
static struct b2_id id;
static struct osc_keys keys;
static uint8_t room[ROOM];
static uint8_t *datagram;
static size_t datagram_len;

static uint8_t take(const char *hex, uint8_t *bytes)
{
	size_t len;
	uint8_t *decoded = hex_decode(hex, &len);

	memcpy(bytes, decoded, len);
	free(decoded);
	return (uint8_t)len;
}

static void begin(void)
{
	cr_assert_geq(sodium_init(), 0);
	b2.engine = aead_engine_create(NULL);
	cr_assert_not_null(b2.engine);
}

static void end(void)
{
	aead_engine_free(b2.engine);
	free(datagram);
	datagram = NULL;
}

TestSuite(b2, .init = begin, .fini = end);

// The device and the gateway of a vector.
static void use(size_t i)
{
	device = (struct b2_device){.id = vectors[i].device_number, .count = vectors[i].count};
	device.params.alg = vectors[i].alg;
	device.params.secret_len = take(vectors[i].secret, device.params.secret);
	device.params.salt_len = take(vectors[i].salt, device.params.salt);
	device.params.recipient_id_len = take(vectors[i].device, device.params.recipient_id);
	device.params.sender_id_len = take(vectors[i].gateway, device.params.sender_id);
	take(vectors[i].mac_key, b2.mac_key);
}

static void parse(const char *hex)
{
	free(datagram);
	datagram = hex_decode(hex, &datagram_len);
	cr_assert(b2_parse(&request, datagram, datagram_len));
}

static enum b2_kind kind(uint64_t now_s)
{
	return b2_kind(&b2, &device, &request, now_s, &id);
}

static void expect_hex(const char *what, const uint8_t *bytes, size_t len, const char *hex)
{
	size_t want_len;
	uint8_t *want = hex_decode(hex, &want_len);

	cr_expect_eq(len, want_len, "%s: %zu bytes, not %zu", what, len, want_len);
	if (len == want_len)
		cr_expect_arr_eq(bytes, want, len, "%s", what);
	free(want);
}

Test(b2, request_1_verifies_under_id1)
{
	for (size_t i = 0; i < VECTORS; i++) {
		use(i);
		parse(vectors[i].request_1);
		cr_assert_eq(kind(vectors[i].now_s), B2_REQUEST_1, "%s", vectors[i].name);
		expect_hex("id1", id.bytes, id.len, vectors[i].id1);
		cr_expect(
			b2_verify(&b2, &device, &request, &id, room, &keys), "%s", vectors[i].name);
	}
}

Test(b2, response_1_is_sealed_under_r2_and_id1)
{
	uint8_t r2[B2_R2_LEN], out[B2_RESPONSE_MAX];

	for (size_t i = 0; i < VECTORS; i++) {
		use(i);
		parse(vectors[i].request_1);
		cr_assert_eq(kind(vectors[i].now_s), B2_REQUEST_1);
		take(vectors[i].r2, r2);
		size_t len = b2_respond(&b2, &device, &request, &id, r2, out);

		expect_hex(vectors[i].name, out, len, vectors[i].response_1);
	}
}

Test(b2, request_2_verifies_under_id3_and_gives_its_keys)
{
	for (size_t i = 0; i < VECTORS; i++) {
		const struct aead_alg_info *alg = &aead_algs[vectors[i].alg];

		use(i);
		parse(vectors[i].request_2);
		cr_assert_eq(kind(vectors[i].now_s), B2_REQUEST_2, "%s", vectors[i].name);
		expect_hex("id3", id.bytes, id.len, vectors[i].id3);
		cr_assert(b2_verify(&b2, &device, &request, &id, room, &keys));
		expect_hex("recipient", keys.recipient_key, alg->key_len, vectors[i].recipient_key);
		expect_hex("sender", keys.sender_key, alg->key_len, vectors[i].sender_key);
		expect_hex("iv", keys.common_iv, alg->nonce_len, vectors[i].common_iv);
	}
}

Test(b2, an_r2_is_good_for_its_minute_and_the_next)
{
	uint8_t r2[B2_R2_LEN];

	use(0);
	for (uint64_t now = 600; now < 660; now += 7) {
		b2_r2_make(&b2, &device, now, r2);
		cr_expect(b2_r2_good(&b2, &device, now, r2));
		cr_expect(b2_r2_good(&b2, &device, now + 45, r2));
		cr_expect(b2_r2_good(&b2, &device, 719, r2));
		cr_expect_not(b2_r2_good(&b2, &device, 720, r2));
		cr_expect_not(b2_r2_good(&b2, &device, 599, r2), "made later than now");
	}
	b2_r2_make(&b2, &device, 0, r2);
	cr_expect(b2_r2_good(&b2, &device, 0, r2));
}

Test(b2, an_r2_is_of_one_device_one_count_and_one_start)
{
	uint8_t r2[B2_R2_LEN];
	struct b2_device other;

	use(0);
	b2_r2_make(&b2, &device, 600, r2);
	other = device;
	other.count++;
	cr_expect_not(b2_r2_good(&b2, &other, 600, r2), "a copy of a request that was served");
	other = device;
	other.id++;
	cr_expect_not(b2_r2_good(&b2, &other, 600, r2), "of another device");
	randombytes_buf(b2.mac_key, sizeof(b2.mac_key));
	cr_expect_not(b2_r2_good(&b2, &device, 600, r2), "of another start");
}

Test(b2, no_bit_of_an_r2_can_be_another)
{
	uint8_t r2[B2_R2_LEN];

	use(0);
	b2_r2_make(&b2, &device, 600, r2);
	for (unsigned bit = 0; bit < 8 * B2_R2_LEN; bit++) {
		r2[bit / 8] ^= 1 << bit % 8;
		cr_expect_not(b2_r2_good(&b2, &device, 600, r2), "bit %u", bit);
		r2[bit / 8] ^= 1 << bit % 8;
	}
	cr_expect(b2_r2_good(&b2, &device, 600, r2));
}

Test(b2, each_r2_is_another)
{
	uint8_t r2[2][B2_R2_LEN];

	use(0);
	b2_r2_make(&b2, &device, 600, r2[0]);
	b2_r2_make(&b2, &device, 600, r2[1]);
	cr_expect_arr_neq(r2[0], r2[1], B2_NONCE_LEN);
}

// After the count rose, or a restart, a request #2 that was recorded is a request #1 at most: it
// gets a response #1, but no context.
Test(b2, a_request_2_of_before_is_no_request_2)
{
	use(0);
	parse(vectors[0].request_2);
	device.count++;
	cr_expect_eq(kind(vectors[0].now_s), B2_REQUEST_1);
	cr_expect(b2_verify(&b2, &device, &request, &id, room, &keys));
	device.count--;
	cr_expect_eq(kind(vectors[0].now_s + 2 * B2_SLOT_S), B2_REQUEST_1);
	cr_expect_eq(kind(vectors[0].now_s), B2_REQUEST_2);
}

Test(b2, no_bit_of_a_request_can_be_another)
{
	for (unsigned which = 0; which < 2; which++) {
		use(0);
		parse(which ? vectors[0].request_2 : vectors[0].request_1);
		const size_t at = (size_t)(request.msg.body.payload - datagram);

		for (size_t bit = 8 * at; bit < 8 * datagram_len; bit++) {
			datagram[bit / 8] ^= 1 << bit % 8;
			cr_assert(b2_parse(&request, datagram, datagram_len));
			(void)kind(vectors[0].now_s);
			cr_expect_not(b2_verify(&b2, &device, &request, &id, room, &keys));
			datagram[bit / 8] ^= 1 << bit % 8;
		}
	}
}

Test(b2, neither_plaintexts_nor_keys_of_forgeries_stay)
{
	static const struct osc_keys none;
	static const uint8_t zeros[64];

	use(0);
	parse(vectors[0].request_1);
	cr_assert_eq(kind(vectors[0].now_s), B2_REQUEST_1);
	memset(room, 0x55, sizeof(room));
	cr_assert(b2_verify(&b2, &device, &request, &id, room, &keys));
	const size_t len = request.msg.body.payload_len - 8u;

	cr_expect_arr_eq(room, zeros, len);
	cr_expect_eq(room[len], 0x55);
	datagram[datagram_len - 1] ^= 1;
	cr_expect_not(b2_verify(&b2, &device, &request, &id, room, &keys));
	cr_expect_arr_eq(&keys, &none, sizeof(keys));
}

// A request of `len` bytes of ID Context, not sealed.
static void request_with(uint8_t *buf, const uint8_t *id_context, unsigned len)
{
	uint8_t option[255] = {0x19, 0x00}, *at = option + 2;
	struct coap_writer writer;

	*at++ = (uint8_t)(len + (len < 24 ? 1 : 2));
	if (len < 24) {
		*at++ = 0x40 | len;
	} else {
		*at++ = 0x58;
		*at++ = (uint8_t)len;
	}
	memcpy(at, id_context, len);
	at += len;
	*at++ = 1;
	coap_writer_init(&writer, buf, ROOM);
	coap_write_header(&writer, COAP_CON, COAP_POST, 1, NULL, 0);
	coap_write_option(&writer, COAP_OPT_OSCORE, option, (size_t)(at - option));
	coap_write_payload(&writer, "123456789", 9);
	cr_assert(b2_parse(&request, buf, coap_writer_len(&writer)));
}

Test(b2, id_contexts_are_bounded)
{
	uint8_t buf[ROOM], long_id[B2_ID_MAX + 1];

	use(0);
	b2_r2_make(&b2, &device, 600, long_id);
	memset(long_id + B2_R2_LEN, 7, sizeof(long_id) - B2_R2_LEN);
	request_with(buf, long_id, B2_ID_MAX);
	cr_expect_eq(kind(600), B2_REQUEST_2, "64 bytes of ID3");
	request_with(buf, long_id, B2_ID_MAX + 1);
	cr_expect_eq(kind(600), B2_TOO_LONG);
	request_with(buf, long_id, B2_R2_LEN);
	cr_expect_eq(kind(600), B2_REQUEST_1, "R2 without R3");
	request_with(buf, long_id, B2_R2_LEN + 1);
	cr_expect_eq(kind(600), B2_REQUEST_2);
	long_id[0] ^= 1;
	request_with(buf, long_id, B2_ID1_MAX);
	cr_expect_eq(kind(600), B2_REQUEST_1, "48 bytes of R1");
	request_with(buf, long_id, B2_ID1_MAX + 1);
	cr_expect_eq(kind(600), B2_TOO_LONG, "R2 would make it longer than 64");
	request_with(buf, long_id, 0);
	cr_expect_eq(kind(600), B2_MALFORMED);
}

Test(b2, what_is_no_byte_string_is_malformed)
{
	static const char *const options[] = {
		"19000801020304050607080f", // eight bytes that are no CBOR
		"190009470102030405060708"
		"0f",                         // a byte behind the string
		"1900084801020304050607",     // one byte too few ..
		"19000a58080102030405060708", // not the shortest head
		"1900005f",                   // an empty kid context
	};

	use(0);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		struct coap_writer writer;
		uint8_t buf[ROOM];
		size_t len;
		uint8_t *option = hex_decode(options[i], &len);

		coap_writer_init(&writer, buf, sizeof(buf));
		coap_write_header(&writer, COAP_CON, COAP_POST, 1, NULL, 0);
		coap_write_option(&writer, COAP_OPT_OSCORE, option, len);
		coap_write_payload(&writer, "123456789", 9);
		if (b2_parse(&request, buf, coap_writer_len(&writer)))
			cr_expect_eq(kind(600), B2_MALFORMED, "%s", options[i]);
		free(option);
	}
}

Test(b2, only_oscore_requests_are_parsed)
{
	struct coap_writer writer;
	uint8_t buf[ROOM], token[B2_TOKEN_MAX + 1] = {0};
	static const struct {
		enum coap_type type;
		uint8_t code, token_len;
		const char *option;
		bool payload, good;
	} rows[] = {
		{COAP_CON, COAP_POST, 4, "\x19\x00\x02\x41\x01\x01", true, true},
		{COAP_NON, COAP_FETCH, B2_TOKEN_MAX, "\x19\x00\x02\x41\x01\x01", true, true},
		{COAP_CON, COAP_POST, B2_TOKEN_MAX + 1, "\x19\x00\x02\x41\x01\x01", true, false},
		{COAP_CON, COAP_POST, 4, "\x19\x00\x02\x41\x01\x01", false, false},
		{COAP_ACK, COAP_POST, 4, "\x19\x00\x02\x41\x01\x01", true, false},
		{COAP_CON, COAP_CHANGED, 4, "\x19\x00\x02\x41\x01\x01", true, false},
		{COAP_CON, COAP_POST, 4, "\x18\x02\x41\x01\x01\x01", true, false}, // no Partial IV
		{COAP_CON, COAP_POST, 4, "\x39\x00\x02\x41\x01\x01", true, false}, // reserved bits
		{COAP_CON, COAP_POST, 4, NULL, true, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		coap_writer_init(&writer, buf, sizeof(buf));
		coap_write_header(&writer, rows[i].type, rows[i].code, 1, token, rows[i].token_len);
		if (rows[i].option)
			coap_write_option(&writer, COAP_OPT_OSCORE, rows[i].option, 6);
		if (rows[i].payload)
			coap_write_payload(&writer, "123456789", 9);
		cr_expect_eq(b2_parse(&request, buf, coap_writer_len(&writer)), rows[i].good,
			"row %zu", i);
	}
}
