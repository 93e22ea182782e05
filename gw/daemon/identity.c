// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/identity.h"

#include "base/secret_file.h"
#include "gw/device/json_text.h"

#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WHAT         "the gateway's identity"
#define FILE_MAX     65536
#define DER_SEQUENCE 0x30 // what a certificate begins with, and no credential in CBOR

// What an object of the file has; the texts are in the file.
struct entry {
	char *credential, *private_key, *id_cred;
	size_t credential_len, private_key_len;
	char *chain[EDHOC_CHAIN_MAX - 1];
	size_t chain_len[EDHOC_CHAIN_MAX - 1];
	unsigned chain_count;
};

static bool chain_read(struct json_text *text, struct entry *entry)
{
	enum record_kind kind;

	entry->chain_count = 0;
	if (!json_text_accept(text, '['))
		return json_text_fail(text, "\"chain\" is no list");
	do {
		unsigned *n = &entry->chain_count;

		json_text_skip(text);
		if (*n == EDHOC_CHAIN_MAX - 1)
			return json_text_fail(text, "\"chain\" has more than 3 certificates");
		if (!json_text_value(text, &kind, &entry->chain[*n], &entry->chain_len[*n]))
			return false;
		if (kind != RECORD_STRING)
			return json_text_fail(text, "a value is no string");
		++*n;
	} while (json_text_accept(text, ','));
	return json_text_accept(text, ']') || json_text_fail(text, "a list does not end");
}

static bool member_read(struct json_text *text, struct entry *entry)
{
	char *key, *value;
	size_t key_len, len;
	enum record_kind kind;

	if (!json_text_accept(text, '"'))
		return json_text_fail(text, "a name in quotes is missing");
	if (!json_text_string(text, &key, &key_len))
		return false;
	if (!json_text_accept(text, ':'))
		return json_text_fail(text, "a colon is missing");
	if (!strcmp(key, "chain"))
		return chain_read(text, entry);
	json_text_skip(text);
	if (!json_text_value(text, &kind, &value, &len))
		return false;
	if (kind != RECORD_STRING)
		return json_text_fail(text, "a value is no string");
	if (!strcmp(key, "credential")) {
		entry->credential = value;
		entry->credential_len = len;
	} else if (!strcmp(key, "private_key")) {
		entry->private_key = value;
		entry->private_key_len = len;
	} else if (!strcmp(key, "id_cred")) {
		entry->id_cred = value;
	} else if (strcmp(key, "name")) {
		return json_text_fail(text,
			"a name that is none of credential, private_key, "
			"id_cred, chain and name");
	}
	return true;
}

static bool entry_read(struct json_text *text, struct entry *entry)
{
	*entry = (struct entry){0};
	if (!json_text_accept(text, '{'))
		return json_text_fail(text, "no JSON object");
	do
		if (!member_read(text, entry))
			return false;
	while (json_text_accept(text, ','));
	if (!json_text_accept(text, '}'))
		return json_text_fail(text, "an object does not end");
	return true;
}

static int fail(struct error *error, const char *why)
{
	return error_set(error, -EINVAL, "%s", why);
}

// Keeps a credential as EDHOC has it: a CCS as it is, a certificate as a byte string.
static int item_keep(struct identity *identity, const char *hex, size_t hex_len,
	struct edhoc_bytes *item, struct error *error)
{
	struct edhoc_writer writer = edhoc_writer(
		identity->bytes + identity->used, sizeof(identity->bytes) - identity->used);
	uint8_t bytes[EDHOC_CREDENTIAL_MAX];
	size_t len;

	if (!hex || sodium_hex2bin(bytes, sizeof(bytes), hex, hex_len, NULL, &len, NULL) || !len)
		return fail(error, "\"credential\" is missing, or it or \"chain\" is no hex");
	if (*bytes == DER_SEQUENCE)
		edhoc_write_bytes(&writer, bytes, len);
	else
		edhoc_write_raw(&writer, bytes, len);
	if (writer.failed)
		return fail(error, "the credentials are too long");
	*item = (struct edhoc_bytes){writer.start, edhoc_writer_len(&writer)};
	identity->used += item->len;
	return 0;
}

