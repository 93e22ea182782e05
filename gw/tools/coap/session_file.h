// SPDX-License-Identifier: BSD-3-Clause
// The OSCORE context that a handshake made, kept for the next call beside the sequence numbers.
// These go on over all contexts of a credential, so that none is used twice whatever is lost.

#ifndef POSTERN_GW_TOOLS_COAP_SESSION_FILE_H
#define POSTERN_GW_TOOLS_COAP_SESSION_FILE_H

#include "gw/tools/coap/context_file.h"
#include "gw/tools/coap/identity_file.h"

// What a context is kept for: it is no use with another credential or gateway.
struct session_for {
	const char *numbers; // path of the sequence numbers, beside which the file is
	const struct identity *identity;
	const char *gateway; // host and port, as the user says them
};

// Reads the context. *present: there is one; if it is of another credential or gateway, or if the
// sequence numbers are gone, there is none. Returns 0 or -errno. The caller wipes *context.
int session_load(const struct session_for *of, struct client_context *context, bool *present,
	struct error *f) __attribute__((warn_unused_result));
// Puts a context in the place of the one before, on the disk. Returns 0 or -errno.
int session_keep(const struct session_for *of, const struct client_context *context,
	struct error *f) __attribute__((warn_unused_result));
// Forgets the context that is kept, if there is one.
void session_forget(const struct session_for *of);

#endif
