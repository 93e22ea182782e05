// SPDX-License-Identifier: BSD-3-Clause
// The files of an upstream's TLS; above all private keys with a passphrase, for which nobody is
// ever asked.

#include "gw/os/tls_files.h"

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
