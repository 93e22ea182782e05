// SPDX-License-Identifier: BSD-3-Clause
// Project Wycheproof's vectors. They are not part of the sources: this is built where they are.

#include "crypto/hkdf.h"
#include "tests/unit/crypto/aead_vectors.h"
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

			cr_expect_eq(hkdf_sha256(out, size, salt, salt_len, ikm, ikm_len, info,
					     info_len),
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
