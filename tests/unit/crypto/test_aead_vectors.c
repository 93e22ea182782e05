// SPDX-License-Identifier: BSD-3-Clause
// Every engine against the vectors of RFC 3610, NIST and Debian's collection.

#include "tests/unit/crypto/aead_vectors.h"
#include "tests/unit/crypto/rsp.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char rfc3610_key_1[] = "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf";
static const char rfc3610_key_13[] = "d7828d13b2b0bdc325a76236df93cc6b";

// RFC 3610 section 8: the packet vectors with 8-byte tags.
static const struct {
	int number;
	const char *nonce, *aad, *plain, *sealed;
} rfc3610[] = {
	{1, "00000003020100a0a1a2a3a4a5", "0001020304050607",
		"08090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
		"588c979a61c663d2f066d0c2c0f989806d5f6b61dac384 17e8d12cfdf926e0"},
	{2, "00000004030201a0a1a2a3a4a5", "0001020304050607",
		"08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"72c91a36e135f8cf291ca894085c87e3cc15c439c9e43a3b a091d56e10400916"},
	{3, "00000005040302a0a1a2a3a4a5", "0001020304050607",
		"08090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
		"51b1e5f44a197d1da46b0f8e2d282ae871e838bb64da859657 4adaa76fbd9fb0c5"},
	{4, "00000006050403a0a1a2a3a4a5", "000102030405060708090a0b",
		"0c0d0e0f101112131415161718191a1b1c1d1e",
		"a28c6865939a9a79faaa5c4c2a9d4a91cdac8c 96c861b9c9e61ef1"},
	{5, "00000007060504a0a1a2a3a4a5", "000102030405060708090a0b",
		"0c0d0e0f101112131415161718191a1b1c1d1e1f",
		"dcf1fb7b5d9e23fb9d4e131253658ad86ebdca3e 51e83f077d9c2d93"},
	{6, "00000008070605a0a1a2a3a4a5", "000102030405060708090a0b",
		"0c0d0e0f101112131415161718191a1b1c1d1e1f20",
		"6fc1b011f006568b5171a42d953d469b2570a4bd87 405a0443ac91cb94"},
	{13, "00412b4ea9cdbe3c9696766cfa", "0be1a88bace018b1",
		"08e8cf97d820ea258460e96ad9cf5289054d895ceac47c",
		"4cb97f86a2a4689a877947ab8091ef5386a6ffbdd080f8 e78cf7cb0cddd7b3"},
	{14, "0033568ef7b2633c9696766cfa", "63018f76dc8a1bcb",
		"9020ea6f91bdd85afa0039ba4baff9bfb79c7028949cd0ec",
		"4ccb1e7ca981befaa0726c55d378061298c85c92814abc33 c52ee81d7d77c08a"},
	{15, "00103fe41336713c9696766cfa", "aa6cfa36cae86b40",
		"b916e0eacc1c00d7dcec68ec0b3bbb1a02de8a2d1aa346132e",
		"b1d23a2220ddc0ac900d9aa03c61fcf4a559a4417767089708 a776796edb723506"},
	{16, "00764c63b8058e3c9696766cfa", "d0d0735c531e1becf049c244",
		"12daac5630efa5396f770ce1a66b21f7b2101c",
		"14d253c3967b70609b7cbb7c49916028324526 9a6f49975bcadeaf"},
	{17, "00f8b678094e3b3c9696766cfa", "77b60f011c03e1525899bcae",
		"e88b6a46c78d63e52eb8c546efb5de6f75e9cc0d",
		"5545ff1a085ee2efbf52b2e04bee1e2336c73e3f 762c0c7744fe7e3c"},
	{18, "00d560912d3f703c9696766cfa", "cd9044d2b71fdb8120ea60c0",
		"6435acbafb11a82e2f071d7ca4a5ebd93a803ba87f",
		"009769ecabdf48625594c59251e6035722675e04c8 47099e5ae0704551"},
};

static void rfc3610_check(const char *isa)
{
	struct aead_engine *engine = engine_for(isa);
	struct aead_vectors vectors = {.alg = AEAD_AES_CCM_16_64_128};
	char name[80];

	for (unsigned i = 0; i < sizeof(rfc3610) / sizeof(rfc3610[0]); i++) {
		snprintf(name, sizeof(name), "RFC 3610 packet vector %d", rfc3610[i].number);
		aead_vectors_add(&vectors, name,
			rfc3610[i].number < 13 ? rfc3610_key_1 : rfc3610_key_13, rfc3610[i].nonce,
			rfc3610[i].aad, rfc3610[i].plain, rfc3610[i].sealed, true);
	}
	aead_vectors_check(engine, &vectors);
	aead_vectors_free(&vectors);
	aead_engine_free(engine);
}

// Files with Nlen, Tlen, Alen and Plen; an absent value is written "00" with a length of 0.
static void nist_ccm_read(struct aead_vectors *vectors, const char *file)
{
	struct rsp *rsp = rsp_open(file);

	while (rsp_next(rsp)) {
		const char *result = rsp_get(rsp, "Result");
		bool valid = !result || strcmp(result, "Pass") == 0;
		char name[80];

		if (rsp_number(rsp, "Nlen") != aead_algs[vectors->alg].nonce_len ||
			rsp_number(rsp, "Tlen") != aead_algs[vectors->alg].tag_len)
			continue;
		snprintf(
			name, sizeof(name), "%s %s", strrchr(file, '/') + 1, rsp_get(rsp, "Count"));
		aead_vectors_add(vectors, name, rsp_get(rsp, "Key"), rsp_get(rsp, "Nonce"),
			rsp_number(rsp, "Alen") ? rsp_get(rsp, "Adata") : "",
			rsp_number(rsp, "Plen") ? rsp_get(rsp, "Payload")
				: valid         ? ""
						: NULL,
			rsp_get(rsp, "CT"), valid);
	}
	rsp_close(rsp);
}

static void nist_ccm_check(const char *isa)
{
	struct aead_engine *engine = engine_for(isa);
	struct aead_vectors tag8 = {.alg = AEAD_AES_CCM_16_64_128};
	struct aead_vectors tag16 = {.alg = AEAD_AES_CCM_16_128_128};
	static const char *const files[] = {"DVPT128", "VADT128", "VNT128", "VPT128", "VTT128"};

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[80];

		snprintf(path, sizeof(path), "ciphers/AES/CCM/%s.rsp", files[i]);
		nist_ccm_read(&tag8, path);
		nist_ccm_read(&tag16, path);
	}
	cr_log_info("%s: %zu vectors with 8-byte tags, %zu with 16", isa, tag8.count, tag16.count);
	aead_vectors_check(engine, &tag8);
	aead_vectors_check(engine, &tag16);
	aead_vectors_free(&tag8);
	aead_vectors_free(&tag16);
	aead_engine_free(engine);
}

