// SPDX-License-Identifier: BSD-3-Clause
// Certificates for tests, made by OpenSSL.

#ifndef POSTERN_TESTS_UNIT_GW_EDHOC_CERTS_H
#define POSTERN_TESTS_UNIT_GW_EDHOC_CERTS_H

#include "crypto/ecc.h"
#include "gw/edhoc/cbor.h"

#define CERTS_NOT_BEFORE INT64_C(1700000000) // seconds since 1970
#define CERTS_NOT_AFTER  INT64_C(2000000000)

// An authority of P-256. The parent NULL: self-signed.
struct certs_ca;
struct certs_ca *certs_ca_make(const char *name, const struct certs_ca *parent);
void certs_ca_free(struct certs_ca *ca);
// Its certificate in PEM, with 0 at the end; and as an item of CBOR.
const char *certs_ca_pem(const struct certs_ca *ca);
void certs_ca_item(struct edhoc_writer *writer, const struct certs_ca *ca);

// What a certificate is made of. NULL or 0: it has none.
struct certs_request {
	const struct ecc_public *key;
	const struct certs_ca *ca;
	const char *usage;     // as in openssl.cnf, e.g. "critical,digitalSignature"
	bool critical_unknown; // has a critical extension that nobody knows
	bool is_ca;
	const char *cn;                // NULL: "device"
	const char *cn_again;          // a second one
	const char *serial_number;     // of the subject
	const char *alt;               // as in openssl.cnf, e.g. "DNS:a.example"
	long serial;                   // of the certificate; 0: the next one
	int64_t not_before, not_after; // 0: the constants above
};

// Writes it as an item of CBOR.
void certs_make(struct edhoc_writer *writer, const struct certs_request *request);
// A certificate of an authority that is thrown away, without key usage.
void certs_leaf(struct edhoc_writer *writer, const struct ecc_pair *pair);

#endif
