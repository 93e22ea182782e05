// SPDX-License-Identifier: BSD-3-Clause
// ID_CRED_x (RFC 9528 section 3.5.3).

#include "gw/edhoc/credential.h"

#include <assert.h>
#include <string.h>

#define X5T_64_LEN 8 // bytes of SHA-256/64

static const struct {
	const char *name;
	enum edhoc_id_cred_kind kind;
} kinds[] = {
	{"kid", EDHOC_ID_KID},
	{"kccs", EDHOC_ID_KCCS},
	{"x5t", EDHOC_ID_X5T},
	{"x5chain", EDHOC_ID_X5CHAIN},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

bool edhoc_id_cred_kind_read(const char *name, enum edhoc_id_cred_kind *kind)
{
	for (size_t i = 0; i < KINDS; i++)
		if (!strcmp(kinds[i].name, name)) {
			*kind = kinds[i].kind;
			return true;
		}
	return false;
}

const char *edhoc_id_cred_kind_name(enum edhoc_id_cred_kind kind)
{
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].kind == kind)
			return kinds[i].name;
	return NULL;
}

enum edhoc_id_cred_kind edhoc_id_cred_briefest(const struct edhoc_credential *credential)
{
	if (credential->x509)
		return EDHOC_ID_X5T;
	return credential->kid.len ? EDHOC_ID_KID : EDHOC_ID_KCCS;
}

static size_t x5t_len(enum edhoc_x5t_alg alg)
{
	return alg == EDHOC_X5T_SHA256_64 ? X5T_64_LEN : EDHOC_HASH_LEN;
}

// COSE_CertHash (RFC 9360 section 2).
static enum edhoc_result x5t_read(struct edhoc_reader *reader, struct edhoc_id_cred *id_cred)
{
	struct edhoc_cbor array;
	int64_t alg;

	if (!edhoc_read(reader, &array) || array.type != EDHOC_CBOR_ARRAY || array.value != 2)
		return EDHOC_MALFORMED;
	// The name of an algorithm may be a text; we know none.
	if (edhoc_reader_left(reader) && *reader->at >> 5 == EDHOC_CBOR_TEXT)
		return EDHOC_ID_CRED;
	if (!edhoc_read_int(reader, &alg) ||
		!edhoc_read_bytes(reader, &id_cred->value.data, &id_cred->value.len))
		return EDHOC_MALFORMED;
	if (alg != EDHOC_X5T_SHA256_64 && alg != EDHOC_X5T_SHA256)
		return EDHOC_ID_CRED;
	id_cred->x5t_alg = (enum edhoc_x5t_alg)alg;
	return id_cred->value.len == x5t_len(id_cred->x5t_alg) ? EDHOC_OK : EDHOC_MALFORMED;
}

// The one parameter of a map.
static enum edhoc_result parameter_read(struct edhoc_reader *reader, struct edhoc_id_cred *id_cred)
{
	int64_t label;

	// A label may be a text; we know none.
	if (edhoc_reader_left(reader) && *reader->at >> 5 == EDHOC_CBOR_TEXT)
		return EDHOC_ID_CRED;
	if (!edhoc_read_int(reader, &label))
		return EDHOC_MALFORMED;
	id_cred->kind = (enum edhoc_id_cred_kind)label;
	switch (label) {
	case EDHOC_ID_X5T:
		return x5t_read(reader, id_cred);
	case EDHOC_ID_KCCS:
	case EDHOC_ID_X5CHAIN:
		if (!edhoc_read_whole(reader, &id_cred->value.data))
			return EDHOC_MALFORMED;
		id_cred->value.len = (size_t)(reader->at - id_cred->value.data);
		return EDHOC_OK;
	case EDHOC_ID_KID: // which is never written so (section 3.5.3.2)
		return EDHOC_MALFORMED;
	default:
		return EDHOC_ID_CRED;
	}
}

