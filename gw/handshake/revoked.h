// SPDX-License-Identifier: BSD-3-Clause
// The list of credentials that are not accepted any more, whoever vouches for them.
//
// A list of millions is made in steps, so that who makes one can do other things between them:
// its text is taken in piece by piece, then all that it names is put into a hash table.

#ifndef POSTERN_GW_HANDSHAKE_REVOKED_H
#define POSTERN_GW_HANDSHAKE_REVOKED_H

#include "gw/handshake/trust.h"

#include <sys/types.h>

#define REVOKED_FILE_MAX (64 << 20) // bytes of a list
#define REVOKED_LINE_MAX (64 << 10) // bytes of a line that may come in two pieces

// Read-only after it was made.
struct revoked;

// An empty list, into which a text is to be taken. NULL without memory.
struct revoked *revoked_begin(void);
// Takes the lines of a piece of the text: a line each has "sha256" and the fingerprint of a
// credential, or "serial" and the serial number of a certificate, in hex, with or without colons.
// Empty lines are passed over, and what follows a #. last: the text ends with this piece. Returns
// how many bytes were taken, all but those of a line whose end is not there, which come again with
// the next piece. -EINVAL and the line in *error, -ENOMEM, -EFBIG: there is more than a file has.
ssize_t revoked_take(struct revoked *revoked, const char *text, size_t len, bool last,
	struct error *error) __attribute__((warn_unused_result));
// After the text: puts at most so many of what it named into the table, or makes so much room for
// them. Returns 1 if there is more to do, 0 if the list is made, -ENOMEM and *error.
int revoked_index(struct revoked *revoked, size_t most, struct error *error)
	__attribute__((warn_unused_result));

// All of that at once. NULL and *error.
struct revoked *revoked_create(const char *text, size_t len, struct error *error);
// NULL is allowed.
void revoked_free(struct revoked *revoked);
// Lines that name something.
size_t revoked_count(const struct revoked *revoked);
// Of a list that is made. False if revoked is NULL.
bool revoked_has(const struct revoked *revoked, const struct credential_mark *mark);
// Whether it has one of them.
bool revoked_has_any(const struct revoked *revoked, const struct credential_issuers *issuers);

#endif
