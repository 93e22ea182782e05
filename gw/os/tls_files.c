// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/tls_files.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (4 << 20) // bytes; a bundle of all public authorities has some 200 kB

// Gives no passphrase: OpenSSL's default would ask for one at the terminal.
static int on_passphrase(char *buf, int size, int writing, void *asked)
{
	*(bool *)asked = true;
	return -1;
}

static const char *key_reason(bool encrypted)
{
	if (encrypted)
		return "is encrypted, and there is nobody to ask for its passphrase";
	if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
		return "is not the key of cert";
	return "has no private key in PEM that can be used";
}

static const char no_certificate[] = "has no certificate in PEM that can be used";

// Returns why the file cannot be read, NULL if it can. A FIFO that nobody writes to would hold the
// caller, and so would a file without an end.
static const char *reading_fails(const char *path)
{
	struct stat st;

	if (stat(path, &st) || access(path, R_OK))
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "is not a file";
	return st.st_size > FILE_MAX ? "has more than 4 MB" : NULL;
}

// Return what is wrong with the file, NULL if nothing is.
static const char *ca_load(SSL_CTX *ctx, const char *path)
{
	const char *reason = reading_fails(path);

	if (reason)
		return reason;
	return SSL_CTX_load_verify_file(ctx, path) == 1 ? NULL : no_certificate;
}

static const char *cert_load(SSL_CTX *ctx, const char *path)
{
	const char *reason = reading_fails(path);

	if (reason)
		return reason;
	return SSL_CTX_use_certificate_chain_file(ctx, path) == 1 ? NULL : no_certificate;
}

static const char *key_load(SSL_CTX *ctx, const char *path)
{
	const char *reason = reading_fails(path);
	bool encrypted = false;

	if (reason)
		return reason;
	SSL_CTX_set_default_passwd_cb(ctx, on_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, &encrypted);
	if (SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM) == 1)
		return NULL;
	return key_reason(encrypted);
}

int tls_files_check(const struct conf_tls *tls, char *const **wrong, struct error *error)
{
	const struct {
		const char *key;
		char *const *path;
		const char *(*load)(SSL_CTX *ctx, const char *path);
	} files[] = {
		{"tls.ca", &tls->ca, ca_load}, {"tls.cert", &tls->cert, cert_load},
		{"tls.key", &tls->key, key_load}, // behind its certificate
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
