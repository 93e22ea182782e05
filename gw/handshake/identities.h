// SPDX-License-Identifier: BSD-3-Clause
// The gateway's own credentials as a thread of EDHOC uses them, with the private keys. While the
// gateway takes others, each thread has a set of its own that main makes and wipes. A handshake
// needs one for message_2 only, so that one under way ends with whom it began.

#ifndef POSTERN_GW_HANDSHAKE_IDENTITIES_H
#define POSTERN_GW_HANDSHAKE_IDENTITIES_H

#include "gw/edhoc/session.h"

#define EDHOC_IDENTITIES_MAX 8

// An own credential with its private key.
struct edhoc_own {
	struct edhoc_bytes item; // CRED_R
	bool x509;
	struct edhoc_id_cred id_cred; // its bytes stay
	uint8_t secret[ECC_LEN];
};

// Holds secrets.
struct edhoc_identities {
	struct edhoc_identity
		identity[EDHOC_IDENTITIES_MAX]; // those that are used first at the front
	unsigned count;
	unsigned methods;                       // that an identity is for
	unsigned suites_of[EDHOC_METHOD_COUNT]; // that one is for with this method
};

// Of `count` credentials, whose bytes must outlive the set. Bit i of methods and suites: number i
// is allowed. NULL and errno: EINVAL if one cannot be used, ENOMEM.
struct edhoc_identities *edhoc_identities_create(
	const struct edhoc_own *own, unsigned count, unsigned methods, unsigned suites);
// Wipes and frees. NULL is allowed.
void edhoc_identities_free(struct edhoc_identities *identities);

#endif
