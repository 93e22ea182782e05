// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/cbor_write.h"

#include <cbor.h>
#include <string.h>

#define HEAD_MAX 9 // bytes

void ctl_writer_init(struct ctl_writer *writer)
{
	writer->len = 0;
	writer->failed = false;
	writer->depth = 0;
}

bool ctl_writer_done(const struct ctl_writer *writer)
{
	return !writer->failed && writer->depth == 0;
}

static void append(struct ctl_writer *writer, const void *data, size_t len)
{
	if (len > sizeof(writer->data) - writer->len) {
		writer->failed = true;
		return;
	}
	if (len)
		memcpy(writer->data + writer->len, data, len);
	writer->len += len;
}

static void count_item(struct ctl_writer *writer)
{
	if (writer->depth)
		writer->open[writer->depth - 1].items++;
}

static void open_container(struct ctl_writer *writer, bool map)
{
	count_item(writer);
	if (writer->depth == CTL_CBOR_DEPTH_MAX) {
		writer->failed = true;
		return;
	}
	writer->open[writer->depth].head = writer->len;
	writer->open[writer->depth].items = 0;
	writer->open[writer->depth].map = map;
	writer->depth++;
}

void ctl_write_array(struct ctl_writer *writer)
{
	open_container(writer, false);
}

void ctl_write_map(struct ctl_writer *writer)
{
	open_container(writer, true);
}

// The head is put in front of the content when the number of items is known.
void ctl_write_close(struct ctl_writer *writer)
{
	uint8_t head[HEAD_MAX];
	uint64_t items;
	size_t at, len;

	if (writer->depth == 0) {
		writer->failed = true;
		return;
	}
	writer->depth--;
	items = writer->open[writer->depth].items;
	at = writer->open[writer->depth].head;
	if (writer->open[writer->depth].map)
		len = cbor_encode_map_start(items / 2, head, sizeof(head));
	else
		len = cbor_encode_array_start(items, head, sizeof(head));
	if (writer->failed || len > sizeof(writer->data) - writer->len) {
		writer->failed = true;
		return;
	}
	memmove(writer->data + at + len, writer->data + at, writer->len - at);
	memcpy(writer->data + at, head, len);
	writer->len += len;
}

void ctl_write_uint(struct ctl_writer *writer, uint64_t value)
{
	uint8_t head[HEAD_MAX];

	count_item(writer);
	append(writer, head, cbor_encode_uint(value, head, sizeof(head)));
}

void ctl_write_bool(struct ctl_writer *writer, bool value)
{
	uint8_t head[HEAD_MAX];

	count_item(writer);
	append(writer, head, cbor_encode_bool(value, head, sizeof(head)));
}

void ctl_write_bytes(struct ctl_writer *writer, const void *data, size_t len)
{
	uint8_t head[HEAD_MAX];

	count_item(writer);
	append(writer, head, cbor_encode_bytestring_start(len, head, sizeof(head)));
	append(writer, data, len);
}

void ctl_write_text(struct ctl_writer *writer, const char *text)
{
	uint8_t head[HEAD_MAX];
	size_t len = strlen(text);

	count_item(writer);
	append(writer, head, cbor_encode_string_start(len, head, sizeof(head)));
	append(writer, text, len);
	if (!writer->failed)
		ctl_utf8_repair(writer->data + writer->len - len, len);
}

void ctl_write_raw(struct ctl_writer *writer, const uint8_t *item, size_t len)
{
	count_item(writer);
	append(writer, item, len);
}

void ctl_put_uint(struct ctl_writer *writer, const char *key, uint64_t value)
{
	ctl_write_text(writer, key);
	ctl_write_uint(writer, value);
}

void ctl_put_bool(struct ctl_writer *writer, const char *key, bool value)
{
	ctl_write_text(writer, key);
	ctl_write_bool(writer, value);
}

void ctl_put_bytes(struct ctl_writer *writer, const char *key, const void *data, size_t len)
{
	ctl_write_text(writer, key);
	ctl_write_bytes(writer, data, len);
}

void ctl_put_text(struct ctl_writer *writer, const char *key, const char *text)
{
	if (text == NULL)
		return;
	ctl_write_text(writer, key);
	ctl_write_text(writer, text);
}
