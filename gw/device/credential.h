// SPDX-License-Identifier: BSD-3-Clause
// The credential of a device that agrees on keys by EDHOC: public, so nothing in it is secret. It
// is kept as EDHOC has it (CRED_I of RFC 9528 section 3.5.2): a CWT Claims Set, or a certificate as
// a byte string.

#ifndef POSTERN_GW_DEVICE_CREDENTIAL_H
#define POSTERN_GW_DEVICE_CREDENTIAL_H

#include "base/error.h"
#include "gw/device/device.h"

#include <stddef.h>

// What a credential says.
struct device_credential {
	bool x509;
	uint8_t kid_len; // of a CCS; 0: it has none
	uint8_t kid[DEVICE_KID_MAX];
	uint8_t digest[DEVICE_DIGEST_LEN]; // SHA-256 of the CCS, or of the DER of the certificate
	int64_t expires;                   // Unix time from which it is no good any more; 0: never
};

// Reads what operators have: a certificate in PEM, or a CCS or a certificate in hex or base64. It
// need not be one that device_credential_check() takes. -EINVAL, and *error says why.
int device_credential_read(const char *text, uint8_t item[DEVICE_CREDENTIAL_MAX], uint16_t *len,
	struct error *error) __attribute__((warn_unused_result));
// The same with bytes: a CCS, a certificate, or one as a byte string.
int device_credential_take(const uint8_t *bytes, size_t bytes_len,
	uint8_t item[DEVICE_CREDENTIAL_MAX], uint16_t *len, struct error *error)
	__attribute__((warn_unused_result));
// Whether a credential can be used: it is well-formed, its key is one of P-256, X25519 or Ed25519,
// and may sign or agree on keys. Its time is not looked at. -EINVAL, or -ENOMEM.
int device_credential_check(const uint8_t *item, size_t len, struct device_credential *credential,
	struct error *error) __attribute__((warn_unused_result));
// SHA-256 of a CCS, or of the DER of a certificate. False if it is a certificate without DER.
bool device_credential_digest(const uint8_t *item, size_t len, uint8_t digest[DEVICE_DIGEST_LEN])
	__attribute__((warn_unused_result));
// Whether an item is a certificate.
static inline bool device_credential_is_x509(const uint8_t *item)
{
	return *item >> 5 == 2; // a byte string of CBOR
}

#endif