static int kind_find(const struct entry *entry, const struct edhoc_credential *credential,
	enum edhoc_id_cred_kind *kind, struct error *error)
{
	*kind = edhoc_id_cred_briefest(credential);
	if (!entry->id_cred || edhoc_id_cred_kind_read(entry->id_cred, kind))
		return 0;
	return fail(error, "\"id_cred\" is none of kid, kccs, x5t, x5chain");
}

static int secret_take(struct edhoc_own *own, const struct entry *entry, struct error *error)
{
	size_t len;

	return !entry->private_key ||
			sodium_hex2bin(own->secret, sizeof(own->secret), entry->private_key,
				entry->private_key_len, NULL, &len, NULL) ||
			len != sizeof(own->secret)
		? fail(error, "\"private_key\" is missing, or does not have 32 bytes in hex")
		: 0;
}

// Whether the private key is that of the credential.
static int pair_check(struct edhoc_engine *engine, const struct edhoc_own *own,
	const struct edhoc_credential *credential, struct error *error)
{
	struct edhoc_identity made;

	if (edhoc_identity_init(&made, engine, credential, &own->id_cred, own->secret) != EDHOC_OK)
		return fail(error, "\"private_key\" is not that of the credential");
	edhoc_identity_fini(&made);
	return 0;
}

// Certificates between the gateway's and the one that devices trust; they go with x5chain.
static int chain_add(struct identity *identity, const struct entry *entry, struct edhoc_own *own,
	struct error *error)
{
	struct edhoc_bytes items[EDHOC_CHAIN_MAX] = {own->item};
	int rc = 0;

	if (own->id_cred.kind != EDHOC_ID_X5CHAIN)
		return fail(error, "\"chain\" goes with \"id_cred\" x5chain");
	for (unsigned i = 0; !rc && i < entry->chain_count; i++) {
		rc = item_keep(
			identity, entry->chain[i], entry->chain_len[i], &items[1 + i], error);
		if (!rc && *items[1 + i].data >> 5 != EDHOC_CBOR_BYTES)
			rc = fail(error, "\"chain\" has something that is no certificate");
	}
	if (rc)
		return rc;
	struct edhoc_writer writer = edhoc_writer(
		identity->bytes + identity->used, sizeof(identity->bytes) - identity->used);

	if (edhoc_id_cred_chain_make(&own->id_cred, items, 1 + entry->chain_count, &writer) !=
		EDHOC_OK)
		return fail(error, "the credentials are too long");
	identity->used += edhoc_writer_len(&writer);
	return own->id_cred.map.len > IDENTITY_CHAIN_MAX
		? fail(error, "\"chain\" has more than a message_2 may have")
		: 0;
}

static int own_add(struct identity *identity, struct edhoc_engine *engine,
	const struct entry *entry, struct error *error)
{
	struct edhoc_own *own = &identity->own[identity->count];
	struct edhoc_credential *credential = &identity->credential[identity->count];
	enum edhoc_id_cred_kind kind;
	int rc = item_keep(identity, entry->credential, entry->credential_len, &own->item, error);

	if (rc)
		return rc;
	for (unsigned i = 0; i < identity->count; i++)
		if (identity->own[i].item.len == own->item.len &&
			!memcmp(identity->own[i].item.data, own->item.data, own->item.len))
			return fail(error, "a credential is there twice");
	own->x509 = *own->item.data >> 5 == EDHOC_CBOR_BYTES;
	if ((own->x509 ? edhoc_credential_from_x509(engine, own->item, credential)
		       : edhoc_credential_from_ccs(engine, own->item, credential)) != EDHOC_OK)
		return fail(error,
			"\"credential\" is no CCS and no certificate with a key of "
			"P-256, X25519 or Ed25519");
	rc = kind_find(entry, credential, &kind, error);
	if (!rc)
		rc = secret_take(own, entry, error);
	if (rc)
		return rc;
	struct edhoc_writer writer = edhoc_writer(
		identity->bytes + identity->used, sizeof(identity->bytes) - identity->used);

	if (edhoc_id_cred_make(&own->id_cred, kind, credential, credential->kid, &writer) !=
		EDHOC_OK)
		return fail(error, "\"id_cred\" is not for this credential");
	identity->used += edhoc_writer_len(&writer);
	if (entry->chain_count)
		rc = chain_add(identity, entry, own, error);
	if (!rc)
		rc = pair_check(engine, own, credential, error);
	identity->count += !rc;
	return rc;
}

