// SPDX-License-Identifier: BSD-3-Clause
// Rules that make devices of certificates: one authority, and how a device is named that shows a
// certificate of it.
//
// A name is a prefix that the rule has, and a value of the certificate of a restricted alphabet. No
// prefix begins with another one, so the authority of one rule cannot make the names of another.

#ifndef POSTERN_GW_HANDSHAKE_TRUST_H
#define POSTERN_GW_HANDSHAKE_TRUST_H

#include "base/error.h"
#include "gw/device/device.h"
#include "gw/edhoc/credential.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRUST_RULES_MAX  16
#define TRUST_FILE_MAX   (1 << 20) // bytes of a file with certificates
#define TRUST_SERIAL_MAX 20        // bytes of a certificate's serial number (RFC 5280 4.1.2.2)

// What a credential is known by in a list of what was revoked.
struct credential_mark {
	uint8_t digest[EDHOC_HASH_LEN]; // SHA-256 of the CCS, or of the DER of the certificate
	uint8_t serial_len;             // 0: a CCS
	uint8_t serial[TRUST_SERIAL_MAX];
};

// Of the certificates that came with another one, to be between it and a rule's authority.
struct credential_issuers {
	struct credential_mark mark[EDHOC_CHAIN_MAX - 1];
	uint8_t count;
};

// Reads the mark of a credential, which is an item: a CCS, or a byte string with a certificate.
// False if it is no certificate.
bool credential_mark_read(struct edhoc_bytes item, bool x509, struct credential_mark *mark)
	__attribute__((warn_unused_result));

// A rule, as the configuration has it.
struct trust_rule {
	const char *pem; // certificates of the authority, pem_len bytes
	size_t pem_len;
	const char *name;   // conf_trust_name_split()
	const char *policy; // of its devices; NULL: none
};

// What a rule says of a certificate.
struct trust_name {
	uint64_t rule; // made of all that the rule says, so it is the same in another struct trust
	char name[DEVICE_NAME_MAX + 1];
	char policy[DEVICE_POLICY_MAX + 1];
	struct credential_issuers issuers;
};

// Read-only after it was made.
struct trust;

// NULL and *error: -EINVAL if a rule is none, or names overlap, -ENOMEM.
struct trust *trust_create(const struct trust_rule *rules, size_t count, struct error *error);
// NULL is allowed.
void trust_free(struct trust *trust);
// Whether a rule with this number is there.
bool trust_has(const struct trust *trust, uint64_t rule);
// Who the first of n certificates stands for, if it has a valid chain at now_s over the others to
// the authority of a rule. Returns EDHOC_OK or EDHOC_UNTRUSTED. For any thread.
enum edhoc_result trust_find(const struct trust *trust, const struct edhoc_bytes *chain, unsigned n,
	int64_t now_s, struct trust_name *name) __attribute__((warn_unused_result));

#endif