static void nist_gcm_read(struct aead_vectors *vectors, const char *file)
{
	struct rsp *rsp = rsp_open(file);

	while (rsp_next(rsp)) {
		bool valid = !rsp_get(rsp, "FAIL");
		char name[80], *sealed;

		if (rsp_number(rsp, "IVlen") != 96 || rsp_number(rsp, "Taglen") != 128)
			continue;
		snprintf(
			name, sizeof(name), "%s %s", strrchr(file, '/') + 1, rsp_get(rsp, "Count"));
		cr_assert(asprintf(&sealed, "%s%s", rsp_get(rsp, "CT"), rsp_get(rsp, "Tag")) >= 0);
		aead_vectors_add(vectors, name, rsp_get(rsp, "Key"), rsp_get(rsp, "IV"),
			rsp_get(rsp, "AAD"), valid ? rsp_get(rsp, "PT") : NULL, sealed, valid);
		free(sealed);
	}
	rsp_close(rsp);
}

static void nist_gcm_check(const char *isa)
{
	struct aead_engine *engine = engine_for(isa);
	struct aead_vectors gcm128 = {.alg = AEAD_AES_128_GCM};
	struct aead_vectors gcm256 = {.alg = AEAD_AES_256_GCM};

	nist_gcm_read(&gcm128, "ciphers/AES/GCM/gcmDecrypt128.rsp");
	nist_gcm_read(&gcm128, "ciphers/AES/GCM/gcmEncryptExtIV128.rsp");
	nist_gcm_read(&gcm256, "ciphers/AES/GCM/gcmDecrypt256.rsp");
	nist_gcm_read(&gcm256, "ciphers/AES/GCM/gcmEncryptExtIV256.rsp");
	aead_vectors_check(engine, &gcm128);
	aead_vectors_check(engine, &gcm256);
	aead_vectors_free(&gcm128);
	aead_vectors_free(&gcm256);
	aead_engine_free(engine);
}

