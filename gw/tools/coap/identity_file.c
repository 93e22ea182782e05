// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/identity_file.h"

#include "gw/tools/coap/json_file.h"
#include "gw/tools/coap/number.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DER_SEQUENCE 0x30 // what a certificate begins with, and no credential in CBOR

// ---- credentials

static struct edhoc_writer writer_begin(const struct identity *d)
{
	return edhoc_writer(d->bytes + d->used, IDENTITY_BYTES_MAX - d->used);
}

// Keeps what was written.
static int writer_end(struct identity *d, const struct edhoc_writer *writer,
	struct edhoc_bytes *written, struct error *f)
{
	if (writer->failed)
		return error_set(
			f, -E2BIG, "the credentials have more than %d bytes", IDENTITY_BYTES_MAX);
	*written = (struct edhoc_bytes){writer->start, edhoc_writer_len(writer)};
	d->used += written->len;
	return 0;
}

// Keeps a credential as EDHOC has it: a CCS as it is, a certificate as a byte string.
static int item_keep(struct identity *d, const uint8_t *bytes, size_t len, struct edhoc_bytes *item,
	struct error *f)
{
	struct edhoc_writer writer = writer_begin(d);

	if (len && *bytes == DER_SEQUENCE)
		edhoc_write_bytes(&writer, bytes, len);
	else
		edhoc_write_raw(&writer, bytes, len);
	return writer_end(d, &writer, item, f);
}

static int credential_read(struct edhoc_engine *engine, struct edhoc_bytes item, const char *whose,
	struct edhoc_credential *credential, struct error *f)
{
	const bool x509 = item.len && *item.data >> 5 == EDHOC_CBOR_BYTES;
	const enum edhoc_result result = x509 ? edhoc_credential_from_x509(engine, item, credential)
					      : edhoc_credential_from_ccs(engine, item, credential);

	if (result != EDHOC_OK)
		return error_set(f, -EINVAL,
			"the credential of the %s is no CCS and no certificate with a key of "
			"P-256, X25519 or Ed25519",
			whose);
	if (!edhoc_credential_valid_at(credential, time(NULL)))
		return error_set(f, -EKEYEXPIRED,
			"the credential of the %s is not valid at this time", whose);
	return 0;
}

// Takes "credential" out of an object.
static int credential_take(struct identity *d, struct edhoc_engine *engine, json_t *object,
	const char *whose, struct edhoc_credential *credential, struct error *f)
{
	uint8_t bytes[EDHOC_CREDENTIAL_MAX];
	struct edhoc_bytes item = {0};
	bool present;
	size_t len = 0;
	int err = json_take_hex(object, "credential", bytes, sizeof(bytes), &len, &present, f);

	if (!err && !len)
		err = error_set(f, -EINVAL, "\"credential\" of the %s is missing or empty", whose);
	if (!err)
		err = item_keep(d, bytes, len, &item, f);
	return err ? err : credential_read(engine, item, whose, credential, f);
}

// ---- the gateway's

static int peer_add(struct identity *d, struct edhoc_engine *engine, json_t *value, struct error *f)
{
	if (d->n_peers == IDENTITY_PEERS_MAX)
		return error_set(
			f, -E2BIG, "the gateway has more than %d credentials", IDENTITY_PEERS_MAX);
	if (!json_is_object(value))
		return error_set(f, -EINVAL,
			"the gateway is not an object with a \"credential\", or a list of these");
	if (json_object_get(value, "private_key"))
		return error_set(f, -EINVAL,
			"the gateway's credential comes with its private key, which no device has");
	int err = credential_take(d, engine, value, "gateway", &d->peers[d->n_peers], f);

	d->n_peers += !err;
	return err;
}

// One, or a list. What else the gateway says of a credential is for people.
static int peers_add(
	struct identity *d, struct edhoc_engine *engine, json_t *value, struct error *f)
{
	size_t index;
	json_t *one;
	int err = 0;

	if (!json_is_array(value))
		return peer_add(d, engine, value, f);
	json_array_foreach(value, index, one) if (!err) err = peer_add(d, engine, one, f);
	return err;
}

static int peers_load(
	struct identity *d, struct edhoc_engine *engine, const char *path, struct error *f)
{
	struct error why;
	json_t *value;
	int err = json_file_load(&value, path, NULL, f);

	if (err)
		return err;
	err = peers_add(d, engine, value, &why);
	if (err)
		error_set(f, err, "%s: %s", path, why.text);
	json_decref(value);
	return err;
}

