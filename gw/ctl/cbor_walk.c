// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/cbor_walk.h"

#include "base/utf8.h"

#include <cbor.h>
#include <string.h>

// What the callbacks of one call of cbor_stream_decode() leave behind.
struct head {
	bool known; // false: a kind of item that is not used here
	struct ctl_cbor item;
};

static void on_value(struct head *head, enum ctl_cbor_type type, uint64_t value)
{
	head->known = true;
	head->item.type = type;
	head->item.value = value;
}

static void on_uint8(void *head, uint8_t value)
{
	on_value(head, CTL_CBOR_UINT, value);
}

static void on_uint16(void *head, uint16_t value)
{
	on_value(head, CTL_CBOR_UINT, value);
}

static void on_uint32(void *head, uint32_t value)
{
	on_value(head, CTL_CBOR_UINT, value);
}

static void on_uint64(void *head, uint64_t value)
{
	on_value(head, CTL_CBOR_UINT, value);
}

static void on_negint8(void *head, uint8_t value)
{
	on_value(head, CTL_CBOR_NEGINT, value);
}

static void on_negint16(void *head, uint16_t value)
{
	on_value(head, CTL_CBOR_NEGINT, value);
}

static void on_negint32(void *head, uint32_t value)
{
	on_value(head, CTL_CBOR_NEGINT, value);
}

static void on_negint64(void *head, uint64_t value)
{
	on_value(head, CTL_CBOR_NEGINT, value);
}

static void on_bytes(void *head, cbor_data data, size_t len)
{
	on_value(head, CTL_CBOR_BYTES, len);
	((struct head *)head)->item.data = data;
}

static void on_text(void *head, cbor_data data, size_t len)
{
	on_value(head, CTL_CBOR_TEXT, len);
	((struct head *)head)->item.data = data;
}

static void on_array(void *head, size_t items)
{
	on_value(head, CTL_CBOR_ARRAY, items);
}

static void on_map(void *head, size_t pairs)
{
	on_value(head, CTL_CBOR_MAP, pairs);
}

static void on_bool(void *head, bool value)
{
	on_value(head, CTL_CBOR_BOOL, value);
}

static void on_null(void *head)
{
	on_value(head, CTL_CBOR_NULL, 0);
}

// Reads the head of one item, and the content of a string. *at moves behind what was read.
static enum ctl_cbor_verdict item_read(
	const uint8_t **at, const uint8_t *end, struct ctl_cbor *item)
{
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
		.boolean = on_bool,
		.null = on_null,
		// Not used here: they leave head.known false.
		.byte_string_start = cbor_null_byte_string_start_callback,
		.string_start = cbor_null_string_start_callback,
		.indef_array_start = cbor_null_indef_array_start_callback,
		.indef_map_start = cbor_null_indef_map_start_callback,
		.tag = cbor_null_tag_callback,
		.float2 = cbor_null_float2_callback,
		.float4 = cbor_null_float4_callback,
		.float8 = cbor_null_float8_callback,
		.undefined = cbor_null_undefined_callback,
		.indef_break = cbor_null_indef_break_callback,
	};
	struct head head = {.known = false};
	struct cbor_decoder_result result;

	// Whatever libcbor says it needs, all bytes there will be are here: its `required` wraps
	// for lengths near 2^64 and is not looked at.
	result = cbor_stream_decode(*at, end - *at, &callbacks, &head);
	if (result.status == CBOR_DECODER_NEDATA)
		return CTL_CBOR_TRUNCATED;
	if (result.status != CBOR_DECODER_FINISHED)
		return CTL_CBOR_MALFORMED;
	if (!head.known)
		return CTL_CBOR_REFUSED;
	*at += result.read;
	*item = head.item;
	item->end = end;
	if (item->type == CTL_CBOR_ARRAY || item->type == CTL_CBOR_MAP)
		item->data = *at;
	return CTL_CBOR_OK;
}

