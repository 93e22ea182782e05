// SPDX-License-Identifier: BSD-3-Clause
// What a certificate says about whose it is. Nothing here is verified.

#ifndef POSTERN_GW_EDHOC_X509_FIELDS_H
#define POSTERN_GW_EDHOC_X509_FIELDS_H

#include "gw/edhoc/schedule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum edhoc_x509_field {
	EDHOC_X509_CN,     // commonName of the subject
	EDHOC_X509_SERIAL, // serialNumber of the subject, not that of the certificate
	EDHOC_X509_DNS,    // dNSName of subjectAltName
};

// Copies a field of a DER-encoded certificate to text[], with a 0 at the end. False if it is not
// there exactly once, has a character that is not printable ASCII, or no room.
bool edhoc_x509_field(struct edhoc_bytes der, enum edhoc_x509_field field, char *text, size_t room)
	__attribute__((warn_unused_result));
// The serial number of a certificate without zeros in front: its length, at most room; 0 if the
// certificate cannot be read, or has one that is 0, negative or longer.
size_t edhoc_x509_serial(struct edhoc_bytes der, uint8_t *serial, size_t room)
	__attribute__((warn_unused_result));

#endif
