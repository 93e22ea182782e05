// SPDX-License-Identifier: BSD-3-Clause
// Derives the keys of a security context from its parameters (RFC 8613 section 3.2).

#ifndef POSTERN_DATAPLANE_OSCORE_CONTEXT_H
#define POSTERN_DATAPLANE_OSCORE_CONTEXT_H

#include "crypto/aead_algs.h"
#include "dataplane/oscore/option.h"

#include <stdbool.h>

#define OSC_SECRET_LEN_MAX     64  // bytes of a Master Secret, and of a Master Salt; ours
#define OSC_ID_CONTEXT_LEN_MAX 255 // bytes, what the option can carry (section 6.1)

// The parameters that both ends share (section 3.2), with the ids as this end sees them: a device's
// Sender ID is our Recipient ID. Holds secrets: the owner wipes it.
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

// The derived keys, of the lengths in aead_algs[]. Holds secrets: the owner wipes it.
struct osc_keys {
	uint8_t sender_key[AEAD_KEY_MAX];
	uint8_t recipient_key[AEAD_KEY_MAX];
	uint8_t common_iv[AEAD_NONCE_MAX];
};

// Returns the longest id that the algorithm allows, in bytes: nonce length - 6 (section 3.3).
unsigned osc_id_len_max(enum aead_alg alg);

// Derives both keys and the Common IV with HKDF-SHA-256. Returns 0, or -EINVAL if an id is too long
// for the algorithm, both ids are equal, or the Master Secret is empty.
int osc_derive(struct osc_keys *keys, const struct osc_params *params)
	__attribute__((warn_unused_result));

#endif
