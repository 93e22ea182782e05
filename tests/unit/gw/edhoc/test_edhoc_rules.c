// SPDX-License-Identifier: BSD-3-Clause
// The rules of RFC 9528 and RFC 9668 that are easily got wrong, one a test.

#include "tests/unit/gw/edhoc/bed.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static struct edhoc_engine engine;

static void begin(void)
{
	engine = bed_engine();
}

static void end(void)
{
	bed_engine_free(&engine);
}

TestSuite(edhoc_rules, .init = begin, .fini = end);

#define G_X    \
	"5820" \
	"31f82c7b5b9cbbf0f194d913cc12ef1532d328ef32632a4881a1c0701e237f04"

// What a Responder with these suites says to a message_1.
static enum edhoc_result says(const char *hex, unsigned suites)
{
	struct edhoc_message_1 parsed;
	struct bed_bytes in;
	enum edhoc_result result;

	bed_hex(&in, hex);
	// Exactly as long as it is, for the sanitizers.
	uint8_t *copy = malloc(in.len);

	memcpy(copy, in.data, in.len);
	result = edhoc_message_1_parse(&parsed, copy, in.len);
	cr_assert(result == EDHOC_OK || result == EDHOC_MALFORMED);
	if (result == EDHOC_OK)
		result = edhoc_message_1_check(&parsed, 0xf, suites);
	free(copy);
	return result;
}

// --- connection identifiers and prefixes (sections 3.3.2, A.2) ---------------------------------

Test(edhoc_rules, e1_one_byte_integers_have_only_their_cbor_form)
{
	for (unsigned byte = 0; byte < 256; byte++) {
		const bool is_int = byte <= 0x17 || (byte >= 0x20 && byte <= 0x37);
		char hex[160];

		snprintf(hex, sizeof(hex), "0300" G_X "41%02x", byte);
		cr_assert_eq(says(hex, 1), is_int ? EDHOC_MALFORMED : EDHOC_OK, "%s", hex);
		snprintf(hex, sizeof(hex), "0300" G_X "%02x", byte);
		cr_assert_eq(says(hex, 1), is_int || byte == 0x40 ? EDHOC_OK : EDHOC_MALFORMED,
			"%s", hex);
	}
}

Test(edhoc_rules, e1_identifiers_are_written_as_they_are_read)
{
	for (unsigned value = 0; value < 0x10000; value++) {
		const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
		uint8_t room[8];
		struct edhoc_writer writer = edhoc_writer(room, sizeof(room));
		struct edhoc_reader reader;
		const uint8_t *data;
		size_t len;

		// One byte for values below 256, then two.
		edhoc_write_identifier(&writer, value < 256 ? bytes + 1 : bytes, 1 + (value > 255));
		reader = edhoc_reader(room, edhoc_writer_len(&writer));
		cr_assert(edhoc_read_identifier(&reader, &data, &len));
		cr_assert(len == 1U + (value > 255) && !edhoc_reader_left(&reader));
		cr_assert(!memcmp(data, value < 256 ? bytes + 1 : bytes, len));
	}
}

Test(edhoc_rules, e1_message_1_has_the_prefix_true_and_message_3_c_r)
{
	const uint8_t message_1[] = {0xf5, 0x03, 0x02}, message_3[] = {0x43, 1, 2, 3, 0x41, 0};
	const uint8_t short_3[] = {0x21, 0x41, 0}, not_short[] = {0x41, 0x21, 0x41, 0};
	const uint8_t not_true[] = {0xf4, 3}, long_c_r[] = {0x48, 1, 2, 3, 4, 5, 6, 7, 8, 0x40};
	struct edhoc_connection c_r;
	struct edhoc_bytes message;

	cr_assert_eq(edhoc_payload_split(message_1, 3, &c_r, &message), EDHOC_PREFIX_MESSAGE_1);
	cr_assert(message.data == message_1 + 1 && message.len == 2);
	cr_assert_eq(edhoc_payload_split(message_3, 6, &c_r, &message), EDHOC_PREFIX_C_R);
	cr_assert(c_r.len == 3 && c_r.bytes[2] == 3 && message.data == message_3 + 4);
	cr_assert_eq(edhoc_payload_split(short_3, 3, &c_r, &message), EDHOC_PREFIX_C_R);
	cr_assert(c_r.len == 1 && c_r.bytes[0] == 0x21);
	cr_assert_eq(edhoc_payload_split(not_short, 4, &c_r, &message), EDHOC_PREFIX_NONE);
	cr_assert_eq(edhoc_payload_split(not_true, 2, &c_r, &message), EDHOC_PREFIX_NONE);
	cr_assert_eq(edhoc_payload_split(long_c_r, 10, &c_r, &message), EDHOC_PREFIX_NONE);
	cr_assert_eq(edhoc_payload_split(message_1, 1, &c_r, &message), EDHOC_PREFIX_NONE);
	cr_assert_eq(edhoc_payload_split(message_1, 0, &c_r, &message), EDHOC_PREFIX_NONE);
}

