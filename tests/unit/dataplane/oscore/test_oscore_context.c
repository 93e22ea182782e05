// SPDX-License-Identifier: BSD-3-Clause
// Key derivation: RFC 8613 section 3 and appendices C.1 to C.3.

#include "dataplane/oscore/protect.h"
#include "tests/unit/crypto/hkdf_whole.h"
#include "tests/unit/dataplane/oscore/osc_params_hex.h"
#include "tests/unit/dataplane/oscore/rfc8613_vectors.h"

#include <criterion/criterion.h>
#include <errno.h>

static void expect_hex(const uint8_t *got, const char *want, const char *what, const char *name)
{
	size_t len;
	uint8_t *bytes = hex_decode(want, &len);

	cr_expect(!memcmp(got, bytes, len), "%s of %s", what, name);
	free(bytes);
}

static void check_derivation(const struct rfc8613_context *c, bool client)
{
	const char *own_id = client ? c->client_id : c->server_id;
	const char *peer_id = client ? c->server_id : c->client_id;
	struct osc_params p = osc_params_hex(c->secret, c->salt, c->id_context, own_id, peer_id);
	struct osc_keys keys;
	uint8_t nonce[AEAD_NONCE_MAX];

	cr_assert_eq(osc_derive(&keys, &p), 0);
	expect_hex(keys.sender_key, client ? c->client_key : c->server_key, "sender key", c->name);
	expect_hex(keys.recipient_key, client ? c->server_key : c->client_key, "recipient key",
		c->name);
	expect_hex(keys.common_iv, c->common_iv, "common iv", c->name);

	osc_nonce(nonce, p.alg, keys.common_iv, p.sender_id, p.sender_id_len, 0);
	expect_hex(nonce, client ? c->client_nonce : c->server_nonce, "sender nonce", c->name);
	osc_nonce(nonce, p.alg, keys.common_iv, p.recipient_id, p.recipient_id_len, 0);
	expect_hex(nonce, client ? c->server_nonce : c->client_nonce, "recipient nonce", c->name);
}

Test(oscore_context, appendix_C_1_to_C_3_as_client)
{
	for (unsigned i = 0; i < RFC8613_CONTEXT_COUNT; i++)
		check_derivation(&rfc8613_contexts[i], true);
}

Test(oscore_context, appendix_C_1_to_C_3_as_server)
{
	for (unsigned i = 0; i < RFC8613_CONTEXT_COUNT; i++)
		check_derivation(&rfc8613_contexts[i], false);
}

// Section 3.2.1: nil is not h''.
Test(oscore_context, an_empty_id_context_is_not_an_absent_one)
{
	struct osc_params p = osc_params_hex("0102", "", NULL, "01", "02");
	struct osc_keys without, with;

	cr_assert_eq(osc_derive(&without, &p), 0);
	p.has_id_context = true;
	cr_assert_eq(osc_derive(&with, &p), 0);
	cr_expect_arr_neq(without.sender_key, with.sender_key, 16);
	cr_expect_arr_neq(without.common_iv, with.common_iv, 13);
}

// L is in bytes; algorithm numbers and lengths from 24 on, and ids of 24 bytes and more, have a
// longer head.
Test(oscore_context, info_of_long_values)
{
	struct osc_params p = osc_params_hex("0102030405060708090a0b0c0d0e0f10", "",
		"000102030405060708090a0b0c0d0e0f1011121314151617", "aabb", "cc");
	static const struct {
		enum aead_alg alg;
		uint8_t id_context_len, key_len;
		const char *key_info, *iv_info;
	} cases[] = {
		{AEAD_CHACHA20_POLY1305, 24, 32,
			"8542aabb5818000102030405060708090a0b0c0d0e0f10111213141516171818634b6579"
			"1820",
			"85405818000102030405060708090a0b0c0d0e0f101112131415161718186249560c"},
		{AEAD_AES_CCM_16_128_128, 24, 16,
			"8542aabb5818000102030405060708090a0b0c0d0e0f1011121314151617181e634b6579"
			"10",
			"85405818000102030405060708090a0b0c0d0e0f1011121314151617181e6249560d"},
		{AEAD_AES_256_GCM, 24, 32,
			"8542aabb5818000102030405060708090a0b0c0d0e0f101112131415161703634b6579"
			"1820",
			"85405818000102030405060708090a0b0c0d0e0f1011121314151617036249560c"},
		{AEAD_AES_CCM_16_64_128, 23, 16,
			"8542aabb57000102030405060708090a0b0c0d0e0f101112131415160a634b657910",
			"854057000102030405060708090a0b0c0d0e0f101112131415160a6249560d"},
	};
	struct osc_keys keys;
	uint8_t want[32];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len;
		uint8_t *info = hex_decode(cases[i].key_info, &len);

		p.alg = cases[i].alg;
		p.id_context_len = cases[i].id_context_len;
		cr_assert_eq(osc_derive(&keys, &p), 0);
		cr_assert_eq(hkdf_whole(want, cases[i].key_len, p.salt, 0, p.secret, p.secret_len,
				     info, len),
			0);
		cr_expect_arr_eq(keys.sender_key, want, cases[i].key_len, "case %u", i);
		free(info);
		info = hex_decode(cases[i].iv_info, &len);
		cr_assert_eq(hkdf_whole(want, aead_algs[p.alg].nonce_len, p.salt, 0, p.secret,
				     p.secret_len, info, len),
			0);
		cr_expect_arr_eq(keys.common_iv, want, aead_algs[p.alg].nonce_len, "case %u", i);
		free(info);
	}
}