// The names differ between the two files of ChaCha20/Poly1305.
static const char *either(const struct rsp *rsp, const char *name, const char *other)
{
	const char *value = rsp_get(rsp, name);

	return value ? value : rsp_get(rsp, other);
}

static void chacha_read(struct aead_vectors *vectors, const char *file)
{
	struct rsp *rsp = rsp_open(file);

	while (rsp_next(rsp)) {
		bool valid = !rsp_get(rsp, "Result") && !rsp_get(rsp, "FAILS");
		const char *nonce = either(rsp, "NONCE", "IV"), *tag = rsp_get(rsp, "TAG");
		char name[80], *sealed;

		// Neither shorter nonces nor truncated tags exist in COSE.
		if (strlen(nonce) != 2 * 12 || strlen(tag) != 2 * 16)
			continue;
		snprintf(
			name, sizeof(name), "%s %s", strrchr(file, '/') + 1, rsp_get(rsp, "Count"));
		cr_assert(asprintf(&sealed, "%s%s", either(rsp, "CT", "Ciphertext"), tag) >= 0);
		aead_vectors_add(vectors, name, rsp_get(rsp, "KEY"), nonce,
			either(rsp, "AD", "AAD") ? either(rsp, "AD", "AAD") : "",
			either(rsp, "IN", "Plaintext"), sealed, valid);
		free(sealed);
	}
	rsp_close(rsp);
}

Test(aead_vectors, chacha20_poly1305)
{
	struct aead_engine *engine = engine_for(NULL);
	struct aead_vectors vectors = {.alg = AEAD_CHACHA20_POLY1305};

	chacha_read(&vectors, "ciphers/ChaCha20Poly1305/boringssl.txt");
	chacha_read(&vectors, "ciphers/ChaCha20Poly1305/openssl.txt");
	aead_vectors_check(engine, &vectors);
	aead_vectors_free(&vectors);
	aead_engine_free(engine);
}

#define TESTS_OF(isa)                      \
	Test(aead_vectors, rfc3610_##isa)  \
	{                                  \
		rfc3610_check(#isa);       \
	}                                  \
	Test(aead_vectors, nist_ccm_##isa) \
	{                                  \
		nist_ccm_check(#isa);      \
	}                                  \
	Test(aead_vectors, nist_gcm_##isa) \
	{                                  \
		nist_gcm_check(#isa);      \
	}
AEAD_EACH_ISA(TESTS_OF)

// A new instruction set must not go untested.
Test(aead_vectors, every_isa_has_its_tests)
{
#define NAME_OF(isa) #isa,
	static const char *const tested[] = {AEAD_EACH_ISA(NAME_OF)};
	const unsigned count = sizeof(tested) / sizeof(tested[0]);

	for (unsigned i = 0; i < count; i++) {
		cr_assert_not_null(aead_isa_names()[i]);
		cr_assert_str_eq(aead_isa_names()[i], tested[i]);
	}
	cr_assert_null(aead_isa_names()[count]);
}
