// SPDX-License-Identifier: BSD-3-Clause
// Against libsodium, which has a code of its own for both.

#include "crypto/sha256.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

#define LEN_MAX 260 // four blocks and what is around them

static uint8_t bytes[LEN_MAX], want[SHA256_LEN], got[SHA256_LEN];

static void fill(void)
{
	cr_assert_geq(sodium_init(), 0);
	randombytes_buf(bytes, sizeof(bytes));
}

TestSuite(sha256, .init = fill);

Test(sha256, of_every_length_in_two_pieces)
{
	for (size_t len = 0; len <= LEN_MAX; len++) {
		crypto_hash_sha256(want, bytes, len);
		sha256(got, len ? bytes : NULL, len);
		cr_assert_arr_eq(got, want, SHA256_LEN, "%zu bytes", len);
		for (size_t first = 0; first <= len; first += 7) {
			struct sha256 sha;

			sha256_init(&sha);
			sha256_update(&sha, bytes, first);
			sha256_update(&sha, bytes + first, len - first);
			sha256_final(&sha, got);
			cr_assert_arr_eq(got, want, SHA256_LEN, "%zu of %zu bytes", first, len);
		}
	}
}

Test(sha256, keys_of_every_length)
{
	for (size_t key_len = 0; key_len <= 3 * 64; key_len++)
		for (size_t len = 0; len <= LEN_MAX; len += 13) {
			crypto_auth_hmacsha256_state oracle;
			struct hmac_sha256 hmac;

			crypto_auth_hmacsha256_init(&oracle, bytes + 5, key_len);
			crypto_auth_hmacsha256_update(&oracle, bytes, len);
			crypto_auth_hmacsha256_final(&oracle, want);
			hmac_sha256_init(&hmac, key_len ? bytes + 5 : NULL, key_len);
			hmac_sha256_update(&hmac, bytes, len);
			hmac_sha256_final(&hmac, got);
			cr_assert_arr_eq(
				got, want, SHA256_LEN, "key of %zu, %zu bytes", key_len, len);
		}
}

Test(sha256, a_copy_goes_on_by_itself)
{
	struct hmac_sha256 keyed, hmac;

	hmac_sha256_init(&keyed, bytes, 32);
	for (size_t len = 0; len < 100; len += 33) {
		hmac = keyed;
		hmac_sha256_update(&hmac, bytes, len);
		hmac_sha256_final(&hmac, got);
		crypto_auth_hmacsha256(want, bytes, len, bytes);
		cr_expect_arr_eq(got, want, SHA256_LEN, "%zu bytes", len);
	}
}

Test(sha256, nothing_is_left_in_the_state)
{
	struct sha256 sha;
	struct hmac_sha256 hmac;

	sha256_init(&sha);
	sha256_update(&sha, bytes, 40);
	sha256_final(&sha, got);
	cr_expect(sodium_is_zero((uint8_t *)&sha, sizeof(sha)));
	hmac_sha256_init(&hmac, bytes, 32);
	hmac_sha256_update(&hmac, bytes, 40);
	hmac_sha256_final(&hmac, got);
	cr_expect(sodium_is_zero((uint8_t *)&hmac, sizeof(hmac)));
}
