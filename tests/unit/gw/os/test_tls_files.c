// SPDX-License-Identifier: BSD-3-Clause
// The files of an upstream's TLS; above all private keys with a passphrase, for which nobody is
// ever asked.

#include "gw/os/tls_files.h"
#include "gw/os/tls_load.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test_tls_files.XXXXXX";
static char cert[64], key[64];

static FILE *file_open(const char *path)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	return file;
}

// Writes a certificate of the key, which is passed on.
static EVP_PKEY *pair_make(EVP_PKEY *pkey)
{
	X509 *x509 = X509_new();

	cr_assert_not_null(pkey);
	X509_gmtime_adj(X509_getm_notBefore(x509), 0);
	X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
	X509_set_pubkey(x509, pkey);
	cr_assert_gt(X509_sign(x509, pkey, EVP_sha256()), 0);
	FILE *file = file_open(cert);
	cr_assert_eq(PEM_write_X509(file, x509), 1);
	fclose(file);
	X509_free(x509);
	return pkey;
}

static void init(void)
{
	cr_assert_not_null(mkdtemp(folder));
	snprintf(cert, sizeof(cert), "%s/cert", folder);
	snprintf(key, sizeof(key), "%s/key", folder);
}

static void fini(void)
{
	unlink(cert);
	unlink(key);
	rmdir(folder);
}

TestSuite(tls_files, .init = init, .fini = fini);

static int check(struct error *error)
{
	struct conf_tls tls = {.cert = cert, .key = key};
	char *const *wrong = NULL;
	int rc = tls_files_check(&tls, &wrong, error);

	cr_expect(!rc || wrong == &tls.key);
	return rc;
}

enum form { PKCS8, PKCS8_LOCKED, TRADITIONAL, TRADITIONAL_LOCKED };

static void traditional_write(
	FILE *file, EVP_PKEY *pkey, const EVP_CIPHER *cipher, unsigned char *pass)
{
	BIO *bio = BIO_new_fp(file, BIO_NOCLOSE);

	cr_assert_eq(PEM_write_bio_PrivateKey_traditional(
			     bio, pkey, cipher, cipher ? pass : NULL, cipher ? 4 : 0, NULL, NULL),
		1);
	BIO_free(bio);
}

static void key_write(EVP_PKEY *pkey, enum form form)
{
	const EVP_CIPHER *cipher =
		form == PKCS8_LOCKED || form == TRADITIONAL_LOCKED ? EVP_aes_128_cbc() : NULL;
	FILE *file = file_open(key);
	unsigned char pass[] = "word";

	if (form == PKCS8 || form == PKCS8_LOCKED)
		cr_assert_eq(PEM_write_PKCS8PrivateKey(file, pkey, cipher,
				     cipher ? (char *)pass : NULL, cipher ? 4 : 0, NULL, NULL),
			1);
	else
		traditional_write(file, pkey, cipher, pass);
	fclose(file);
}

// How the file says what it is.
static const char *const heads[] = {
	[PKCS8] = "-----BEGIN PRIVATE KEY-----",
	[PKCS8_LOCKED] = "-----BEGIN ENCRYPTED PRIVATE KEY-----",
	[TRADITIONAL] = " PRIVATE KEY-----", // EC or RSA
	[TRADITIONAL_LOCKED] = "DEK-Info: AES-128-CBC",
};

static void head_expect(enum form form)
{
	char text[4096] = "";
	FILE *file = fopen(key, "r");

	cr_assert_gt(fread(text, 1, sizeof(text) - 1, file), 0);
	fclose(file);
	cr_assert(strstr(text, heads[form]), "%s", text);
}

