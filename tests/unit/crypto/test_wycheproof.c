// SPDX-License-Identifier: BSD-3-Clause
// Project Wycheproof's vectors. They are not part of the sources: this is built where they are.

#include "crypto/ecc.h"
#include "tests/unit/crypto/aead_vectors.h"
#include "tests/unit/crypto/hkdf_whole.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <jansson.h>

static json_t *file_load(const char *name)
{
	char path[512];
	json_error_t error;
	json_t *file;

	snprintf(path, sizeof(path), "%s/%s", WYCHEPROOF, name);
	file = json_load_file(path, 0, &error);
	cr_assert(file, "%s:%d: %s", path, error.line, error.text);
	return file;
}

static const char *text(const json_t *object, const char *name)
{
	const char *value = json_string_value(json_object_get(object, name));

	cr_assert(value, "a case lacks %s", name);
	return value;
}

static int number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static void aead_check(const char *isa, const char *name, enum aead_alg alg)
{
	const struct aead_alg_info *info = &aead_algs[alg];
	struct aead_engine *engine = engine_for(isa);
	struct aead_vectors vectors = {.alg = alg};
	json_t *file = file_load(name), *group, *test;
	size_t i, k;

	json_array_foreach(json_object_get(file, "testGroups"), i, group)
	{
		if (number(group, "keySize") != info->key_len * 8 ||
			number(group, "ivSize") != info->nonce_len * 8 ||
			number(group, "tagSize") != info->tag_len * 8)
			continue;
		json_array_foreach(json_object_get(group, "tests"), k, test)
		{
			bool valid = strcmp(text(test, "result"), "valid") == 0;
			char label[80], *sealed;

			snprintf(label, sizeof(label), "%s case %d", name, number(test, "tcId"));
			cr_assert(asprintf(&sealed, "%s%s", text(test, "ct"), text(test, "tag")) >=
				0);
			aead_vectors_add(&vectors, label, text(test, "key"), text(test, "iv"),
				text(test, "aad"), valid ? text(test, "msg") : NULL, sealed, valid);
			free(sealed);
		}
	}
	aead_vectors_check(engine, &vectors);
	aead_vectors_free(&vectors);
	aead_engine_free(engine);
	json_decref(file);
}

