// SPDX-License-Identifier: BSD-3-Clause
// Reads the files of an upstream's TLS as a whole: each is opened once, and what was opened is what
// is looked at and used.

#ifndef POSTERN_GW_OS_TLS_LOAD_H
#define POSTERN_GW_OS_TLS_LOAD_H

#include <openssl/evp.h>
#include <openssl/ssl.h>

// Each returns NULL, or what is wrong with the file, for people. A FIFO is not waited for, more
// than 4 MB are not read, and nobody is asked for a passphrase. Errors that OpenSSL has queued stay
// there.

// Authorities, and revocation lists, that the context trusts.
const char *tls_load_ca(SSL_CTX *ctx, const char *path) __attribute__((warn_unused_result));
// The own certificate, and those above it.
const char *tls_load_cert(SSL_CTX *ctx, const char *path) __attribute__((warn_unused_result));
// Its key; call this behind tls_load_cert().
const char *tls_load_key(SSL_CTX *ctx, const char *path) __attribute__((warn_unused_result));
// Adds the bytes of a file to a digest.
const char *tls_load_digest(EVP_MD_CTX *hash, const char *path) __attribute__((warn_unused_result));

#endif
