// SPDX-License-Identifier: BSD-3-Clause
// Whether an engine goes on with the SSL_CTX that it has: another one is made if the settings of
// TLS, or what its files have in them, differ.

#ifndef POSTERN_GW_HTTP_TLS_CHANGE_H
#define POSTERN_GW_HTTP_TLS_CHANGE_H

#include "gw/http/wire.h"

struct http_tls_change {
	SSL_CTX *tls; // NULL: none is needed
	bool same;    // as before
	uint8_t digest[HTTP_TLS_DIGEST];
};

// now: what the engine has, with its digest; NULL: none. Returns 0, -ENOMEM, or -EINVAL: the files
// are not what they should be.
int http_tls_change_make(struct http_tls_change *change, const struct conf_upstream *upstream,
	enum http_wire_protocol protocol, SSL_CTX *now, const uint8_t digest[HTTP_TLS_DIGEST])
	__attribute__((warn_unused_result));
void http_tls_change_discard(struct http_tls_change *change);
// Puts it in the place of what the engine has.
void http_tls_change_apply(
	struct http_tls_change *change, SSL_CTX **now, uint8_t digest[HTTP_TLS_DIGEST]);

#endif