static int parse(struct identity *identity, struct edhoc_engine *engine, char *file, size_t len,
	struct error *error)
{
	struct json_text text = {.at = file, .end = file + len, .error = error};
	const unsigned before = identity->count;
	struct entry entry;

	for (;;) {
		json_text_skip(&text);
		if (text.at == text.end)
			return identity->count > before ? 0 : fail(error, "there is nothing in it");
		if (identity->count == EDHOC_IDENTITIES_MAX)
			return fail(error, "there are too many credentials");
		if (!entry_read(&text, &entry))
			return -EINVAL;
		const int rc = own_add(identity, engine, &entry, error);

		if (rc)
			return rc;
	}
}

static int read_whole(int fd, char *file, size_t *len)
{
	ssize_t n;

	for (*len = 0; (n = read(fd, file + *len, FILE_MAX - 1 - *len)) > 0; *len += (size_t)n)
		;
	file[*len] = 0;
	return n < 0 ? -errno : *len == FILE_MAX - 1 ? -EFBIG : 0;
}

// Adds what a file has.
static int file_add(struct identity *identity, struct edhoc_engine *engine, const char *path,
	char *file, struct error *error)
{
	const int fd = secret_file_open(path, WHAT, error);
	struct error why = {0};
	size_t len = 0;

	if (fd < 0)
		return fd;
	int rc = read_whole(fd, file, &len);

	close(fd);
	if (rc)
		error_set(error, rc, WHAT " %s: %s", path, strerror(-rc));
	else if ((rc = parse(identity, engine, file, len, &why)) != 0)
		error_set(error, rc, WHAT " %s: %s", path, why.text);
	sodium_memzero(file, FILE_MAX);
	return rc;
}

// Where a file of the configuration is. The caller has room for the path of a credential.
static int path_find(
	const char *name, char room[SECRET_PATH_MAX], const char **path, struct error *error)
{
	const size_t len = strlen(CONF_CREDENTIAL);
	struct error why;

	*path = name;
	if (strncmp(name, CONF_CREDENTIAL, len) != 0)
		return 0;
	*path = room;
	const int rc = secret_credential_path(name + len, room, &why);

	return rc ? error_set(error, rc, WHAT " %s: %s", name, why.text) : 0;
}

static int load(struct identity *identity, const struct conf_edhoc *conf, struct error *error)
{
	struct edhoc_engine engine = {aead_engine_create(NULL), ecc_engine_create(NULL)};
	char *file = sodium_malloc(FILE_MAX), room[SECRET_PATH_MAX];
	int rc = engine.aead && engine.ecc && file ? 0 : error_set(error, -ENOMEM, "no memory");

	for (size_t i = 0; !rc && i < conf->identity_count; i++) {
		const unsigned before = identity->count;
		const char *path;

		rc = path_find(conf->identity[i], room, &path, error);
		if (!rc)
			rc = file_add(identity, &engine, path, file, error);
		for (unsigned n = before; n < identity->count; n++)
			identity->file[n] = (unsigned)i;
	}
	sodium_free(file);
	ecc_engine_free(engine.ecc);
	aead_engine_free(engine.aead);
	return rc;
}

