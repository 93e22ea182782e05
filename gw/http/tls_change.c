// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/tls_change.h"

#include <errno.h>
#include <string.h>

static bool needs_tls(const struct conf_upstream *upstream)
{
	for (size_t i = 0; i < upstream->server_count; i++)
		if (upstream->servers[i].scheme == CONF_HTTPS)
			return true;
	return false;
}

int http_tls_change_make(struct http_tls_change *change, const struct conf_upstream *upstream,
	enum http_wire_protocol protocol, SSL_CTX *now, const uint8_t digest[HTTP_TLS_DIGEST])
{
	*change = (struct http_tls_change){.tls = NULL};
	if (!needs_tls(upstream)) {
		change->same = !now;
		return 0;
	}
	// Before the files are read for use: if they change meanwhile, the next time sees it.
	int rc = http_wire_tls_digest(&upstream->tls, change->digest);

	if (rc)
		return rc;
	change->same = now && !memcmp(change->digest, digest, HTTP_TLS_DIGEST);
	if (change->same) {
		change->tls = now;
		return SSL_CTX_up_ref(now) == 1 ? 0 : -ENOMEM;
	}
	return http_wire_tls_create(&upstream->tls, protocol, &change->tls);
}

void http_tls_change_discard(struct http_tls_change *change)
{
	SSL_CTX_free(change->tls);
	change->tls = NULL;
}

void http_tls_change_apply(
	struct http_tls_change *change, SSL_CTX **now, uint8_t digest[HTTP_TLS_DIGEST])
{
	SSL_CTX_free(*now);
	*now = change->tls;
	memcpy(digest, change->digest, HTTP_TLS_DIGEST);
}