Test(edhoc_rules, e2_c_i_has_0_to_7_bytes)
{
	cr_assert_eq(says("0300" G_X "40", 1), EDHOC_OK);
	cr_assert_eq(says("0300" G_X "4701020304050607", 1), EDHOC_OK);
	cr_assert_eq(says("0300" G_X "480102030405060708", 1), EDHOC_IDENTIFIER);
	cr_assert_eq(says("0300" G_X "6161", 1), EDHOC_MALFORMED);
	cr_assert_eq(says("0300" G_X, 1), EDHOC_MALFORMED);
}

static void message_1_read(struct edhoc_message_1 *parsed, struct bed_bytes *in, const char *hex)
{
	bed_hex(in, hex);
	cr_assert_eq(edhoc_message_1_parse(parsed, in->data, in->len), EDHOC_OK);
	cr_assert_eq(edhoc_message_1_check(parsed, 0xf, 0xf), EDHOC_OK);
}

Test(edhoc_rules, e2_c_r_is_never_c_i)
{
	static const uint8_t secret[ECC_LEN] = {1};
	struct edhoc_message_1 parsed;
	struct edhoc_shared shared;
	struct ecc_pair ephemeral;
	struct bed_bytes in;
	struct bed_end own;

	bed_end_make(&own, &engine, ECC_X25519, BED_CCS_KID, secret, 0);
	message_1_read(&parsed, &in, "0300" G_X "4221ff");
	cr_assert_eq(ecc_pair_make(engine.ecc, ECC_X25519, &ephemeral), 0);
	struct edhoc_message_2 message = {
		&parsed, &own.identity, {2, {0x21, 0xff}}, &ephemeral, {0}};

	cr_assert_eq(edhoc_message_2_begin(&message, &shared), EDHOC_FAILED);
	message.c_r.len = 1;
	cr_assert_eq(edhoc_message_2_begin(&message, &shared), EDHOC_OK);
	// What else the caller can get wrong.
	ephemeral.public.curve = ECC_P256;
	cr_assert_eq(edhoc_message_2_begin(&message, &shared), EDHOC_FAILED);
	ephemeral.public.curve = ECC_X25519;
	parsed.method = 0; // the identity has no signature key
	cr_assert_eq(edhoc_message_2_begin(&message, &shared), EDHOC_FAILED);
	bed_end_free(&own);
}

// An Initiator does not go on with a Responder that has chosen its C_I.
Test(edhoc_rules, e2_an_initiator_refuses_its_own_identifier)
{
	static const uint8_t secret[ECC_LEN] = {1};
	static struct bed_run run;
	struct edhoc_message_1 parsed;
	struct edhoc_writer writer = edhoc_writer(run.message[2].data, BED_ROOM);
	struct ecc_pair ephemeral;
	struct bed_end own;

	bed_end_make(&own, &engine, ECC_X25519, BED_CCS_KID, secret, 0);
	cr_assert_eq(bed_message_1(&run, &engine, 3, 0), EDHOC_OK);
	cr_assert_eq(
		edhoc_message_1_parse(&parsed, run.message[1].data, run.message[1].len), EDHOC_OK);
	parsed.c_i.bytes[0] = 9; // so that our Responder does not see it
	cr_assert_eq(ecc_pair_make(engine.ecc, ECC_X25519, &ephemeral), 0);
	cr_assert_eq(edhoc_message_2_make(&engine,
			     &(struct edhoc_message_2){
				     &parsed, &own.identity, {1, {1}}, &ephemeral, {0}},
			     &run.responder, &writer),
		EDHOC_OK);
	run.message[2].len = edhoc_writer_len(&writer);
	cr_assert_eq(bed_message_3(&run, &engine, &own, &own), EDHOC_IDENTIFIER);
	bed_end_free(&own);
}

// --- methods and suites (sections 3.2, 5.2, 6.3) -----------------------------------------------