#define TESTS_OF(isa)                                                                 \
	Test(wycheproof, ccm_##isa)                                                   \
	{                                                                             \
		aead_check(#isa, "wycheproof_aes_ccm.json", AEAD_AES_CCM_16_128_128); \
	}                                                                             \
	Test(wycheproof, gcm_##isa)                                                   \
	{                                                                             \
		aead_check(#isa, "wycheproof_aes_gcm.json", AEAD_AES_128_GCM);        \
		aead_check(#isa, "wycheproof_aes_gcm.json", AEAD_AES_256_GCM);        \
	}
AEAD_EACH_ISA(TESTS_OF)

Test(wycheproof, chacha20_poly1305)
{
	aead_check(NULL, "wycheproof_chacha20_poly1305.json", AEAD_CHACHA20_POLY1305);
}

Test(wycheproof, hkdf)
{
	json_t *file = file_load("wycheproof_hkdf_sha256.json"), *group, *test;
	size_t i, k, done = 0;

	json_array_foreach(json_object_get(file, "testGroups"), i, group)
	{
		json_array_foreach(json_object_get(group, "tests"), k, test)
		{
			const bool valid = strcmp(text(test, "result"), "valid") == 0;
			const size_t size = number(test, "size");
			size_t ikm_len, salt_len, info_len, okm_len;
			uint8_t *ikm = hex_decode(text(test, "ikm"), &ikm_len);
			uint8_t *salt = hex_decode(text(test, "salt"), &salt_len);
			uint8_t *info = hex_decode(text(test, "info"), &info_len);
			uint8_t *okm = hex_decode(text(test, "okm"), &okm_len);
			uint8_t *out = malloc(size + 1);

			cr_expect_eq(
				hkdf_whole(out, size, salt, salt_len, ikm, ikm_len, info, info_len),
				valid ? 0 : -EINVAL);
			if (valid)
				cr_expect_arr_eq(out, okm, size, "case %d", number(test, "tcId"));
			done++;
			free(ikm);
			free(salt);
			free(info);
			free(okm);
			free(out);
		}
	}
	cr_assert_gt(done, 0);
	json_decref(file);
}

static uint8_t *bytes_of(const json_t *object, const char *name, size_t *len)
{
	return hex_decode(text(object, name), len);
}

// Reads the key of a case: 32 bytes, or an uncompressed point. False: its encoding is none of ours.
static bool public_read(const char *hex, enum ecc_curve curve, struct ecc_public *public)
{
	const size_t expected = curve == ECC_P256 ? 1 + 2 * ECC_LEN : ECC_LEN;
	size_t len;
	uint8_t *bytes = hex_decode(hex, &len);
	const bool good = len == expected && (curve != ECC_P256 || *bytes == 4);

	memset(public, 0, sizeof(*public));
	public->curve = curve;
	if (good)
		memcpy(public->x, bytes + (curve == ECC_P256), ECC_LEN);
	if (good && curve == ECC_P256)
		memcpy(public->y, bytes + 1 + ECC_LEN, ECC_LEN);
	free(bytes);
	return good;
}

// Whether a case must give its result: what X25519 accepts on sufferance it computes, but for a
// shared secret of zeros.
static bool shared_valid(const json_t *test)
{
	size_t i;
	json_t *flag;

	json_array_foreach(json_object_get(test, "flags"), i, flag)
	{
		if (!strcmp(json_string_value(flag), "ZeroSharedSecret"))
			return false;
	}
	return strcmp(text(test, "result"), "invalid");
}

// The same key and point in all places of a batch.
static void batch_check(struct ecc_engine *engine, const struct ecc_pair *pair,
	const struct ecc_public *public, int err, const uint8_t shared[ECC_LEN])
{
	struct ecc_job jobs[8], *list[8];

	for (unsigned i = 0; i < 8; i++) {
		jobs[i] = (struct ecc_job){.pair = pair, .public = public, .err = 1};
		list[i] = &jobs[i];
	}
	ecc_shared_batch(engine, list, 8);
	for (unsigned i = 0; i < 8; i++) {
		cr_assert_eq(jobs[i].err, err);
		cr_assert_arr_eq(jobs[i].shared, shared, ECC_LEN);
	}
}

static void ecdh_check(const char *name, enum ecc_curve curve)
{
	struct ecc_engine *engine = ecc_engine_create(NULL);
	json_t *file = file_load(name), *group, *test;
	size_t i, k, done = 0;

	json_array_foreach(json_object_get(file, "testGroups"), i, group)
	{
		json_array_foreach(json_object_get(group, "tests"), k, test)
		{
			struct ecc_pair pair = {.public.curve = curve};
			size_t secret_len, shared_len;
			uint8_t *secret = bytes_of(test, "private", &secret_len), out[ECC_LEN];
			uint8_t *shared = bytes_of(test, "shared", &shared_len);
			struct ecc_public public;
			const bool read = public_read(text(test, "public"), curve, &public);

			// Integers of P-256 have as many zeros in front as their writer liked.
			size_t zeros = secret_len > ECC_LEN ? secret_len - ECC_LEN : 0;

			memcpy(pair.secret + ECC_LEN - (secret_len - zeros), secret + zeros,
				secret_len - zeros);
			if (read && shared_valid(test)) {
				cr_assert_eq(ecc_shared(engine, &pair, &public, out), 0, "%s %d",
					name, number(test, "tcId"));
				cr_assert_arr_eq(
					out, shared, ECC_LEN, "%s %d", name, number(test, "tcId"));
				batch_check(engine, &pair, &public, 0, shared);
				done++;
			} else if (read) {
				cr_assert_eq(ecc_shared(engine, &pair, &public, out), -EINVAL,
					"%s %d", name, number(test, "tcId"));
				batch_check(engine, &pair, &public, -EINVAL, out);
			}
			free(secret);
			free(shared);
		}
	}
	cr_assert_gt(done, 300);
	json_decref(file);
	ecc_engine_free(engine);
}

Test(wycheproof, x25519)
{
	ecdh_check("wycheproof_x25519.json", ECC_X25519);
}

Test(wycheproof, ecdh_p256)
{
	ecdh_check("wycheproof_ecdh_secp256r1_ecpoint.json", ECC_P256);
}

static void signatures_check(
	const char *name, enum ecc_curve curve, const char *key_name, size_t at_least)
{
	struct ecc_engine *engine = ecc_engine_create(NULL);
	json_t *file = file_load(name), *group, *test;
	size_t i, k, done = 0;

	json_array_foreach(json_object_get(file, "testGroups"), i, group)
	{
		const json_t *key = json_object_get(group, "publicKey");
		struct ecc_public public;

		cr_assert(public_read(text(key, key_name), curve, &public));
		json_array_foreach(json_object_get(group, "tests"), k, test)
		{
			const bool valid = !strcmp(text(test, "result"), "valid");
			size_t msg_len, signature_len;
			uint8_t *msg = bytes_of(test, "msg", &msg_len);
			uint8_t *signature = bytes_of(test, "sig", &signature_len);

			// Of another length it cannot be given to the function.
			if (signature_len == ECC_SIGNATURE_LEN) {
				cr_assert_eq(ecc_verify(engine, &public, msg, msg_len, signature),
					valid ? 0 : -EINVAL, "%s %d", name, number(test, "tcId"));
				done++;
			} else {
				cr_assert_not(valid);
			}
			free(msg);
			free(signature);
		}
	}
	cr_assert_gt(done, at_least);
	json_decref(file);
	ecc_engine_free(engine);
}

Test(wycheproof, es256)
{
	signatures_check(
		"wycheproof_ecdsa_secp256r1_sha256_p1363.json", ECC_P256, "uncompressed", 200);
}

Test(wycheproof, ed25519)
{
	signatures_check("wycheproof_ed25519.json", ECC_ED25519, "pk", 120);
}