// ---- the device's

// How messages name the credential: as "id_cred" says, or as briefly as it goes.
static int kind_take(json_t *object, const struct edhoc_credential *credential,
	enum edhoc_id_cred_kind *kind, struct error *f)
{
	const char *name = json_string_value(json_object_get(object, "id_cred"));

	*kind = edhoc_id_cred_briefest(credential);
	if (!json_object_get(object, "id_cred"))
		return 0;
	if (!name || !edhoc_id_cred_kind_read(name, kind))
		return error_set(f, -EINVAL, "\"id_cred\" is none of kid, kccs, x5t, x5chain");
	json_object_del(object, "id_cred");
	return 0;
}

// Certificates between the device's and the one that the gateway trusts; they go with x5chain.
static int chain_take(struct identity *d, json_t *object, const struct edhoc_credential *credential,
	struct edhoc_id_cred *id_cred, struct error *f)
{
	json_t *chain = json_object_get(object, "chain"), *value;
	struct edhoc_bytes items[EDHOC_CHAIN_MAX] = {credential->item};
	uint8_t bytes[EDHOC_CREDENTIAL_MAX];
	size_t index, len;
	int err = 0;

	if (!chain)
		return 0;
	const size_t n = json_array_size(chain);

	if (!n || n >= EDHOC_CHAIN_MAX || id_cred->kind != EDHOC_ID_X5CHAIN)
		return error_set(f, -EINVAL,
			"\"chain\" is a list of up to %d certificates, with \"id_cred\" x5chain",
			EDHOC_CHAIN_MAX - 1);
	json_array_foreach(chain, index, value)
	{
		if (!err)
			err = json_hex_read(value, "chain", bytes, sizeof(bytes), &len, f);
		if (!err)
			err = item_keep(d, bytes, len, &items[1 + index], f);
	}
	if (err)
		return err;
	struct edhoc_writer writer = writer_begin(d);

	(void)edhoc_id_cred_chain_make(id_cred, items, (unsigned)(1 + n), &writer);
	json_object_del(object, "chain");
	return writer_end(d, &writer, &(struct edhoc_bytes){0}, f);
}

// What messages say of the credential.
static int name_take(struct identity *d, json_t *object, const struct edhoc_credential *credential,
	struct edhoc_id_cred *id_cred, struct error *f)
{
	enum edhoc_id_cred_kind kind;
	struct edhoc_bytes written;
	int err = kind_take(object, credential, &kind, f);

	if (err)
		return err;
	const bool by_kid = kind == EDHOC_ID_KID;
	struct edhoc_writer writer = writer_begin(d);

	if ((by_kid && !credential->kid.len) ||
		edhoc_id_cred_make(id_cred, kind, credential,
			by_kid ? credential->kid : (struct edhoc_bytes){0}, &writer) != EDHOC_OK)
		return error_set(f, -EINVAL, "\"id_cred\" is not for this credential");
	err = writer_end(d, &writer, &written, f);
	return err ? err : chain_take(d, object, credential, id_cred, f);
}

static int own_take(
	struct identity *d, struct edhoc_engine *engine, json_t *object, struct error *f)
{
	struct edhoc_credential credential;
	struct edhoc_id_cred id_cred;
	uint8_t secret[ECC_LEN];
	bool present;
	size_t len = 0;
	int err = json_take_hex(object, "private_key", secret, sizeof(secret), &len, &present, f);

	if (!err && len != ECC_LEN)
		err = error_set(f, -EINVAL, "\"private_key\" does not have %d bytes", ECC_LEN);
	if (!err)
		err = credential_take(d, engine, object, "device", &credential, f);
	if (!err)
		err = name_take(d, object, &credential, &id_cred, f);
	if (!err) {
		const enum edhoc_result result =
			edhoc_identity_init(&d->own, engine, &credential, &id_cred, secret);

		if (result != EDHOC_OK)
			err = error_set(f, -EINVAL,
				result == EDHOC_CREDENTIAL
					? "\"private_key\" is not that of the credential"
					: "the private key cannot be used");
	}
	sodium_memzero(secret, sizeof(secret));
	return err;
}

// ---- how they go together

static bool peer_fits(const struct identity *d, unsigned method, unsigned suite)
{
	for (unsigned i = 0; i < d->n_peers; i++)
		if (edhoc_credential_fits(&d->peers[i], method, suite, EDHOC_RESPONDER))
			return true;
	return false;
}