Test(edhoc_rules, e1_the_suite_is_the_first_that_both_have)
{
	const unsigned both = 1 << 0 | 1 << 2;

	cr_assert_eq(says("0300" G_X "0e", both), EDHOC_OK);
	cr_assert_eq(says("03820100" G_X "0e", both), EDHOC_OK);
	cr_assert_eq(says("0383060100" G_X "0e", both), EDHOC_OK);
	cr_assert_eq(says("03820200" G_X "0e", both), EDHOC_SUITE, "2 is ours, and preferred");
	cr_assert_eq(says("0383020100" G_X "0e", both), EDHOC_SUITE);
	cr_assert_eq(says("0301" G_X "0e", both), EDHOC_SUITE, "1 is not ours");
	cr_assert_eq(says("03820001" G_X "0e", both), EDHOC_SUITE);
	cr_assert_eq(says("0306" G_X "0e", both), EDHOC_SUITE);
	cr_assert_eq(says("0337" G_X "0e", both), EDHOC_SUITE, "private suite -24");
	cr_assert_eq(says("03823700" G_X "0e", both), EDHOC_OK);
	cr_assert_eq(says("0382181800" G_X "0e", both), EDHOC_OK, "24 is not ours");
	cr_assert_eq(says("0382001b7fffffffffffffff" G_X "0e", both), EDHOC_SUITE);
}

Test(edhoc_rules, e1_suites_are_an_integer_or_at_least_two)
{
	cr_assert_eq(says("038100" G_X "0e", 1), EDHOC_MALFORMED);
	cr_assert_eq(says("0380" G_X "0e", 1), EDHOC_MALFORMED);
	cr_assert_eq(
		says("03820000" G_X "0e", 1), EDHOC_MALFORMED, "selected is preferred to itself");
	cr_assert_eq(says("0382004100" G_X "0e", 1), EDHOC_MALFORMED);
	cr_assert_eq(says("034100" G_X "0e", 1), EDHOC_MALFORMED);
	cr_assert_eq(says("039bffffffffffffffff00" G_X "0e", 1), EDHOC_MALFORMED);
	cr_assert_eq(says("039f0600ff" G_X "0e", 1), EDHOC_MALFORMED);
}

Test(edhoc_rules, e1_suites_r_tells_all_of_ours)
{
	uint8_t out[EDHOC_ERROR_MAX];
	struct edhoc_error error;
	size_t len = edhoc_error_write(EDHOC_SUITE, 1 << 3, false, out);

	cr_assert(len == 2 && out[0] == 2 && out[1] == 3);
	len = edhoc_error_write(EDHOC_SUITE, 1 << 0 | 1 << 2 | 1 << 3, false, out);
	cr_assert(len == 5 && !memcmp(out, "\x02\x83\x00\x02\x03", 5));
	cr_assert(edhoc_error_parse(&error, out, len));
	cr_assert(error.n_suites == 3 && error.suites[0] == 0 && error.suites[2] == 3);
}

Test(edhoc_rules, an_unknown_method_is_told_before_the_suite)
{
	struct edhoc_message_1 parsed;
	struct bed_bytes in;

	cr_assert_eq(says("0406" G_X "0e", 1), EDHOC_METHOD);
	cr_assert_eq(says("2006" G_X "0e", 1), EDHOC_METHOD);
	cr_assert_eq(says("1b7fffffffffffffff00" G_X "0e", 1), EDHOC_METHOD);
	bed_hex(&in, "0300" G_X "0e");
	cr_assert_eq(edhoc_message_1_parse(&parsed, in.data, in.len), EDHOC_OK);
	cr_assert_eq(edhoc_message_1_check(&parsed, 0x7, 1), EDHOC_METHOD);
}

// --- EAD (section 3.8) -------------------------------------------------------------------------

Test(edhoc_rules, e1_a_critical_ead_item_is_refused_and_others_are_ignored)
{
	cr_assert_eq(says("0300" G_X "0e"
			  "01",
			     1),
		EDHOC_OK);
	cr_assert_eq(says("0300" G_X "0e"
			  "0143010203",
			     1),
		EDHOC_OK);
	cr_assert_eq(says("0300" G_X "0e"
			  "20",
			     1),
		EDHOC_EAD);
	cr_assert_eq(says("0300" G_X "0e"
			  "2043010203",
			     1),
		EDHOC_EAD);
	cr_assert_eq(says("0300" G_X "0e"
			  "0140"
			  "3903e7",
			     1),
		EDHOC_EAD);
	cr_assert_eq(says("0300" G_X "0e"
			  "4101",
			     1),
		EDHOC_MALFORMED, "a value without label");
	cr_assert_eq(says("0300" G_X "0e"
			  "014140"
			  "41ff",
			     1),
		EDHOC_MALFORMED, "two values");
	cr_assert_eq(says("0300" G_X "0e"
			  "0144010203",
			     1),
		EDHOC_MALFORMED, "cut");
	cr_assert_eq(says("0300" G_X "0e"
			  "016161",
			     1),
		EDHOC_MALFORMED, "a text");
	cr_assert_eq(says("0300" G_X "0e"
			  "20"
			  "f5",
			     1),
		EDHOC_MALFORMED, "malformed comes first");
	// The suite is processed before EAD (section 5.2.3).
	cr_assert_eq(says("0306" G_X "0e"
			  "20",
			     1),
		EDHOC_SUITE);
}