Test(oscore_context, the_longest_id_context_is_derived_within_bounds)
{
	struct osc_params p = osc_params_hex("0102", "", "", "01020304050607", "");
	struct osc_keys a, b;

	p.id_context_len = OSC_ID_CONTEXT_LEN_MAX;
	cr_assert_eq(osc_derive(&a, &p), 0);
	p.id_context[OSC_ID_CONTEXT_LEN_MAX - 1] ^= 1;
	cr_assert_eq(osc_derive(&b, &p), 0);
	cr_expect_arr_neq(a.sender_key, b.sender_key, 16);
}

// Section 3.3: nonce length minus 6.
Test(oscore_context, ids_longer_than_the_algorithm_allows_are_refused)
{
	struct osc_params p = osc_params_hex("0102", "", NULL, "01020304050607", "01");
	struct osc_keys keys;

	cr_expect_eq(osc_id_len_max(AEAD_AES_CCM_16_64_128), 7);
	cr_expect_eq(osc_id_len_max(AEAD_AES_CCM_16_128_128), 7);
	cr_expect_eq(osc_id_len_max(AEAD_AES_128_GCM), 6);
	cr_expect_eq(osc_id_len_max(AEAD_AES_256_GCM), 6);
	cr_expect_eq(osc_id_len_max(AEAD_CHACHA20_POLY1305), 6);
	cr_expect_eq(osc_derive(&keys, &p), 0);
	p.alg = AEAD_AES_128_GCM;
	cr_expect_eq(osc_derive(&keys, &p), -EINVAL);
	p = osc_params_hex("0102", "", NULL, "01", "01020304050607");
	cr_expect_eq(osc_derive(&keys, &p), 0);
	p.alg = AEAD_CHACHA20_POLY1305;
	cr_expect_eq(osc_derive(&keys, &p), -EINVAL);
}

// Section 3.3: with equal ids both ends would use the same key and nonces.
Test(oscore_context, equal_ids_are_refused)
{
	struct osc_params p = osc_params_hex("0102", "", NULL, "01", "01");
	struct osc_keys keys;

	cr_expect_eq(osc_derive(&keys, &p), -EINVAL);
	p.recipient_id_len = p.sender_id_len = 0;
	cr_expect_eq(osc_derive(&keys, &p), -EINVAL);
	p.sender_id_len = 1;
	p.sender_id[0] = 0;
	cr_expect_eq(osc_derive(&keys, &p), 0, "no byte and a zero byte are two ids");
}

Test(oscore_context, lengths_out_of_range_are_refused)
{
	struct osc_params good = osc_params_hex("0102", "", NULL, "01", "02"), p;
	struct osc_keys keys;

	p = good;
	p.secret_len = 0;
	cr_expect_eq(osc_derive(&keys, &p), -EINVAL);
	p = good;
	p.secret_len = OSC_SECRET_LEN_MAX + 1;
	cr_expect_eq(osc_derive(&keys, &p), -EINVAL);
	p = good;
	p.salt_len = OSC_SECRET_LEN_MAX + 1;
	cr_expect_eq(osc_derive(&keys, &p), -EINVAL);
	p = good;
	p.alg = AEAD_ALG_COUNT;
	cr_expect_eq(osc_derive(&keys, &p), -EINVAL);
}
