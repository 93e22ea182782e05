// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/tls_files.h"

#include "gw/os/tls_load.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

int tls_files_check(const struct conf_tls *tls, char *const **wrong, struct error *error)
{
	const struct {
		const char *key;
		char *const *path;
		const char *(*load)(SSL_CTX *ctx, const char *path);
	} files[] = {
		{"tls.ca", &tls->ca, tls_load_ca}, {"tls.cert", &tls->cert, tls_load_cert},
		{"tls.key", &tls->key, tls_load_key}, // behind its certificate
	};
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	const char *reason = ctx ? NULL : "no memory";
	int rc = 0;

	ERR_clear_error();
	for (size_t i = 0; !reason && i < sizeof(files) / sizeof(files[0]); i++) {
		*wrong = files[i].path;
		if (**wrong)
			reason = files[i].load(ctx, **wrong);
		if (reason)
			rc = error_set(error, -EINVAL, "%s: %s: %s", files[i].key, **wrong, reason);
	}
	if (!ctx) {
		*wrong = &tls->ca;
		rc = error_set(error, -ENOMEM, "tls: %s", reason);
	}
	ERR_clear_error();
	SSL_CTX_free(ctx);
	return rc;
}