static bool fits(const struct identity *d, unsigned method, unsigned suite)
{
	return edhoc_credential_fits(&d->own.credential, method, suite, EDHOC_INITIATOR) &&
		peer_fits(d, method, suite);
}

static int suites_take(struct identity *d, json_t *object, struct error *f)
{
	json_t *suites = json_object_get(object, "suites"), *value;
	size_t index;

	if (!suites) {
		for (unsigned suite = 0; suite < EDHOC_SUITE_COUNT; suite++)
			if (fits(d, d->method, suite))
				d->suites[d->n_suites++] = suite;
		return 0;
	}
	json_array_foreach(suites, index, value)
	{
		const json_int_t suite = json_integer_value(value);

		if (!json_is_integer(value) || suite < 0 || suite >= EDHOC_SUITE_COUNT ||
			d->n_suites == EDHOC_SUITE_COUNT)
			return error_set(f, -EINVAL, "\"suites\" is not a list of 0 to 3");
		if (!edhoc_credential_fits(
			    &d->own.credential, d->method, (unsigned)suite, EDHOC_INITIATOR))
			return error_set(f, -EINVAL,
				"the device's key is not for method %u with suite %d", d->method,
				(int)suite);
		d->suites[d->n_suites++] = suite;
	}
	if (!d->n_suites)
		return error_set(f, -EINVAL, "\"suites\" is not a list of 0 to 3");
	json_object_del(object, "suites");
	return 0;
}

// The method that "method" says, or the first that the keys of both ends are for.
static int method_take(struct identity *d, json_t *object, struct error *f)
{
	static const unsigned order[EDHOC_METHOD_COUNT] = {3, 0, 1, 2};
	json_t *value = json_object_get(object, "method");

	if (value) {
		const json_int_t method = json_integer_value(value);

		if (!json_is_integer(value) || method < 0 || method >= EDHOC_METHOD_COUNT)
			return error_set(f, -EINVAL, "\"method\" is none of 0 to 3");
		d->method = (unsigned)method;
		json_object_del(object, "method");
		return 0;
	}
	for (unsigned i = 0; i < EDHOC_METHOD_COUNT; i++)
		for (unsigned suite = 0; suite < EDHOC_SUITE_COUNT; suite++)
			if (fits(d, order[i], suite)) {
				d->method = order[i];
				return 0;
			}
	return error_set(
		f, -EINVAL, "the keys of the device and of the gateway are of different curves");
}

static int rest_take(struct identity *d, json_t *object, struct error *f)
{
	// Of a row for the gateway's import, so that one object serves both.
	json_t *message_4 = json_object_get(object, "message_4");
	size_t len = 0;

	if (message_4 && !json_is_boolean(message_4))
		return error_set(f, -EINVAL, "\"message_4\" is not true or false");
	d->message_4 = json_is_true(message_4);
	json_object_del(object, "message_4");
	json_object_del(object, "name");
	int err = json_take_hex(
		object, "c_i", d->c_i.bytes, sizeof(d->c_i.bytes), &len, &d->has_c_i, f);

	d->c_i.len = (uint8_t)len;
	if (!err)
		err = method_take(d, object, f);
	if (!err)
		err = suites_take(d, object, f);
	return err ? err : json_nothing_left(object, f);
}

static int object_take(struct identity *d, struct edhoc_engine *engine, json_t *object,
	const char *gateway_path, struct error *f)
{
	json_t *gateway = json_object_get(object, "gateway");

	if (!json_is_object(object))
		return error_set(f, -EINVAL, "not a JSON object");
	int err = own_take(d, engine, object, f);

	if (!err && gateway && !gateway_path)
		err = peers_add(d, engine, gateway, f);
	json_object_del(object, "gateway");
	if (!err && gateway_path)
		err = peers_load(d, engine, gateway_path, f);
	if (!err && !d->n_peers)
		err = error_set(f, -EINVAL,
			"there is no credential of the gateway: neither \"gateway\" nor "
			"--edhoc-gateway");
	return err ? err : rest_take(d, object, f);
}

int identity_load(struct identity *d, struct edhoc_engine *engine, const char *path,
	const char *gateway_path, struct error *f)
{
	struct error why;
	json_t *object;

	*d = (struct identity){.bytes = malloc(IDENTITY_BYTES_MAX)};
	if (!d->bytes)
		return error_set(f, -ENOMEM, "out of memory");
	int err = json_file_load(&object, path, &d->group_may_read, f);

	if (err)
		return err;
	err = object_take(d, engine, object, gateway_path, &why);
	if (err)
		error_set(f, err, "%s: %s", path, why.text);
	json_decref(object);
	return err;
}