Test(edhoc_rules, padding_of_every_length_is_exact_and_ignored)
{
	for (size_t len = 0; len < 300; len++) {
		uint8_t room[300];
		struct edhoc_writer writer = edhoc_writer(room, sizeof(room));

		edhoc_padding_write(&writer, len);
		cr_assert(!writer.failed);
		cr_assert_eq(edhoc_writer_len(&writer), len);
		cr_assert_eq(edhoc_ead_check((struct edhoc_bytes){room, len}), EDHOC_OK);
	}
}

// EAD goes through MACs, signatures and tags, and reaches the other side.
Test(edhoc_rules, e1_ead_of_every_message_is_authenticated)
{
	static const uint8_t secret[ECC_LEN] = {5};
	static const uint8_t ead[] = {0x18, 0x64, 0x43, 1, 2, 3, 0x00};
	const struct edhoc_bytes given = {ead, sizeof(ead)};

	for (unsigned method = 0; method < 4; method += 3) {
		static struct bed_bytes one, two, three, four;
		uint8_t room_2[BED_ROOM], room_3[BED_ROOM], room_4[BED_ROOM];
		struct edhoc_writer writer = edhoc_writer(one.data, BED_ROOM);
		const enum ecc_curve curve = bed_curve(method, 2, EDHOC_INITIATOR);
		struct edhoc_session initiator, responder;
		struct edhoc_message_1 parsed;
		struct edhoc_opened opened;
		struct edhoc_done done_i, done_r;
		struct edhoc_bytes seen;
		struct ecc_pair x, y;
		struct bed_end own;

		bed_end_make(&own, &engine, curve, BED_CCS_KID, secret, 0x55);
		cr_assert(!ecc_pair_make(engine.ecc, ECC_P256, &x));
		cr_assert(!ecc_pair_make(engine.ecc, ECC_P256, &y));
		cr_assert_eq(
			edhoc_message_1_make(&(struct edhoc_start){method, (const int64_t[]){2}, 1,
						     {1, {1}}, &x, given},
				&initiator, &writer),
			EDHOC_OK);
		cr_assert_eq(edhoc_message_1_parse(&parsed, one.data, edhoc_writer_len(&writer)),
			EDHOC_OK);
		cr_assert(parsed.ead.len == sizeof(ead) && !memcmp(parsed.ead.data, ead, 7));
		writer = edhoc_writer(two.data, BED_ROOM);
		cr_assert_eq(edhoc_message_2_make(&engine,
				     &(struct edhoc_message_2){
					     &parsed, &own.identity, {1, {2}}, &y, given},
				     &responder, &writer),
			EDHOC_OK);
		cr_assert_eq(edhoc_message_2_open(&engine, &initiator, two.data,
				     edhoc_writer_len(&writer), room_2, &opened),
			EDHOC_OK);
		cr_assert(opened.plaintext.ead.len == sizeof(ead));
		cr_assert_eq(edhoc_message_2_verify(
				     &engine, &initiator, &opened, &own.identity.credential),
			EDHOC_OK);
		writer = edhoc_writer(three.data, BED_ROOM);
		cr_assert_eq(edhoc_message_3_make(
				     &engine, &initiator, &own.identity, given, &writer, &done_i),
			EDHOC_OK);
		cr_assert_eq(edhoc_message_3_open(&engine, &responder, three.data,
				     edhoc_writer_len(&writer), room_3, &opened),
			EDHOC_OK);
		cr_assert(opened.plaintext.ead.len == sizeof(ead));
		// Without it the MAC is another one.
		opened.plaintext.ead.len -= 1;
		cr_assert_eq(edhoc_message_3_verify(&engine, &responder, &opened,
				     &own.identity.credential, &done_r),
			EDHOC_FORGED);
		opened.plaintext.ead.len += 1;
		cr_assert_eq(edhoc_message_3_verify(&engine, &responder, &opened,
				     &own.identity.credential, &done_r),
			EDHOC_OK);
		writer = edhoc_writer(four.data, BED_ROOM);
		cr_assert_eq(edhoc_message_4_make(&engine, &done_r, given, &writer), EDHOC_OK);
		cr_assert_eq(edhoc_message_4_open(&engine, &done_i, four.data,
				     edhoc_writer_len(&writer), room_4, &seen),
			EDHOC_OK);
		cr_assert(seen.len == sizeof(ead) && !memcmp(seen.data, ead, sizeof(ead)));
		bed_end_free(&own);
	}
}

