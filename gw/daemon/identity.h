// SPDX-License-Identifier: BSD-3-Clause
// Who the gateway is for EDHOC: its private keys and credentials, from files.

#ifndef POSTERN_GW_DAEMON_IDENTITY_H
#define POSTERN_GW_DAEMON_IDENTITY_H

#include "base/error.h"
#include "gw/conf/conf.h"
#include "gw/handshake/edhoc_side.h"

#define IDENTITY_CHAIN_MAX (EDHOC_MESSAGE_MAX - 256) // bytes of an x5chain
#define IDENTITY_BYTES_MAX (EDHOC_IDENTITIES_MAX * (4 * EDHOC_CREDENTIAL_MAX + 128))

struct identity {
	struct edhoc_own own[EDHOC_IDENTITIES_MAX];               // the best first
	struct edhoc_credential credential[EDHOC_IDENTITIES_MAX]; // theirs
	unsigned file[EDHOC_IDENTITIES_MAX]; // of conf_edhoc.identity: where each is from
	unsigned count;
	size_t used;
	uint8_t bytes[IDENTITY_BYTES_MAX]; // what the credentials point to
};

// Reads the files of conf_edhoc.identity, those that are used first at the front: JSON objects, one
// behind the other, with "credential" and "private_key" in hex, and maybe "id_cred": kid, kccs, x5t
// or x5chain, and "chain" with that: a list of certificates above it. Returns 0 or -errno with a
// line in *error.
int identity_load(const struct conf_edhoc *conf, struct identity **identity, struct error *error)
	__attribute__((warn_unused_result));
// Methods and suites of these (bit i: number i; 0: all) with which a credential, or any of an
// identity's, is good for the Responder.
void identity_credential_offers(const struct edhoc_credential *credential,
	const struct conf_edhoc *conf, uint64_t *methods, uint64_t *suites);
// Whether there is a method with a suite for which message_2 has this credential: none before it is
// good for them.
bool identity_is_used(const struct identity *identity, unsigned i, const struct conf_edhoc *conf);
// Sets what *conf says that is offered.
void identity_offers(const struct identity *identity, struct conf_edhoc *conf);
bool identity_equal(const struct identity *a, const struct identity *b);
// Makes what a thread of handshakes needs of it, which must outlive that. NULL and errno.
struct edhoc_identities *identity_of_thread(
	const struct identity *identity, const struct conf_edhoc *conf);
// Wipes the private keys. NULL is allowed.
void identity_free(struct identity *identity);

#endif