// Where the map is malformed in what we do not read, too, it is that. Its keys need not be in
// order (section 3.5.3), but one that is not alone is of no kind that we know.
static bool map_skip(struct edhoc_reader *reader, uint64_t pairs)
{
	const uint8_t *whole;

	for (uint64_t i = 0; i < pairs; i++)
		if (!edhoc_read_whole(reader, &whole) || !edhoc_read_whole(reader, &whole))
			return false;
	return true;
}

enum edhoc_result edhoc_id_cred_read(struct edhoc_reader *reader, struct edhoc_id_cred *id_cred)
{
	const uint8_t *start = reader->at;
	struct edhoc_reader behind;
	struct edhoc_cbor map;
	enum edhoc_result result;

	memset(id_cred, 0, sizeof(*id_cred));
	if (!edhoc_reader_left(reader))
		return EDHOC_MALFORMED;
	if (*start >> 5 != EDHOC_CBOR_MAP) {
		id_cred->kind = EDHOC_ID_KID;
		if (!edhoc_read_identifier(reader, &id_cred->value.data, &id_cred->value.len))
			return EDHOC_MALFORMED;
		return id_cred->value.len <= EDHOC_KID_MAX ? EDHOC_OK : EDHOC_ID_CRED;
	}
	if (!edhoc_read(reader, &map) || !map.value)
		return EDHOC_MALFORMED;
	behind = *reader;
	if (!map_skip(&behind, map.value))
		return EDHOC_MALFORMED;
	result = map.value == 1 ? parameter_read(reader, id_cred) : EDHOC_ID_CRED;
	*reader = behind;
	id_cred->map = (struct edhoc_bytes){start, (size_t)(behind.at - start)};
	return result;
}

void edhoc_id_cred_write(struct edhoc_writer *writer, const struct edhoc_id_cred *id_cred)
{
	if (id_cred->kind == EDHOC_ID_KID)
		edhoc_write_identifier(writer, id_cred->value.data, id_cred->value.len);
	else
		edhoc_write_raw(writer, id_cred->map.data, id_cred->map.len);
}

struct edhoc_bytes edhoc_id_cred_map(
	const struct edhoc_id_cred *id_cred, uint8_t room[EDHOC_KID_MAP_MAX])
{
	struct edhoc_writer writer = edhoc_writer(room, EDHOC_KID_MAP_MAX);

	if (id_cred->kind != EDHOC_ID_KID)
		return id_cred->map;
	edhoc_write_head(&writer, EDHOC_CBOR_MAP, 1);
	edhoc_write_int(&writer, EDHOC_ID_KID);
	edhoc_write_bytes(&writer, id_cred->value.data, id_cred->value.len);
	assert(!writer.failed);
	return (struct edhoc_bytes){room, edhoc_writer_len(&writer)};
}

unsigned edhoc_id_cred_chain(
	const struct edhoc_id_cred *id_cred, struct edhoc_bytes chain[EDHOC_CHAIN_MAX])
{
	struct edhoc_reader reader = edhoc_reader(id_cred->value.data, id_cred->value.len);
	struct edhoc_reader first = reader;
	struct edhoc_cbor item;
	const uint8_t *der;
	uint64_t n = 1;
	size_t len;

	if (!edhoc_read(&reader, &item))
		return 0;
	if (item.type == EDHOC_CBOR_ARRAY) {
		n = item.value;
		if (n < 2 || n > EDHOC_CHAIN_MAX)
			return 0;
	} else {
		reader = first;
	}
	for (uint64_t i = 0; i < n; i++) {
		chain[i].data = reader.at;
		if (!edhoc_read_bytes(&reader, &der, &len))
			return 0;
		chain[i].len = (size_t)(reader.at - chain[i].data);
	}
	return edhoc_reader_left(&reader) ? 0 : (unsigned)n;
}

