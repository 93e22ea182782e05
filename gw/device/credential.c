// SPDX-License-Identifier: BSD-3-Clause

#include "gw/device/credential.h"

#include "gw/edhoc/credential.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>

#define DER_SEQUENCE 0x30 // what a certificate begins with, and nothing of CBOR that is taken here
#define PEM_BEGIN    "-----BEGIN CERTIFICATE-----"
#define PEM_END      "-----END CERTIFICATE-----"
#define BLANKS       " \t\r\n"
#define HEX_DIGITS   "0123456789abcdefABCDEF"
#define TEXT_LEN_MAX (2 * DEVICE_CREDENTIAL_MAX) // of hex; of base64 there is less

_Static_assert(DEVICE_CREDENTIAL_MAX <= EDHOC_CREDENTIAL_MAX, "EDHOC takes what is stored");
_Static_assert(DEVICE_KID_MAX == EDHOC_KID_MAX && DEVICE_DIGEST_LEN == EDHOC_HASH_LEN, "alike");

static int fail(struct error *error, const char *why)
{
	return error_set(error, -EINVAL, "credential: %s", why);
}

static int too_long(struct error *error)
{
	return error_set(error, -EINVAL, "credential: more than %d bytes", DEVICE_CREDENTIAL_MAX);
}

int device_credential_take(const uint8_t *bytes, size_t bytes_len,
	uint8_t item[DEVICE_CREDENTIAL_MAX], uint16_t *len, struct error *error)
{
	struct edhoc_writer writer = edhoc_writer(item, DEVICE_CREDENTIAL_MAX);

	if (bytes_len == 0)
		return fail(error, "is empty");
	if (*bytes == DER_SEQUENCE)
		edhoc_write_bytes(&writer, bytes, bytes_len);
	else
		edhoc_write_raw(&writer, bytes, bytes_len);
	if (writer.failed)
		return too_long(error);
	*len = (uint16_t)edhoc_writer_len(&writer);
	return 0;
}

static int base64_variant(const char *text, size_t len)
{
	const bool url = memchr(text, '-', len) != NULL || memchr(text, '_', len) != NULL;
	const bool padded = memchr(text, '=', len) != NULL;

	if (url)
		return padded ? sodium_base64_VARIANT_URLSAFE
			      : sodium_base64_VARIANT_URLSAFE_NO_PADDING;
	return padded ? sodium_base64_VARIANT_ORIGINAL : sodium_base64_VARIANT_ORIGINAL_NO_PADDING;
}

// The base64 between the lines of a certificate in PEM. There must be one, and nothing else.
static int pem_find(const char **text, size_t *len, struct error *error)
{
	const char *begin = strstr(*text, PEM_BEGIN);
	const char *end = begin != NULL ? strstr(begin + strlen(PEM_BEGIN), PEM_END) : NULL;

	if (strstr(*text, "PRIVATE KEY") != NULL)
		return fail(error, "there is a private key in it: a device keeps that");
	if (end == NULL || begin != *text + strspn(*text, BLANKS) ||
		end[strlen(PEM_END) + strspn(end + strlen(PEM_END), BLANKS)] != 0)
		return fail(error, "not one certificate in PEM");
	*text = begin + strlen(PEM_BEGIN);
	*len = end - *text;
	return 0;
}

int device_credential_read(
	const char *text, uint8_t item[DEVICE_CREDENTIAL_MAX], uint16_t *len, struct error *error)
{
	uint8_t bytes[DEVICE_CREDENTIAL_MAX];
	size_t text_len = strlen(text), bytes_len;
	const bool is_hex = text[strspn(text, HEX_DIGITS)] == 0;
	const char *end;
	int code = 0;

	if (strstr(text, "-----") != NULL)
		code = pem_find(&text, &text_len, error);
	if (code != 0)
		return code;
	code = is_hex ? sodium_hex2bin(bytes, sizeof(bytes), text, text_len, NULL, &bytes_len, &end)
		      : sodium_base642bin(bytes, sizeof(bytes), text, text_len, BLANKS, &bytes_len,
				&end, base64_variant(text, text_len));
	if (text_len > TEXT_LEN_MAX)
		return too_long(error);
	if (code != 0 || end != text + text_len)
		return fail(error, "neither PEM, nor hex, nor base64");
	return device_credential_take(bytes, bytes_len, item, len, error);
}

static pthread_key_t engine_key;
static pthread_once_t engine_once = PTHREAD_ONCE_INIT;

static void engine_free(void *engine)
{
	ecc_engine_free(engine);
}

static void engine_key_make(void)
{
	(void)pthread_key_create(&engine_key, engine_free);
}

// Of this thread, made when it is first asked for. NULL without memory.
static struct ecc_engine *engine_get(void)
{
	pthread_once(&engine_once, engine_key_make);
	struct ecc_engine *engine = pthread_getspecific(engine_key);

	if (engine == NULL) {
		engine = ecc_engine_create(NULL);
		(void)pthread_setspecific(engine_key, engine);
	}
	return engine;
}

bool device_credential_digest(const uint8_t *item, size_t len, uint8_t digest[DEVICE_DIGEST_LEN])
{
	struct edhoc_reader reader = edhoc_reader(item, len);
	struct edhoc_bytes hashed = {item, len};

	if (device_credential_is_x509(item) &&
		!edhoc_read_bytes(&reader, &hashed.data, &hashed.len))
		return false;
	edhoc_hash(digest, &hashed, 1);
	return true;
}

int device_credential_check(
	const uint8_t *item, size_t len, struct device_credential *credential, struct error *error)
{
	struct edhoc_engine engine = {.ecc = engine_get()};
	const struct edhoc_bytes bytes = {item, len};
	struct edhoc_credential read;

	memset(credential, 0, sizeof(*credential));
	if (engine.ecc == NULL)
		return error_set(error, -ENOMEM, "no memory");
	if (len == 0)
		return fail(error, "is empty");
	credential->x509 = device_credential_is_x509(item);
	if ((credential->x509 ? edhoc_credential_from_x509(&engine, bytes, &read)
			      : edhoc_credential_from_ccs(&engine, bytes, &read)) != EDHOC_OK)
		return fail(error,
			"no CWT Claims Set and no certificate with a public key of P-256, X25519 "
			"or "
			"Ed25519 that may sign or agree on keys");
	if (read.kid.len > DEVICE_KID_MAX)
		return error_set(error, -EINVAL, "credential: its kid has more than %d bytes",
			DEVICE_KID_MAX);
	credential->kid_len = (uint8_t)read.kid.len;
	if (read.kid.len > 0)
		memcpy(credential->kid, read.kid.data, read.kid.len);
	if (read.not_after < INT64_MAX)
		credential->expires = read.not_after + 1;
	return device_credential_digest(item, len, credential->digest)
		? 0
		: fail(error, "no certificate");
}
