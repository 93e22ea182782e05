// SPDX-License-Identifier: BSD-3-Clause

#include "gw/translate/cbor_read.h"

#include <cbor.h>

static void on_value(void *arg, enum tr_kind kind, uint64_t value)
{
	struct tr_head *head = arg;

	head->kind = kind;
	head->value = value;
}

static void on_string(void *arg, enum tr_kind kind, const uint8_t *data, size_t len)
{
	on_value(arg, kind, len);
	((struct tr_head *)arg)->data = data;
}

static void on_real(void *arg, double value)
{
	on_value(arg, TR_KIND_FLOAT, 0);
	((struct tr_head *)arg)->real = value;
}

static void on_uint8(void *arg, uint8_t value)
{
	on_value(arg, TR_KIND_UINT, value);
}

static void on_uint16(void *arg, uint16_t value)
{
	on_value(arg, TR_KIND_UINT, value);
}

static void on_uint32(void *arg, uint32_t value)
{
	on_value(arg, TR_KIND_UINT, value);
}

static void on_uint64(void *arg, uint64_t value)
{
	on_value(arg, TR_KIND_UINT, value);
}

static void on_negint8(void *arg, uint8_t value)
{
	on_value(arg, TR_KIND_NEGINT, value);
}

static void on_negint16(void *arg, uint16_t value)
{
	on_value(arg, TR_KIND_NEGINT, value);
}

static void on_negint32(void *arg, uint32_t value)
{
	on_value(arg, TR_KIND_NEGINT, value);
}

static void on_negint64(void *arg, uint64_t value)
{
	on_value(arg, TR_KIND_NEGINT, value);
}

static void on_bytes(void *arg, cbor_data data, size_t len)
{
	on_string(arg, TR_KIND_BYTES, data, len);
}

static void on_text(void *arg, cbor_data data, size_t len)
{
	on_string(arg, TR_KIND_TEXT, data, len);
}

static void on_array(void *arg, size_t items)
{
	on_value(arg, TR_KIND_ARRAY, items);
}

static void on_map(void *arg, size_t pairs)
{
	on_value(arg, TR_KIND_MAP, pairs);
}

static void on_bytes_parts(void *arg)
{
	on_value(arg, TR_KIND_BYTES_PARTS, 0);
}

static void on_text_parts(void *arg)
{
	on_value(arg, TR_KIND_TEXT_PARTS, 0);
}

static void on_array_open(void *arg)
{
	on_value(arg, TR_KIND_ARRAY_OPEN, 0);
}

static void on_map_open(void *arg)
{
	on_value(arg, TR_KIND_MAP_OPEN, 0);
}

static void on_break(void *arg)
{
	on_value(arg, TR_KIND_BREAK, 0);
}

static void on_tag(void *arg, uint64_t number)
{
	on_value(arg, TR_KIND_TAG, number);
}

static void on_float(void *arg, float value)
{
	on_real(arg, (double)value);
}

static void on_double(void *arg, double value)
{
	on_real(arg, value);
}

static void on_bool(void *arg, bool value)
{
	on_value(arg, TR_KIND_BOOL, value);
}

static void on_null(void *arg)
{
	on_value(arg, TR_KIND_NULL, 0);
}

static void on_undefined(void *arg)
{
	on_value(arg, TR_KIND_UNDEFINED, 0);
}

static const struct cbor_callbacks callbacks = {
	.uint8 = on_uint8,
	.uint16 = on_uint16,
	.uint32 = on_uint32,
	.uint64 = on_uint64,
	.negint8 = on_negint8,
	.negint16 = on_negint16,
	.negint32 = on_negint32,
	.negint64 = on_negint64,
	.byte_string = on_bytes,
	.string = on_text,
	.array_start = on_array,
	.map_start = on_map,
	.byte_string_start = on_bytes_parts,
	.string_start = on_text_parts,
	.indef_array_start = on_array_open,
	.indef_map_start = on_map_open,
	.indef_break = on_break,
	.tag = on_tag,
	.float2 = on_float,
	.float4 = on_float,
	.float8 = on_double,
	.boolean = on_bool,
	.null = on_null,
	.undefined = on_undefined,
};

// libcbor calls simple values without a meaning malformed: 0xe0 to 0xf3, and 0xf8 with a byte of 32
// or more (RFC 8949 section 3.3).
static enum tr_kind kind_of_refused(const uint8_t *at, const uint8_t *end)
{
	if (*at >= 0xe0 && *at <= 0xf3)
		return TR_KIND_SIMPLE;
	if (*at == 0xf8 && end - at < 2)
		return TR_KIND_TRUNCATED;
	return *at == 0xf8 && at[1] >= 32 ? TR_KIND_SIMPLE : TR_KIND_MALFORMED;
}

void tr_head_read(const uint8_t **at, const uint8_t *end, struct tr_head *head)
{
	head->kind = TR_KIND_MALFORMED;
	if (*at == end) {
		head->kind = TR_KIND_TRUNCATED;
		return;
	}
	// What libcbor says it would need is not looked at: it wraps for lengths near 2^64.
	struct cbor_decoder_result result =
		cbor_stream_decode(*at, (size_t)(end - *at), &callbacks, head);
	if (result.status == CBOR_DECODER_FINISHED)
		*at += result.read;
	else
		head->kind = result.status == CBOR_DECODER_NEDATA ? TR_KIND_TRUNCATED
								  : kind_of_refused(*at, end);
}
