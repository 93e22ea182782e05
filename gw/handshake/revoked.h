// SPDX-License-Identifier: BSD-3-Clause
// The list of credentials that are not accepted any more, whoever vouches for them.

#ifndef POSTERN_GW_HANDSHAKE_REVOKED_H
#define POSTERN_GW_HANDSHAKE_REVOKED_H

#include "gw/handshake/trust.h"

#define REVOKED_FILE_MAX (64 << 20) // bytes of a list

// Read-only after it was made.
struct revoked;

// Reads a list: a line each has "sha256" and the fingerprint of a credential, or "serial" and the
// serial number of a certificate, in hex, with or without colons. Empty lines are passed over, and
// what follows a #. NULL and *error: -EINVAL and the line, or -ENOMEM.
struct revoked *revoked_create(const char *text, size_t len, struct error *error);
// NULL is allowed.
void revoked_free(struct revoked *revoked);
size_t revoked_count(const struct revoked *revoked);
// False if revoked is NULL.
bool revoked_has(const struct revoked *revoked, const struct credential_mark *mark);

#endif
