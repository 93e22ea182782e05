// SPDX-License-Identifier: BSD-3-Clause
// Key derivation of a security context (RFC 8613 section 3.2).

#ifndef POSTERN_OSCORE_CONTEXT_H
#define POSTERN_OSCORE_CONTEXT_H

#include "crypto/aead_algs.h"
#include "dataplane/oscore/option.h"

#include <stdbool.h>

#define OSC_SECRET_LEN_MAX     64  // bytes of Master Secret and of Master Salt taken
#define OSC_ID_CONTEXT_LEN_MAX 255 // bytes, what the option can carry (section 6.1)

// What both ends agree on. Ids as RFC 8613 names them, seen from this end.
struct osc_params {
	enum aead_alg alg;
	bool has_id_context; // an empty ID Context is not an absent one (section 3.2.1)
	uint8_t secret_len, salt_len, id_context_len, sender_id_len, recipient_id_len; // bytes
	uint8_t secret[OSC_SECRET_LEN_MAX];
	uint8_t salt[OSC_SECRET_LEN_MAX]; // salt_len 0: the default, empty
	uint8_t id_context[OSC_ID_CONTEXT_LEN_MAX];
	uint8_t sender_id[OSC_KID_LEN_MAX];
	uint8_t recipient_id[OSC_KID_LEN_MAX];
};

struct osc_keys {
	uint8_t sender_key[AEAD_KEY_MAX];
	uint8_t recipient_key[AEAD_KEY_MAX];
	uint8_t common_iv[AEAD_NONCE_MAX];
};

// Longest id of an algorithm, in bytes: nonce length - 6 (section 3.3).
unsigned osc_id_len_max(enum aead_alg alg);

// Derives the keys with HKDF-SHA-256. Returns 0, or -EINVAL if an id is too long for the
// algorithm, both ids are equal, or the Master Secret is empty. The caller wipes *keys.
int osc_derive(struct osc_keys *keys, const struct osc_params *params)
	__attribute__((warn_unused_result));

#endif