static void forms_check(EVP_PKEY *pkey)
{
	struct error error;

	pair_make(pkey);
	for (enum form form = PKCS8; form <= TRADITIONAL_LOCKED; form++) {
		key_write(pkey, form);
		head_expect(form);
		int rc = check(&error);
		if (form == PKCS8 || form == TRADITIONAL) {
			cr_expect_eq(rc, 0, "form %d: %s", form, error.text);
			continue;
		}
		cr_expect_eq(rc, -EINVAL);
		cr_expect(strstr(error.text, "tls.key: /tmp/"), "%s", error.text);
		cr_expect(strstr(error.text,
				  "/key: is encrypted, and there is nobody to ask for its "
				  "passphrase"),
			"form %d: %s", form, error.text);
	}
	EVP_PKEY_free(pkey);
}

Test(tls_files, a_key_with_a_passphrase_is_refused_in_every_form)
{
	forms_check(EVP_EC_gen("P-256"));
	forms_check(EVP_RSA_gen(2048));
}

// A prompt opens the terminal, or reads standard input if there is none; neither happens, though
// what it reads would be the right word.
Test(tls_files, nobody_is_asked_for_a_passphrase)
{
	EVP_PKEY *pkey = pair_make(EVP_EC_gen("P-256"));
	struct error error;
	int fds[2];
	char left[8];

	cr_assert_eq(pipe(fds), 0);
	cr_assert_eq(write(fds[1], "word\n", 5), 5);
	close(fds[1]);
	cr_assert_eq(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
	setsid(); // without a terminal
	for (enum form form = PKCS8_LOCKED; form <= TRADITIONAL_LOCKED; form += 2) {
		key_write(pkey, form);
		cr_expect_eq(check(&error), -EINVAL);
	}
	cr_expect_eq(read(STDIN_FILENO, left, sizeof(left)), 5);
	EVP_PKEY_free(pkey);
}

// A reload would wait for whoever writes to it.
Test(tls_files, a_fifo_is_not_waited_for, .timeout = 20)
{
	char *const *wrong = NULL;
	struct error error;

	cr_assert_eq(mkfifo(cert, 0600), 0);
	cr_expect_eq(tls_files_check(&(struct conf_tls){.ca = cert}, &wrong, &error), -EINVAL);
	cr_expect(strstr(error.text, "is not a file"), "%s", error.text);
	cr_expect_eq(tls_files_check(&(struct conf_tls){.cert = cert}, &wrong, &error), -EINVAL);
	cr_expect(strstr(error.text, "is not a file"), "%s", error.text);
}

// It would hold a reload for minutes: main reads it.
Test(tls_files, a_file_without_an_end_is_not_read, .timeout = 20)
{
	EVP_PKEY *pkey = pair_make(EVP_EC_gen("P-256"));
	char *const *wrong = NULL;
	struct error error;

	key_write(pkey, PKCS8);
	cr_assert_eq(truncate(key, 1ll << 36), 0);
	cr_expect_eq(check(&error), -EINVAL);
	cr_expect(strstr(error.text, "/key: has more than 4 MB"), "%s", error.text);
	cr_assert_eq(truncate(cert, 1ll << 36), 0);
	cr_expect_eq(tls_files_check(&(struct conf_tls){.ca = cert}, &wrong, &error), -EINVAL);
	cr_expect(strstr(error.text, "/cert: has more than 4 MB"), "%s", error.text);
	EVP_PKEY_free(pkey);
}

static unsigned opened(int inotify)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	const ssize_t len = read(inotify, events, sizeof(events));
	unsigned count = 0;

	for (const char *at = events; len > 0 && at < events + len; count++)
		at += sizeof(struct inotify_event) + ((const struct inotify_event *)at)->len;
	return count;
}

