// SPDX-License-Identifier: BSD-3-Clause

#include "crypto/aead_algs.h"

#include <errno.h>
#include <strings.h>

const struct aead_alg_info aead_algs[AEAD_ALG_COUNT] = {
	[AEAD_AES_CCM_16_64_128] = {"AES-CCM-16-64-128", 10, 16, 13, 8},
	[AEAD_AES_CCM_16_128_128] = {"AES-CCM-16-128-128", 30, 16, 13, 16},
	[AEAD_AES_128_GCM] = {"A128GCM", 1, 16, 12, 16},
	[AEAD_AES_256_GCM] = {"A256GCM", 3, 32, 12, 16},
	[AEAD_CHACHA20_POLY1305] = {"ChaCha20/Poly1305", 24, 32, 12, 16},
};

int aead_alg_from_cose(int cose, enum aead_alg *alg)
{
	for (unsigned i = 0; i < AEAD_ALG_COUNT; i++) {
		if (aead_algs[i].cose == cose) {
			*alg = i;
			return 0;
		}
	}
	return -ENOTSUP;
}

int aead_alg_from_name(const char *name, enum aead_alg *alg)
{
	for (unsigned i = 0; i < AEAD_ALG_COUNT; i++) {
		if (strcasecmp(aead_algs[i].name, name) == 0) {
			*alg = i;
			return 0;
		}
	}
	return -ENOTSUP;
}
