// SPDX-License-Identifier: BSD-3-Clause
// Error messages (RFC 9528 section 6), what OSCORE gets (appendix A.1), and the combined request
// (RFC 9668).

#include "tests/unit/gw/edhoc/bed.h"

#include <criterion/criterion.h>
#include <string.h>

Test(edhoc_errors, e1_error_1_has_a_text_and_error_3_true)
{
	uint8_t out[EDHOC_ERROR_MAX];
	struct edhoc_error error;
	size_t len = edhoc_error_write(EDHOC_METHOD, 1, false, out);

	cr_assert(edhoc_is_error(out, len) && edhoc_error_parse(&error, out, len));
	cr_assert_eq(error.code, EDHOC_ERROR_UNSPECIFIED);
	cr_assert(error.text_len == 20 && !memcmp(error.text, "Method not supported", 20));
	len = edhoc_error_write(EDHOC_UNKNOWN, 1, true, out);
	cr_assert(len == 2 && out[0] == 3 && out[1] == 0xf5);
	cr_assert(edhoc_error_parse(&error, out, len) && error.code == EDHOC_ERROR_CREDENTIAL);
}

// Whoever has spoken up to message_3 does not learn which of the checks has failed.
Test(edhoc_errors, what_fails_behind_the_decryption_has_one_text)
{
	static const enum edhoc_result alike[] = {
		EDHOC_FORGED, EDHOC_ID_CRED, EDHOC_UNKNOWN, EDHOC_CREDENTIAL, EDHOC_UNTRUSTED};
	uint8_t first[EDHOC_ERROR_MAX], out[EDHOC_ERROR_MAX];
	const size_t len = edhoc_error_write(EDHOC_FORGED, 0xf, false, first);

	for (unsigned i = 0; i < 5; i++) {
		cr_assert_eq(edhoc_error_write(alike[i], 0xf, false, out), len);
		cr_assert(!memcmp(out, first, len));
		cr_assert_not(edhoc_result_is_ours(alike[i]));
	}
	cr_assert(edhoc_result_is_ours(EDHOC_FAILED) && edhoc_result_is_ours(EDHOC_TOO_LONG));
}

Test(edhoc_errors, malformed_errors_are_refused_and_unknown_codes_read)
{
	static const struct {
		const char *hex;
		bool good;
	} errors[] = {
		{"0161"
		 "61",
			true},
		{"02"
		 "02",
			true},
		{"02"
		 "820203",
			true},
		{"03f5", true},
		{"1907d0"
		 "a10102",
			true},
		{"20"
		 "f6",
			true},
		{"00"
		 "f5",
			false},
		{"01", false},
		{"0141"
		 "61",
			false},
		{"01f5", false},
		{"02"
		 "8102",
			false},
		{"02"
		 "80",
			false},
		{"02"
		 "4102",
			false},
		{"03f4", false},
		{"0161"
		 "61"
		 "00",
			false},
		{"0161"
		 "ff",
			false},
		{"1801"
		 "6161",
			false},
		{"016161ff", false},
		{"07"
		 "fb3ff0000000000000",
			false},
		{"07c100", false},
	};

	for (unsigned i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		struct edhoc_error error;
		struct bed_bytes in;

		bed_hex(&in, errors[i].hex);
		cr_assert_eq(edhoc_error_parse(&error, in.data, in.len), errors[i].good, "%s",
			errors[i].hex);
		cr_assert(edhoc_is_error(in.data, in.len));
	}
	cr_assert_not(edhoc_is_error(NULL, 0));
	cr_assert_not(edhoc_is_error((const uint8_t *)"\x41\x00", 2));
}

Test(edhoc_errors, suites_r_of_a_thousand_is_read_in_bounds)
{
	static uint8_t message[3000];
	struct edhoc_writer writer = edhoc_writer(message, sizeof(message));
	struct edhoc_error error;

	edhoc_write_int(&writer, EDHOC_ERROR_SUITE);
	edhoc_write_head(&writer, EDHOC_CBOR_ARRAY, 1000);
	for (int i = 0; i < 1000; i++)
		edhoc_write_int(&writer, i);
	cr_assert(edhoc_error_parse(&error, message, edhoc_writer_len(&writer)));
	cr_assert_eq(error.n_suites, EDHOC_ERROR_SUITES_MAX);
}

// --- OSCORE (appendix A.1) and the combined request (RFC 9668) ---------------------------------

Test(edhoc_errors, e2_ids_and_secrets_of_oscore)
{
	const struct edhoc_done done = {
		.suite = 3, .c_i = {2, {0xaa, 1}}, .c_r = {3, {0xbb, 2, 3}}, .prk_out = {7}};
	struct osc_params i, r;
	uint8_t secret[16], salt[8];

	edhoc_oscore(&done, EDHOC_INITIATOR, &i);
	edhoc_oscore(&done, EDHOC_RESPONDER, &r);
	edhoc_export(&done, 0, (struct edhoc_bytes){0}, secret, sizeof(secret));
	edhoc_export(&done, 1, (struct edhoc_bytes){0}, salt, sizeof(salt));
	cr_assert(r.secret_len == 16 && !memcmp(r.secret, secret, 16));
	cr_assert(r.salt_len == 8 && !memcmp(r.salt, salt, 8));
	cr_assert(r.sender_id_len == 2 && r.sender_id[0] == 0xaa, "the Responder sends as C_I");
	cr_assert(r.recipient_id_len == 3 && r.recipient_id[0] == 0xbb);
	cr_assert(i.sender_id_len == 3 && i.recipient_id_len == 2);
	cr_assert(!memcmp(i.secret, r.secret, 16));
	// The application AEAD has the short tag in suite 3, too.
	cr_assert_eq(r.alg, AEAD_AES_CCM_16_64_128);
}

Test(edhoc_errors, e4_the_example_of_rfc_9668)
{
	struct edhoc_bytes message_3, ciphertext;
	struct bed_bytes in;

	bed_hex(&in, "52d5535f3147e85f1cfacd9e78abf9e0a81bbf612f1092f1776f1c1668b3825e");
	cr_assert(edhoc_combined_split(in.data, in.len, &message_3, &ciphertext));
	cr_assert(message_3.data == in.data && message_3.len == 19);
	cr_assert(ciphertext.len == 13 && ciphertext.data[0] == 0x61);
}

Test(edhoc_errors, e4_a_malformed_combined_payload_is_seen)
{
	static const char *const bad[] = {"", "40", "4061", "41", "4101", "5801aa00", "61aa00",
		"01aabb", "5f41aaff00", "9bffffffffffffffff"};
	struct edhoc_bytes message_3, ciphertext;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct bed_bytes in;

		bed_hex(&in, bad[i]);
		cr_assert_not(edhoc_combined_split(in.data, in.len, &message_3, &ciphertext), "%s",
			bad[i]);
	}
}
