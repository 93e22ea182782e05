// SPDX-License-Identifier: BSD-3-Clause
// What the files about certificates have in common.

#ifndef POSTERN_GW_EDHOC_X509_INSIDE_H
#define POSTERN_GW_EDHOC_X509_INSIDE_H

#include "gw/edhoc/schedule.h"

#include <openssl/x509.h>

// Reads a DER-encoded certificate, which the caller frees. NULL if it is none, has bytes behind it,
// or is longer than EDHOC_CREDENTIAL_MAX.
X509 *edhoc_x509_decode(struct edhoc_bytes der);

#endif