static bool utf8_valid(const uint8_t *p, size_t len)
{
	while (len) {
		size_t n = utf8_len(p, len);

		if (n == 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

void ctl_utf8_repair(uint8_t *p, size_t len)
{
	while (len) {
		size_t n = utf8_len(p, len);

		if (n == 0) {
			*p = '?';
			n = 1;
		}
		p += n;
		len -= n;
	}
}

// An array or map whose items are being read.
struct level {
	bool map;
	uint64_t left; // items, keys counted too
	unsigned keys;
	struct ctl_cbor key[CTL_CBOR_KEYS_MAX];
};

static enum ctl_cbor_verdict level_add_key(struct level *level, const struct ctl_cbor *key)
{
	if (key->type != CTL_CBOR_TEXT)
		return CTL_CBOR_BAD_KEY;
	for (unsigned i = 0; i < level->keys; i++) {
		if (level->key[i].value == key->value &&
			memcmp(level->key[i].data, key->data, key->value) == 0)
			return CTL_CBOR_BAD_KEY;
	}
	level->key[level->keys++] = *key;
	return CTL_CBOR_OK;
}

static enum ctl_cbor_verdict level_open(struct level *level, const struct ctl_cbor *item)
{
	size_t bytes_left = item->end - item->data;

	level->map = item->type == CTL_CBOR_MAP;
	level->keys = 0;
	// Each item takes a byte or more.
	if (item->value > (level->map ? bytes_left / 2 : bytes_left))
		return CTL_CBOR_TRUNCATED;
	if (level->map && item->value > CTL_CBOR_KEYS_MAX)
		return CTL_CBOR_TOO_MANY;
	level->left = level->map ? 2 * item->value : item->value;
	return CTL_CBOR_OK;
}

enum ctl_cbor_verdict ctl_cbor_walk(const uint8_t *data, size_t len)
{
	struct level levels[CTL_CBOR_DEPTH_MAX];
	const uint8_t *at = data, *end = data + len;
	unsigned depth = 0, items = 0;
	enum ctl_cbor_verdict verdict;
	struct ctl_cbor item;

	do {
		struct level *level = depth ? &levels[depth - 1] : NULL;

		if (++items > CTL_CBOR_ITEMS_MAX)
			return CTL_CBOR_TOO_MANY;
		verdict = item_read(&at, end, &item);
		if (verdict != CTL_CBOR_OK)
			return verdict;
		if (item.type == CTL_CBOR_TEXT && !utf8_valid(item.data, item.value))
			return CTL_CBOR_BAD_TEXT;
		if (level) {
			bool is_key = level->map && level->left % 2 == 0;

			level->left--;
			verdict = is_key ? level_add_key(level, &item) : CTL_CBOR_OK;
			if (verdict != CTL_CBOR_OK)
				return verdict;
		}
		if (item.type == CTL_CBOR_ARRAY || item.type == CTL_CBOR_MAP) {
			if (depth == CTL_CBOR_DEPTH_MAX)
				return CTL_CBOR_TOO_DEEP;
			verdict = level_open(&levels[depth++], &item);
			if (verdict != CTL_CBOR_OK)
				return verdict;
		}
		while (depth && levels[depth - 1].left == 0)
			depth--;
	} while (depth);
	return at == end ? CTL_CBOR_OK : CTL_CBOR_TRAILING;
}

const char *ctl_cbor_verdict_text(enum ctl_cbor_verdict verdict)
{
	static const char *const texts[CTL_CBOR_VERDICT_COUNT] = {
		[CTL_CBOR_OK] = "well formed",
		[CTL_CBOR_TRUNCATED] = "the message ends inside an item",
		[CTL_CBOR_TRAILING] = "bytes follow the item",
		[CTL_CBOR_MALFORMED] = "not CBOR",
		[CTL_CBOR_REFUSED] = "a kind of CBOR item that is not used here",
		[CTL_CBOR_TOO_DEEP] = "too many arrays and maps inside each other",
		[CTL_CBOR_TOO_MANY] = "too many items",
		[CTL_CBOR_BAD_KEY] = "a key of a map is no text, or stands in it twice",
		[CTL_CBOR_BAD_TEXT] = "a text is not UTF-8",
	};

	return texts[verdict];
}

struct ctl_cbor ctl_cbor_root(const uint8_t *data, size_t len)
{
	struct ctl_cbor item = {.type = CTL_CBOR_NULL};

	// Cannot fail: the message was walked.
	if (item_read(&data, data + len, &item) != CTL_CBOR_OK)
		item.type = CTL_CBOR_NULL;
	return item;
}

// Items directly inside an item; of a map keys and values.
static uint64_t item_children(const struct ctl_cbor *item)
{
	switch (item->type) {
	case CTL_CBOR_ARRAY:
		return item->value;
	case CTL_CBOR_MAP:
		return 2 * item->value;
	default:
		return 0;
	}
}

struct ctl_cbor_iter ctl_cbor_iter(const struct ctl_cbor *item)
{
	return (struct ctl_cbor_iter){
		.at = item->data,
		.end = item->end,
		.left = item_children(item),
	};
}

bool ctl_cbor_next(struct ctl_cbor_iter *iter, struct ctl_cbor *item)
{
	struct ctl_cbor inner;
	uint64_t inside; // items of this one that are still to be passed over

	if (iter->left == 0 || item_read(&iter->at, iter->end, item) != CTL_CBOR_OK)
		return false;
	iter->left--;
	for (inside = item_children(item); inside; inside += item_children(&inner) - 1) {
		if (item_read(&iter->at, iter->end, &inner) != CTL_CBOR_OK)
			return false;
	}
	return true;
}

bool ctl_cbor_find(const struct ctl_cbor *map, const char *key, struct ctl_cbor *value)
{
	struct ctl_cbor_iter iter = ctl_cbor_iter(map);
	struct ctl_cbor item;

	while (ctl_cbor_next(&iter, &item)) {
		bool found = ctl_cbor_is_text(&item, key);

		if (!ctl_cbor_next(&iter, &item))
			return false;
		if (found) {
			*value = item;
			return true;
		}
	}
	return false;
}

bool ctl_cbor_is_text(const struct ctl_cbor *item, const char *text)
{
	return item->type == CTL_CBOR_TEXT && item->value == strlen(text) &&
		memcmp(item->data, text, item->value) == 0;
}
