// SPDX-License-Identifier: BSD-3-Clause

#include "gw/edhoc/cbor.h"

#include "base/utf8.h"

#include <string.h>

// Whether a byte encodes an integer by itself (RFC 9528 section 3.3.2): -24 to 23.
static bool byte_is_int(uint8_t byte)
{
	return byte <= 0x17 || (byte >= 0x20 && byte <= 0x37);
}

// Reads a head with the shortest argument.
static bool head_read(struct edhoc_reader *reader, struct edhoc_cbor *item)
{
	const size_t left = edhoc_reader_left(reader);
	uint8_t info;

	if (!left)
		return false;
	item->type = *reader->at >> 5;
	info = *reader->at++ & 0x1f;
	item->value = info;
	if (info >= 24) {
		const unsigned len = 1U << (info - 24);

		if (info > 27 || left - 1 < len || item->type == EDHOC_CBOR_SIMPLE)
			return false;
		item->value = 0;
		for (unsigned i = 0; i < len; i++)
			item->value = item->value << 8 | *reader->at++;
		// A shorter argument would have held it.
		if (len == 1 ? item->value < 24 : !(item->value >> 4 * len))
			return false;
	}
	return item->type != 6 &&
		(item->type != EDHOC_CBOR_SIMPLE || (item->value >= 20 && item->value <= 22));
}

static bool is_utf8(const uint8_t *text, size_t len)
{
	for (unsigned more; len; text += more, len -= more)
		if (!(more = utf8_len(text, len)))
			return false;
	return true;
}

bool edhoc_read(struct edhoc_reader *reader, struct edhoc_cbor *item)
{
	if (!head_read(reader, item))
		return false;
	item->data = reader->at;
	if (item->type == EDHOC_CBOR_BYTES || item->type == EDHOC_CBOR_TEXT) {
		if (item->value > edhoc_reader_left(reader))
			return false;
		reader->at += item->value;
		return item->type == EDHOC_CBOR_BYTES || is_utf8(item->data, (size_t)item->value);
	}
	return true;
}

// Whether the encoding of a key comes behind that of the one before it.
static bool key_follows(
	const uint8_t *before, size_t before_len, const uint8_t *key, size_t key_len)
{
	const size_t both = before_len < key_len ? before_len : key_len;
	const int order = memcmp(before, key, both);

	return order < 0 || (!order && before_len < key_len);
}

static bool skip(struct edhoc_reader *reader, unsigned depth)
{
	const uint8_t *before = NULL, *key;
	size_t before_len = 0;
	struct edhoc_cbor item;

	if (!edhoc_read(reader, &item))
		return false;
	if (item.type != EDHOC_CBOR_ARRAY && item.type != EDHOC_CBOR_MAP)
		return true;
	if (!depth)
		return false;
	// Each item takes a byte, so the bytes bound the loop.
	for (uint64_t i = 0; i < item.value; i++) {
		key = reader->at;
		if (!skip(reader, depth - 1))
			return false;
		if (item.type == EDHOC_CBOR_ARRAY)
			continue;
		const size_t key_len = (size_t)(reader->at - key);

		if ((before && !key_follows(before, before_len, key, key_len)) ||
			!skip(reader, depth - 1))
			return false;
		before = key;
		before_len = key_len;
	}
	return true;
}

bool edhoc_read_whole(struct edhoc_reader *reader, const uint8_t **item)
{
	*item = reader->at;
	return skip(reader, EDHOC_CBOR_DEPTH_MAX);
}

bool edhoc_read_int(struct edhoc_reader *reader, int64_t *value)
{
	struct edhoc_cbor item;

	if (!edhoc_read(reader, &item) || item.type > EDHOC_CBOR_NEGINT || item.value > INT64_MAX)
		return false;
	*value = item.type == EDHOC_CBOR_UINT ? (int64_t)item.value : -1 - (int64_t)item.value;
	return true;
}

bool edhoc_read_bytes(struct edhoc_reader *reader, const uint8_t **data, size_t *len)
{
	struct edhoc_cbor item;

	if (!edhoc_read(reader, &item) || item.type != EDHOC_CBOR_BYTES)
		return false;
	*data = item.data;
	*len = (size_t)item.value;
	return true;
}

bool edhoc_read_identifier(struct edhoc_reader *reader, const uint8_t **data, size_t *len)
{
	if (edhoc_reader_left(reader) && byte_is_int(*reader->at)) {
		*data = reader->at++;
		*len = 1;
		return true;
	}
	return edhoc_read_bytes(reader, data, len) && !(*len == 1 && byte_is_int(**data));
}

void edhoc_write_raw(struct edhoc_writer *writer, const uint8_t *data, size_t len)
{
	if (writer->failed || len > (size_t)(writer->end - writer->at)) {
		writer->failed = true;
		return;
	}
	if (len)
		memcpy(writer->at, data, len);
	writer->at += len;
}

void edhoc_write_head(struct edhoc_writer *writer, enum edhoc_cbor_type type, uint64_t value)
{
	unsigned size = 0; // of the argument is 2^(size - 1) bytes
	uint8_t head[9];

	if (value >= 24)
		size = value <= UINT8_MAX     ? 1
			: value <= UINT16_MAX ? 2
			: value <= UINT32_MAX ? 3
					      : 4;
	const unsigned len = size ? 1U << (size - 1) : 0;

	head[0] = (uint8_t)(type << 5 | (size ? 23 + size : value));
	for (unsigned i = 0; i < len; i++)
		head[1 + i] = (uint8_t)(value >> 8 * (len - 1 - i));
	edhoc_write_raw(writer, head, 1 + len);
}

void edhoc_write_int(struct edhoc_writer *writer, int64_t value)
{
	if (value < 0)
		edhoc_write_head(writer, EDHOC_CBOR_NEGINT, (uint64_t)(-1 - value));
	else
		edhoc_write_head(writer, EDHOC_CBOR_UINT, (uint64_t)value);
}

void edhoc_write_bytes(struct edhoc_writer *writer, const uint8_t *data, size_t len)
{
	edhoc_write_head(writer, EDHOC_CBOR_BYTES, len);
	edhoc_write_raw(writer, data, len);
}

void edhoc_write_identifier(struct edhoc_writer *writer, const uint8_t *data, size_t len)
{
	if (len == 1 && byte_is_int(*data))
		edhoc_write_raw(writer, data, 1);
	else
		edhoc_write_bytes(writer, data, len);
}