// What was looked at is what is read: no other file can take its place in between.
Test(tls_files, a_file_is_opened_once)
{
	EVP_PKEY *pkey = pair_make(EVP_EC_gen("P-256"));
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	const int inotify = inotify_init1(IN_NONBLOCK);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int watched;

	key_write(pkey, PKCS8);
	cr_assert_eq(EVP_DigestInit_ex(hash, EVP_sha256(), NULL), 1);
	watched = inotify_add_watch(inotify, cert, IN_OPEN);
	cr_assert_null(tls_load_ca(ctx, cert));
	cr_expect_eq(opened(inotify), 1);
	cr_assert_null(tls_load_cert(ctx, cert));
	cr_expect_eq(opened(inotify), 1);
	cr_assert_null(tls_load_digest(hash, cert));
	cr_expect_eq(opened(inotify), 1);
	inotify_rm_watch(inotify, watched);
	(void)opened(inotify); // that it is not watched any more
	inotify_add_watch(inotify, key, IN_OPEN);
	cr_assert_null(tls_load_key(ctx, key));
	cr_expect_eq(opened(inotify), 1);
	SSL_CTX_free(ctx);
	EVP_MD_CTX_free(hash);
	EVP_PKEY_free(pkey);
	close(inotify);
}

static const char *digest(const char *path)
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();

	cr_assert_eq(EVP_DigestInit_ex(hash, EVP_sha256(), NULL), 1);
	const char *reason = tls_load_digest(hash, path);

	EVP_MD_CTX_free(hash);
	return reason ? reason : "";
}

Test(tls_files, a_digest_has_the_same_limits, .timeout = 20)
{
	fclose(file_open(cert));
	cr_expect_str_eq(digest(cert), "");
	cr_assert_eq(truncate(cert, 4 << 20), 0);
	cr_expect_str_eq(digest(cert), "");
	cr_assert_eq(truncate(cert, (4 << 20) + 1), 0);
	cr_expect_str_eq(digest(cert), "has more than 4 MB");
	cr_assert_eq(truncate(cert, 1ll << 36), 0);
	cr_expect_str_eq(digest(cert), "has more than 4 MB");
	cr_assert_eq(mkfifo(key, 0600), 0);
	cr_expect_str_eq(digest(key), "is not a file");
	cr_expect_str_eq(digest(folder), "is not a file");
	cr_expect_str_eq(digest("/nowhere"), strerror(ENOENT));
}

// One that grows has no end.
Test(tls_files, a_file_that_has_more_than_it_told_is_refused)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	cr_expect_str_eq(digest("/proc/self/status"), "changes while it is read");
	cr_expect_str_eq(tls_load_ca(ctx, "/proc/self/status"), "changes while it is read");
	SSL_CTX_free(ctx);
}

static void cert_append(const char *text)
{
	FILE *file = fopen(cert, "a");

	cr_assert_not_null(file);
	cr_assert_geq(fputs(text, file), 0);
	fclose(file);
}

Test(tls_files, a_certificate_comes_with_those_above_it)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	STACK_OF(X509) *chain = NULL;
	char text[4096] = "";

	EVP_PKEY_free(pair_make(EVP_EC_gen("P-256")));
	FILE *file = fopen(cert, "r");
	cr_assert_gt(fread(text, 1, sizeof(text) - 1, file), 0);
	fclose(file);
	EVP_PKEY_free(pair_make(EVP_EC_gen("P-256")));
	cert_append(text);
	cert_append("What is no PEM is a comment.\n");
	cr_expect_null(tls_load_cert(ctx, cert));
	SSL_CTX_get0_chain_certs(ctx, &chain);
	cr_expect_eq(sk_X509_num(chain), 1);
	cr_expect_null(tls_load_ca(ctx, cert));
	STACK_OF(X509_OBJECT) *trusted = X509_STORE_get0_objects(SSL_CTX_get_cert_store(ctx));
	cr_expect_eq(sk_X509_OBJECT_num(trusted), 2);
	cert_append("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
	cr_expect_str_eq(tls_load_cert(ctx, cert), "has no certificate in PEM that can be used");
	cr_expect_str_eq(tls_load_ca(ctx, cert), "has no certificate in PEM that can be used");
	fclose(file_open(cert));
	cr_expect_str_eq(tls_load_cert(ctx, cert), "has no certificate in PEM that can be used");
	cr_expect_str_eq(tls_load_ca(ctx, cert), "has no certificate in PEM that can be used");
	SSL_CTX_free(ctx);
}