static bool is_allowed(const struct conf_edhoc *conf, unsigned method, unsigned suite)
{
	return (!conf->methods || conf->methods >> method & 1) &&
		(!conf->suites || conf->suites >> suite & 1);
}

void identity_credential_offers(const struct edhoc_credential *credential,
	const struct conf_edhoc *conf, uint64_t *methods, uint64_t *suites)
{
	for (unsigned method = 0; method < EDHOC_METHOD_COUNT; method++) {
		for (unsigned suite = 0; suite < EDHOC_SUITE_COUNT; suite++) {
			if (!is_allowed(conf, method, suite) ||
				!edhoc_credential_fits(credential, method, suite, EDHOC_RESPONDER))
				continue;
			*methods |= UINT64_C(1) << method;
			*suites |= UINT64_C(1) << suite;
		}
	}
}

// A gateway that no device could agree with has a mistake in its configuration.
static int offers_check(
	const struct identity *identity, const struct conf_edhoc *conf, struct error *error)
{
	uint64_t methods = 0, suites = 0;

	for (unsigned i = 0; i < identity->count; i++)
		identity_credential_offers(&identity->credential[i], conf, &methods, &suites);
	return methods ? 0
		       : error_set(error, -EINVAL,
				 "edhoc.identity: no credential is good for a method and a suite "
				 "that edhoc.methods and edhoc.suites allow");
}

int identity_load(const struct conf_edhoc *conf, struct identity **identity, struct error *error)
{
	struct identity *made = sodium_malloc(sizeof(*made));

	_Static_assert(CONF_IDENTITIES_MAX <= EDHOC_IDENTITIES_MAX, "each file has one at least");
	*identity = NULL;
	if (!made)
		return error_set(error, -ENOMEM, "no memory");
	memset(made, 0, sizeof(*made));
	int rc = load(made, conf, error);

	if (!rc)
		rc = offers_check(made, conf, error);
	if (rc) {
		identity_free(made);
		return rc;
	}
	*identity = made;
	return 0;
}

bool identity_is_used(const struct identity *identity, unsigned i, const struct conf_edhoc *conf)
{
	for (unsigned method = 0; method < EDHOC_METHOD_COUNT; method++) {
		for (unsigned suite = 0; suite < EDHOC_SUITE_COUNT; suite++) {
			unsigned first = 0;

			if (!is_allowed(conf, method, suite))
				continue;
			while (first < i &&
				!edhoc_credential_fits(&identity->credential[first], method, suite,
					EDHOC_RESPONDER))
				first++;
			if (first == i &&
				edhoc_credential_fits(
					&identity->credential[i], method, suite, EDHOC_RESPONDER))
				return true;
		}
	}
	return false;
}

void identity_offers(const struct identity *identity, struct conf_edhoc *conf)
{
	conf->offered_methods = conf->offered_suites = 0;
	for (unsigned i = 0; i < identity->count; i++)
		identity_credential_offers(&identity->credential[i], conf, &conf->offered_methods,
			&conf->offered_suites);
}

bool identity_equal(const struct identity *a, const struct identity *b)
{
	if (a->count != b->count)
		return false;
	for (unsigned i = 0; i < a->count; i++) {
		const struct edhoc_bytes *x = &a->own[i].item, *y = &b->own[i].item;

		if (x->len != y->len || memcmp(x->data, y->data, x->len) != 0)
			return false;
	}
	return true;
}

struct edhoc_identities *identity_of_thread(
	const struct identity *identity, const struct conf_edhoc *conf)
{
	return edhoc_identities_create(identity->own, identity->count,
		conf->methods ? (unsigned)conf->methods : UINT_MAX,
		conf->suites ? (unsigned)conf->suites : UINT_MAX);
}

void identity_free(struct identity *identity)
{
	sodium_free(identity);
}
