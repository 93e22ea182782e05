// SPDX-License-Identifier: BSD-3-Clause
// Methods and cipher suites of EDHOC (RFC 9528 sections 3.2 and 3.6).

#ifndef POSTERN_GW_EDHOC_SUITE_H
#define POSTERN_GW_EDHOC_SUITE_H

#include "crypto/aead_algs.h"
#include "crypto/ecc.h"

#include <stdbool.h>
#include <stdint.h>

#define EDHOC_SUITE_COUNT  4 // suites 0 to 3; all of them use SHA-256
#define EDHOC_METHOD_COUNT 4

enum edhoc_role { EDHOC_INITIATOR, EDHOC_RESPONDER };

struct edhoc_suite {
	enum aead_alg aead;        // of EDHOC's messages
	uint8_t mac_len;           // bytes, with static Diffie-Hellman keys
	enum ecc_curve agreement;  // of ephemeral and static Diffie-Hellman keys
	enum ecc_curve signature;  // of signature keys
	enum aead_alg application; // OSCORE's
};

extern const struct edhoc_suite edhoc_suites[EDHOC_SUITE_COUNT];

// Whether this role authenticates with a static Diffie-Hellman key, not with a signature.
static inline bool edhoc_static_dh(unsigned method, enum edhoc_role role)
{
	return method & (role == EDHOC_INITIATOR ? 2 : 1);
}

#endif