void identity_free(struct identity *d)
{
	edhoc_identity_fini(&d->own);
	free(d->bytes);
	sodium_memzero(d, sizeof(*d));
}

static bool same(struct edhoc_bytes a, struct edhoc_bytes b)
{
	return a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len));
}

static bool means(const struct edhoc_id_cred *id_cred, const struct edhoc_credential *peer)
{
	struct edhoc_bytes chain[EDHOC_CHAIN_MAX];

	switch (id_cred->kind) {
	case EDHOC_ID_KID:
		return peer->kid.len && same(id_cred->value, peer->kid);
	case EDHOC_ID_KCCS:
		return !peer->x509 && same(id_cred->value, peer->item);
	case EDHOC_ID_X5T:
		return edhoc_id_cred_is_hash_of(id_cred, peer);
	case EDHOC_ID_X5CHAIN:
		return edhoc_id_cred_chain(id_cred, chain) && same(chain[0], peer->item);
	}
	return false;
}

const struct edhoc_credential *identity_peer_find(
	const struct identity *d, const struct edhoc_id_cred *id_cred)
{
	for (unsigned i = 0; i < d->n_peers; i++)
		if (means(id_cred, &d->peers[i]))
			return &d->peers[i];
	return NULL;
}

// ---- a new one

// Writes the file, which must not be there yet.
static int file_write(const char *path, json_t *object, struct error *f)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return error_set(f, -errno, "%s: %s", path, strerror(errno));
	int err = json_dumpfd(object, fd, JSON_INDENT(2)) || write(fd, "\n", 1) != 1 || fsync(fd)
		? error_set(f, -EIO, "%s: it cannot be written", path)
		: 0;

	if (close(fd) && !err)
		err = error_set(f, -errno, "%s: %s", path, strerror(errno));
	if (err)
		unlink(path);
	return err;
}

static int add_hex(json_t *object, const char *key, const uint8_t *bytes, size_t len)
{
	char text[2 * EDHOC_CREDENTIAL_MAX + 1];
	int err = json_object_set_new(object, key, json_string(hex_format(text, bytes, len)));

	sodium_memzero(text, sizeof(text));
	return err;
}

static int write_both(const struct identity_new *what, const struct ecc_pair *pair,
	struct edhoc_bytes ccs, json_t *gateway, struct error *f)
{
	json_t *secret = json_object(), *public = json_object();
	int err = 0;

	if (what->name)
		err = json_object_set_new(public, "name", json_string(what->name));
	if (err || add_hex(public, "credential", ccs.data, ccs.len) ||
		json_object_update(secret, public) ||
		add_hex(secret, "private_key", pair->secret, ECC_LEN) ||
		(gateway && json_object_set(secret, "gateway", gateway)))
		err = error_set(f, -EINVAL, "the name is no UTF-8, or there is no memory");
	if (!err)
		err = file_write(what->path, secret, f);
	if (!err && (json_dumpf(public, stdout, JSON_COMPACT) || puts("") < 0 || fflush(stdout)))
		err = error_set(f, -EIO, "the credential cannot be written");
	json_decref(secret);
	json_decref(public);
	return err;
}

int identity_make(const struct identity_new *what, struct edhoc_engine *engine, struct error *f)
{
	uint8_t room[EDHOC_CREDENTIAL_MAX];
	struct edhoc_writer writer = edhoc_writer(room, sizeof(room));
	const struct edhoc_bytes name = {
		(const uint8_t *)what->name, what->name ? strlen(what->name) : 0};
	json_t *gateway = NULL;
	struct ecc_pair pair;
	int err = what->gateway_path ? json_file_load(&gateway, what->gateway_path, NULL, f) : 0;

	if (!err && ecc_pair_make(engine->ecc, what->curve, &pair))
		err = error_set(f, -EIO, "no key pair can be made");
	if (err)
		goto out;
	json_memory_wipe();
	edhoc_ccs_write(
		&writer, &pair.public, name, (struct edhoc_bytes){what->kid, what->kid_len});
	err = writer.failed
		? error_set(f, -E2BIG, "the name is too long")
		: write_both(what, &pair, (struct edhoc_bytes){room, edhoc_writer_len(&writer)},
			  gateway, f);
	sodium_memzero(&pair, sizeof(pair));
out:
	json_decref(gateway);
	return err;
}