// --- messages 2 and 3 (sections 5.3, 5.4) ------------------------------------------------------

Test(edhoc_rules, a_message_is_exactly_one_byte_string)
{
	struct edhoc_bytes content;
	struct bed_bytes in;

	bed_hex(&in, "43010203");
	cr_assert(edhoc_message_bytes(&content, in.data, in.len) && content.len == 3);
	cr_assert_not(edhoc_message_bytes(&content, in.data, 3));
	cr_assert_not(edhoc_message_bytes(&content, in.data, 0));
	bed_hex(&in, "4301020300");
	cr_assert_not(edhoc_message_bytes(&content, in.data, in.len));
	bed_hex(&in, "5803010203");
	cr_assert_not(edhoc_message_bytes(&content, in.data, in.len), "not the shortest head");
	bed_hex(&in, "63616263");
	cr_assert_not(edhoc_message_bytes(&content, in.data, in.len));
	bed_hex(&in, "5f43010203ff");
	cr_assert_not(edhoc_message_bytes(&content, in.data, in.len));
}

Test(edhoc_rules, a_proof_of_another_length_is_malformed)
{
	static const char *const plaintexts[] = {"2748"
						 "0102030405060708",
		"2749"
		"010203040506070809",
		"2750"
		"01020304050607080910111213141516"};
	static const enum edhoc_result results[][3] = {{EDHOC_OK, EDHOC_MALFORMED, EDHOC_MALFORMED},
		{EDHOC_MALFORMED, EDHOC_MALFORMED, EDHOC_OK}};
	struct edhoc_plaintext plaintext;
	struct bed_bytes in;

	for (unsigned i = 0; i < 3; i++) {
		bed_hex(&in, plaintexts[i]);
		for (unsigned suite = 2; suite < 4; suite++)
			cr_assert_eq(edhoc_plaintext_parse(
					     &plaintext, bed_view(&in), EDHOC_INITIATOR, 3, suite),
				results[suite - 2][i]);
		// 64 bytes of a signature.
		cr_assert_eq(
			edhoc_plaintext_parse(&plaintext, bed_view(&in), EDHOC_INITIATOR, 0, 2),
			EDHOC_MALFORMED);
	}
}

Test(edhoc_rules, malformed_comes_before_what_is_not_supported)
{
	struct edhoc_plaintext plaintext;
	struct bed_bytes in;

	bed_hex(&in,
		"a1182341"
		"61"
		"48"
		"0102030405060708"); // x5u
	cr_assert_eq(edhoc_plaintext_parse(&plaintext, bed_view(&in), EDHOC_INITIATOR, 3, 2),
		EDHOC_ID_CRED);
	bed_hex(&in,
		"a1182341"
		"61"
		"47"
		"0102030405060708");
	cr_assert_eq(edhoc_plaintext_parse(&plaintext, bed_view(&in), EDHOC_INITIATOR, 3, 2),
		EDHOC_MALFORMED);
}

Test(edhoc_rules, what_does_not_fit_is_not_sent)
{
	static const uint8_t secret[ECC_LEN] = {1};
	static struct bed_run run;
	struct edhoc_message_1 parsed;
	struct ecc_pair ephemeral;
	struct bed_end own;

	bed_end_make(&own, &engine, ECC_X25519, BED_CCS_KID, secret, 0);
	cr_assert_eq(bed_message_1(&run, &engine, 3, 0), EDHOC_OK);
	cr_assert_eq(
		edhoc_message_1_parse(&parsed, run.message[1].data, run.message[1].len), EDHOC_OK);
	for (size_t room = 0; room <= 45; room++) {
		struct edhoc_writer writer = edhoc_writer(run.message[2].data, room);

		cr_assert_eq(ecc_pair_make(engine.ecc, ECC_X25519, &ephemeral), 0);
		cr_assert_eq(edhoc_message_2_make(&engine,
				     &(struct edhoc_message_2){
					     &parsed, &own.identity, {1, {2}}, &ephemeral, {0}},
				     &run.responder, &writer),
			room < 45 ? EDHOC_TOO_LONG : EDHOC_OK, "%zu", room);
		cr_assert(sodium_is_zero((const uint8_t *)&ephemeral, sizeof(ephemeral)));
		cr_assert_eq(sodium_is_zero((const uint8_t *)&run.responder, sizeof(run.responder)),
			room < 45);
	}
	bed_end_free(&own);
}
