// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/crypto/hkdf_whole.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>

// RFC 5869 appendix A.1 to A.3: those with SHA-256.
static const struct {
	const char *ikm, *salt, *info, *okm;
} rfc5869[] = {
	{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
		"f0f1f2f3f4f5f6f7f8f9",
		"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185"
		"865"},
	{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
	 "28292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
		"606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f8081828384858687"
		"88898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
		"b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7"
		"d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
		"b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac78272"
		"71cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f"
		"1d87"},
	{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
		"8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a"
		"96c8"},
};

Test(hkdf, rfc5869)
{
	for (unsigned i = 0; i < sizeof(rfc5869) / sizeof(rfc5869[0]); i++) {
		size_t ikm_len, salt_len, info_len, okm_len;
		uint8_t *ikm = hex_decode(rfc5869[i].ikm, &ikm_len);
		uint8_t *salt = hex_decode(rfc5869[i].salt, &salt_len);
		uint8_t *info = hex_decode(rfc5869[i].info, &info_len);
		uint8_t *okm = hex_decode(rfc5869[i].okm, &okm_len);
		uint8_t out[128];

		cr_assert_eq(
			hkdf_whole(out, okm_len, salt, salt_len, ikm, ikm_len, info, info_len), 0);
		cr_assert_arr_eq(out, okm, okm_len, "RFC 5869 A.%u", i + 1);
		free(ikm);
		free(salt);
		free(info);
		free(okm);
	}
}

// RFC 5869 section 2.2: no salt is a salt of zeros; so OSCORE's "" and zeros derive the same.
Test(hkdf, empty_salt_is_zeros)
{
	static const uint8_t zeros[32], ikm[16] = {1};
	uint8_t with[16], without[16];

	cr_assert_eq(hkdf_whole(with, 16, zeros, 32, ikm, 16, NULL, 0), 0);
	cr_assert_eq(hkdf_whole(without, 16, NULL, 0, ikm, 16, NULL, 0), 0);
	cr_assert_arr_eq(with, without, 16);
}

// RFC 5869 section 2.3: at most 255 blocks, of which the last one is complete.
Test(hkdf, longest_output)
{
	static uint8_t out[255 * 32 + 1], prefix[255 * 32 - 1];
	const uint8_t ikm[16] = {2};

	cr_assert_eq(hkdf_whole(out, sizeof(out), NULL, 0, ikm, 16, NULL, 0), -EINVAL);
	cr_assert(sodium_is_zero(out, sizeof(out)));
	cr_assert_eq(hkdf_whole(out, sizeof(out) - 1, NULL, 0, ikm, 16, NULL, 0), 0);
	cr_assert_eq(out[sizeof(out) - 1], 0);
	cr_assert_eq(hkdf_whole(prefix, sizeof(prefix), NULL, 0, ikm, 16, NULL, 0), 0);
	cr_assert_arr_eq(out, prefix, sizeof(prefix));
	cr_assert_eq(hkdf_whole(out, 0, NULL, 0, ikm, 16, NULL, 0), 0);
}
