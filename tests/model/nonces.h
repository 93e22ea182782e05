// SPDX-License-Identifier: BSD-3-Clause
// An oracle of nonces: what each nonce of each key has sealed.

#ifndef POSTERN_TESTS_MODEL_NONCES_H
#define POSTERN_TESTS_MODEL_NONCES_H

#include "crypto/aead.h"

#include <stdbool.h>

// Whether this nonce of this key has sealed nothing else up to now. sealed: a hash of the message.
// Aborts when there are more nonces than it has room for.
bool nonce_seals(const uint8_t key[AEAD_KEY_MAX], const uint8_t nonce[AEAD_NONCE_MAX],
	const uint8_t sealed[16]);

#endif