// The hash of a certificate, which is an item: a byte string.
static bool cert_hash(struct edhoc_bytes item, uint8_t hash[EDHOC_HASH_LEN])
{
	struct edhoc_reader reader = edhoc_reader(item.data, item.len);
	struct edhoc_bytes der;

	if (!edhoc_read_bytes(&reader, &der.data, &der.len))
		return false;
	edhoc_hash(hash, &der, 1);
	return true;
}

bool edhoc_id_cred_is_hash_of(
	const struct edhoc_id_cred *id_cred, const struct edhoc_credential *credential)
{
	uint8_t hash[EDHOC_HASH_LEN];

	return id_cred->kind == EDHOC_ID_X5T && credential->x509 &&
		cert_hash(credential->item, hash) &&
		!memcmp(hash, id_cred->value.data, x5t_len(id_cred->x5t_alg));
}

enum edhoc_result edhoc_id_cred_make(struct edhoc_id_cred *id_cred, enum edhoc_id_cred_kind kind,
	const struct edhoc_credential *credential, struct edhoc_bytes kid,
	struct edhoc_writer *room)
{
	const bool x509 = kind == EDHOC_ID_X5T || kind == EDHOC_ID_X5CHAIN;
	uint8_t *start = room->at;
	uint8_t hash[EDHOC_HASH_LEN];

	memset(id_cred, 0, sizeof(*id_cred));
	id_cred->kind = kind;
	if (x509 != credential->x509 || kid.len > EDHOC_KID_MAX)
		return EDHOC_CREDENTIAL;
	if (kind == EDHOC_ID_KID) {
		id_cred->value = (struct edhoc_bytes){start, kid.len};
		edhoc_write_raw(room, kid.data, kid.len);
		return room->failed ? EDHOC_TOO_LONG : EDHOC_OK;
	}
	edhoc_write_head(room, EDHOC_CBOR_MAP, 1);
	edhoc_write_int(room, kind);
	id_cred->value = (struct edhoc_bytes){room->at, credential->item.len};
	if (kind == EDHOC_ID_X5T) {
		if (!cert_hash(credential->item, hash))
			return EDHOC_CREDENTIAL;
		id_cred->x5t_alg = EDHOC_X5T_SHA256_64;
		edhoc_write_head(room, EDHOC_CBOR_ARRAY, 2);
		edhoc_write_int(room, id_cred->x5t_alg);
		edhoc_write_bytes(room, hash, X5T_64_LEN);
		if (!room->failed)
			id_cred->value = (struct edhoc_bytes){room->at - X5T_64_LEN, X5T_64_LEN};
	} else {
		edhoc_write_raw(room, credential->item.data, credential->item.len);
	}
	id_cred->map = (struct edhoc_bytes){start, (size_t)(room->at - start)};
	return room->failed ? EDHOC_TOO_LONG : EDHOC_OK;
}

enum edhoc_result edhoc_id_cred_chain_make(struct edhoc_id_cred *id_cred,
	const struct edhoc_bytes *items, unsigned n, struct edhoc_writer *room)
{
	uint8_t *start = room->at;

	assert(n >= 2 && n <= EDHOC_CHAIN_MAX);
	memset(id_cred, 0, sizeof(*id_cred));
	id_cred->kind = EDHOC_ID_X5CHAIN;
	edhoc_write_head(room, EDHOC_CBOR_MAP, 1);
	edhoc_write_int(room, EDHOC_ID_X5CHAIN);
	id_cred->value.data = room->at;
	edhoc_write_head(room, EDHOC_CBOR_ARRAY, n);
	for (unsigned i = 0; i < n; i++)
		edhoc_write_raw(room, items[i].data, items[i].len);
	if (room->failed)
		return EDHOC_TOO_LONG;
	id_cred->value.len = (size_t)(room->at - id_cred->value.data);
	id_cred->map = (struct edhoc_bytes){start, (size_t)(room->at - start)};
	return EDHOC_OK;
}
