// SPDX-License-Identifier: BSD-3-Clause

#include "gw/edhoc/message.h"

#include <sodium.h>
#include <string.h>

bool edhoc_connection_equal(const struct edhoc_connection *a, const struct edhoc_connection *b)
{
	return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

// Reads a connection identifier of any length; of one that is too long *connection is not set.
static enum edhoc_result connection_read(
	struct edhoc_reader *reader, struct edhoc_connection *connection)
{
	const uint8_t *data;
	size_t len;

	if (!edhoc_read_identifier(reader, &data, &len))
		return EDHOC_MALFORMED;
	if (len > EDHOC_CONNECTION_MAX)
		return EDHOC_IDENTIFIER;
	connection->len = (uint8_t)len;
	memcpy(connection->bytes, data, len);
	return EDHOC_OK;
}

enum edhoc_result edhoc_ead_check(struct edhoc_bytes ead)
{
	struct edhoc_reader reader = edhoc_reader(ead.data, ead.len);
	enum edhoc_result result = EDHOC_OK;
	struct edhoc_bytes value;
	int64_t label;

	// Each item takes a byte.
	while (edhoc_reader_left(&reader)) {
		if (!edhoc_read_int(&reader, &label))
			return EDHOC_MALFORMED;
		if (edhoc_reader_left(&reader) && *reader.at >> 5 == EDHOC_CBOR_BYTES &&
			!edhoc_read_bytes(&reader, &value.data, &value.len))
			return EDHOC_MALFORMED;
		if (label < 0)
			result = EDHOC_EAD;
	}
	return result;
}

void edhoc_padding_write(struct edhoc_writer *writer, size_t len)
{
	uint8_t value[64];

	while (len) {
		// An item is a label, and a value with a head of one byte up to 23 bytes, of two
		// above: no item has 26 bytes.
		size_t value_len = len < 2 ? 0 : len < 26 ? len - 2 : len - 3;

		edhoc_write_int(writer, 0);
		len--;
		if (!len || len == 25)
			continue;
		if (value_len > sizeof(value))
			value_len = sizeof(value);
		randombytes_buf(value, value_len);
		edhoc_write_bytes(writer, value, value_len);
		len -= value_len + (value_len < 24 ? 1 : 2);
	}
}

// SUITES_I: one integer, or an array of two and more, whose last one is not among the others.
static bool suites_read(struct edhoc_reader *reader, struct edhoc_message_1 *message)
{
	struct edhoc_reader ahead = *reader;
	struct edhoc_cbor item;
	int64_t suite;

	message->n_suites = 1;
	if (!edhoc_read(&ahead, &item))
		return false;
	if (item.type == EDHOC_CBOR_ARRAY) {
		// Each takes a byte.
		if (item.value < 2 || item.value > edhoc_reader_left(&ahead))
			return false;
		message->n_suites = (unsigned)item.value;
		*reader = ahead;
	}
	message->suites.data = reader->at;
	for (unsigned i = 0; i < message->n_suites; i++)
		if (!edhoc_read_int(reader, &message->suite))
			return false;
	message->suites.len = (size_t)(reader->at - message->suites.data);

	ahead = edhoc_reader(message->suites.data, message->suites.len);
	for (unsigned i = 0; i + 1 < message->n_suites; i++)
		if (!edhoc_read_int(&ahead, &suite) || suite == message->suite)
			return false;
	return true;
}

enum edhoc_result edhoc_message_1_parse(
	struct edhoc_message_1 *message, const uint8_t *bytes, size_t len)
{
	struct edhoc_reader reader = edhoc_reader(bytes, len);
	enum edhoc_result ead;

	memset(message, 0, sizeof(*message));
	if (len > EDHOC_MESSAGE_MAX || !edhoc_read_int(&reader, &message->method) ||
		!suites_read(&reader, message) ||
		!edhoc_read_bytes(&reader, &message->g_x.data, &message->g_x.len))
		return EDHOC_MALFORMED;
	message->fault = connection_read(&reader, &message->c_i);
	if (message->fault == EDHOC_MALFORMED)
		return EDHOC_MALFORMED;
	message->all = (struct edhoc_bytes){bytes, len};
	message->ead = (struct edhoc_bytes){reader.at, edhoc_reader_left(&reader)};
	ead = edhoc_ead_check(message->ead);
	if (message->fault == EDHOC_OK)
		message->fault = ead;
	return ead == EDHOC_MALFORMED ? ead : EDHOC_OK;
}

enum edhoc_result edhoc_message_1_check(
	const struct edhoc_message_1 *message, unsigned methods, unsigned suites)
{
	struct edhoc_reader reader = edhoc_reader(message->suites.data, message->suites.len);
	int64_t suite = -1;

	if (message->method < 0 || message->method >= EDHOC_METHOD_COUNT ||
		!(methods >> message->method & 1))
		return EDHOC_METHOD;
	for (unsigned i = 0; i < message->n_suites; i++) {
		if (!edhoc_read_int(&reader, &suite))
			return EDHOC_MALFORMED;
		if (suite >= 0 && suite < EDHOC_SUITE_COUNT && suites >> suite & 1)
			break;
		suite = -1;
	}
	if (suite < 0 || suite != message->suite)
		return EDHOC_SUITE;
	return message->g_x.len == ECC_LEN ? message->fault : EDHOC_KEY;
}

bool edhoc_message_bytes(struct edhoc_bytes *content, const uint8_t *bytes, size_t len)
{
	struct edhoc_reader reader = edhoc_reader(bytes, len);

	return len <= EDHOC_MESSAGE_MAX &&
		edhoc_read_bytes(&reader, &content->data, &content->len) &&
		!edhoc_reader_left(&reader);
}

size_t edhoc_proof_len(unsigned method, unsigned suite, enum edhoc_role from)
{
	return edhoc_static_dh(method, from) ? edhoc_suites[suite].mac_len : ECC_SIGNATURE_LEN;
}

enum edhoc_result edhoc_plaintext_parse(struct edhoc_plaintext *plaintext, struct edhoc_bytes bytes,
	enum edhoc_role from, unsigned method, unsigned suite)
{
	struct edhoc_reader reader = edhoc_reader(bytes.data, bytes.len);
	enum edhoc_result c_r = EDHOC_OK, id_cred, ead;

	memset(plaintext, 0, sizeof(*plaintext));
	if (from == EDHOC_RESPONDER)
		c_r = connection_read(&reader, &plaintext->c_r);
	if (c_r == EDHOC_MALFORMED)
		return c_r;
	id_cred = edhoc_id_cred_read(&reader, &plaintext->id_cred);
	if (id_cred == EDHOC_MALFORMED ||
		!edhoc_read_bytes(&reader, &plaintext->proof.data, &plaintext->proof.len) ||
		plaintext->proof.len != edhoc_proof_len(method, suite, from))
		return EDHOC_MALFORMED;
	plaintext->ead = (struct edhoc_bytes){reader.at, edhoc_reader_left(&reader)};
	ead = edhoc_ead_check(plaintext->ead);
	if (ead == EDHOC_MALFORMED || (c_r == EDHOC_OK && id_cred == EDHOC_OK))
		return ead;
	return c_r != EDHOC_OK ? c_r : id_cred;
}

void edhoc_plaintext_write(
	struct edhoc_writer *writer, const struct edhoc_plaintext *plaintext, enum edhoc_role from)
{
	if (from == EDHOC_RESPONDER)
		edhoc_write_identifier(writer, plaintext->c_r.bytes, plaintext->c_r.len);
	edhoc_id_cred_write(writer, &plaintext->id_cred);
	edhoc_write_bytes(writer, plaintext->proof.data, plaintext->proof.len);
	edhoc_write_raw(writer, plaintext->ead.data, plaintext->ead.len);
}

enum edhoc_prefix edhoc_payload_split(const uint8_t *payload, size_t len,
	struct edhoc_connection *c_r, struct edhoc_bytes *message)
{
	struct edhoc_reader reader = edhoc_reader(payload, len);
	enum edhoc_prefix prefix = EDHOC_PREFIX_MESSAGE_1;

	if (len && *payload == (EDHOC_CBOR_SIMPLE << 5 | EDHOC_CBOR_TRUE)) {
		reader.at++;
	} else {
		prefix = EDHOC_PREFIX_C_R;
		if (connection_read(&reader, c_r) != EDHOC_OK)
			return EDHOC_PREFIX_NONE;
	}
	*message = (struct edhoc_bytes){reader.at, edhoc_reader_left(&reader)};
	return message->len ? prefix : EDHOC_PREFIX_NONE;
}

bool edhoc_combined_split(const uint8_t *payload, size_t len, struct edhoc_bytes *message_3,
	struct edhoc_bytes *ciphertext)
{
	struct edhoc_reader reader = edhoc_reader(payload, len);
	struct edhoc_bytes content;

	if (!edhoc_read_bytes(&reader, &content.data, &content.len) || !content.len)
		return false;
	*message_3 = (struct edhoc_bytes){payload, (size_t)(reader.at - payload)};
	*ciphertext = (struct edhoc_bytes){reader.at, edhoc_reader_left(&reader)};
	return ciphertext->len;
}
