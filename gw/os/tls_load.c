// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/tls_load.h"

#include "base/whole_file.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509err.h>
#include <stdbool.h>
#include <string.h>

#define FILE_MAX (4 << 20) // bytes; a bundle of all public authorities has some 200 kB

static const char no_memory[] = "no memory";
static const char no_certificate[] = "has no certificate in PEM that can be used";

static const char *content_read(struct whole_file *content, const char *path)
{
	const int rc = whole_file_read(content, path, FILE_MAX);

	switch (rc) {
	case 0:
		return NULL;
	case -ENOMEM:
		return no_memory;
	case -EINVAL:
		return "is not a file";
	case -EFBIG:
		return "has more than 4 MB";
	case -EBUSY:
		return "changes while it is read";
	default:
		return strerror(-rc);
	}
}

// ---- what is in it

// Gives no passphrase: OpenSSL's default would ask for one at the terminal.
static int on_passphrase(char *buf, int size, int writing, void *asked)
{
	*(bool *)asked = true;
	return -1;
}

// Whether a PEM reader stopped since there was nothing more, and not at what it cannot read.
static bool is_end(void)
{
	const unsigned long error = ERR_peek_last_error();

	return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static const char *ca_use(SSL_CTX *ctx, BIO *bio)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	bool asked, ok = true;
	STACK_OF(X509_INFO) *infos = PEM_X509_INFO_read_bio(bio, NULL, on_passphrase, &asked);
	unsigned used = 0;

	for (int i = 0; ok && i < sk_X509_INFO_num(infos); i++) {
		const X509_INFO *info = sk_X509_INFO_value(infos, i);

		if (info->x509)
			ok = X509_STORE_add_cert(store, info->x509) == 1;
		if (ok && info->crl)
			ok = X509_STORE_add_crl(store, info->crl) == 1;
		used += info->x509 || info->crl;
	}
	sk_X509_INFO_pop_free(infos, X509_INFO_free);
	return ok && used ? NULL : no_certificate;
}

static bool chain_use(SSL_CTX *ctx, BIO *bio)
{
	bool asked;
	X509 *cert;

	SSL_CTX_clear_chain_certs(ctx);
	for (;;) {
		cert = PEM_read_bio_X509(bio, NULL, on_passphrase, &asked);
		if (!cert)
			break;
		if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
			X509_free(cert);
			return false;
		}
	}
	if (!is_end())
		return false;
	ERR_clear_error();
	return true;
}

static const char *cert_use(SSL_CTX *ctx, BIO *bio)
{
	bool asked;
	X509 *own = PEM_read_bio_X509_AUX(bio, NULL, on_passphrase, &asked);
	bool ok = own && SSL_CTX_use_certificate(ctx, own) == 1 && chain_use(ctx, bio);

	X509_free(own);
	return ok ? NULL : no_certificate;
}

static const char *key_use(SSL_CTX *ctx, BIO *bio)
{
	bool encrypted = false;
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &encrypted);
	bool ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1;

	EVP_PKEY_free(key);
	if (ok)
		return NULL;
	if (encrypted)
		return "is encrypted, and there is nobody to ask for its passphrase";
	if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
		return "is not the key of cert";
	return "has no private key in PEM that can be used";
}

static const char *load(SSL_CTX *ctx, const char *path, const char *(*use)(SSL_CTX *ctx, BIO *bio))
{
	struct whole_file content;
	const char *reason = content_read(&content, path);

	if (!reason) {
		BIO *bio = BIO_new_mem_buf(content.bytes, (int)content.len);

		reason = bio ? use(ctx, bio) : no_memory;
		BIO_free(bio);
	}
	whole_file_wipe(&content);
	return reason;
}

const char *tls_load_ca(SSL_CTX *ctx, const char *path)
{
	return load(ctx, path, ca_use);
}

const char *tls_load_cert(SSL_CTX *ctx, const char *path)
{
	return load(ctx, path, cert_use);
}

const char *tls_load_key(SSL_CTX *ctx, const char *path)
{
	return load(ctx, path, key_use);
}

const char *tls_load_digest(EVP_MD_CTX *hash, const char *path)
{
	struct whole_file content;
	const char *reason = content_read(&content, path);

	if (!reason && EVP_DigestUpdate(hash, content.bytes, content.len) != 1)
		reason = no_memory;
	whole_file_wipe(&content);
	return reason;
}
