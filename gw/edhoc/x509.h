// SPDX-License-Identifier: BSD-3-Clause
// X.509 certificates as credentials (RFC 9528 appendix D, RFC 5280), over OpenSSL.

#ifndef POSTERN_GW_EDHOC_X509_H
#define POSTERN_GW_EDHOC_X509_H

#include "gw/edhoc/schedule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edhoc_credential;

// Reads key, uses and validity of a DER-encoded certificate. False if it is none, has bytes behind
// it, a key of another curve than ours, or a key usage that allows nothing here.
bool edhoc_x509_read(struct edhoc_engine *engine, struct edhoc_bytes der,
	struct edhoc_credential *credential) __attribute__((warn_unused_result));

// Certificates that chains may end at. For any thread: OpenSSL's store has a lock of its own.
struct edhoc_trust;

// Makes trust anchors of PEM certificates, at least one. NULL and errno: EINVAL if there is
// something else in it, ENOMEM.
struct edhoc_trust *edhoc_trust_create(const char *pem, size_t len);
// NULL is allowed.
void edhoc_trust_free(struct edhoc_trust *trust);
// Whether the first of n certificates, each a byte string of CBOR, has a valid chain at now_s
// (seconds since 1970) over the others to an anchor.
bool edhoc_trust_check(struct edhoc_trust *trust, const struct edhoc_bytes *chain, unsigned n,
	int64_t now_s) __attribute__((warn_unused_result));

#endif
