// SPDX-License-Identifier: BSD-3-Clause
// CBOR to JSON, straight out: one pass over the heads, no tree.

#include "gw/translate/cbor_read.h"
#include "gw/translate/json_write.h"
#include "gw/translate/place.h"
#include "gw/translate/senml.h"
#include "gw/translate/translate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TAG_BIGNUM          2 // RFC 8949 section 3.4.3
#define TAG_NEGATIVE_BIGNUM 3
#define TAG_DECIMAL         4 // section 3.4.4

static const char truncated[] = "the payload ends inside an item";
static const char malformed[] = "not CBOR";
static const char big_integer[] = "an integer beyond 2^53";
static const char bad_tag[] = "a tag that has no JSON";

// A key as it was written, escaped. Two keys are the same if these bytes are.
struct key {
	uint32_t at; // in the output
	uint32_t len;
};

// An array or map that is open.
struct level {
	bool map;
	bool open_ended;    // ends with a break
	bool value_next;    // map: a key was written, its value was not
	uint64_t left;      // items, keys too, if not open_ended
	size_t begun;       // items or pairs
	unsigned first_key; // map: of its keys
	struct key key;     // map: of the pair that was begun; len UINT32_MAX: not written yet
};

struct to_json {
	enum tr_form form;
	const uint8_t *start, *at, *end;
	const uint8_t *item; // where the head that is being looked at begins
	char *text;          // start of the output
	struct tr_json out;
	struct tr_fault *fault;
	unsigned depth;
	struct level level[TR_DEPTH_MAX];
	unsigned key_count;
	struct key key[TR_KEYS_MAX]; // of all maps that are open
};

// ---- refusing

static enum tr_verdict refuse_byte(const struct to_json *t, const char *what, const uint8_t *at)
{
	tr_fault_at_byte(t->fault, what, (size_t)(at - t->start));
	return TR_REFUSED;
}

// Names the item that is being looked at.
static enum tr_verdict refuse(const struct to_json *t, const char *what)
{
	tr_fault_start(t->fault, what);
	for (unsigned i = 0; i < t->depth; i++) {
		const struct level *level = &t->level[i];

		if (level->map && level->key.len != UINT32_MAX)
			tr_fault_key(t->fault, t->text + level->key.at, level->key.len);
		else if (!level->map && level->begun)
			tr_fault_index(t->fault, level->begun - 1);
	}
	return t->fault->place[0] ? TR_REFUSED : refuse_byte(t, what, t->item);
}

// For what has no head, or none that may stand here.
static enum tr_verdict refuse_head(const struct to_json *t, const struct tr_head *head)
{
	switch (head->kind) {
	case TR_KIND_TRUNCATED:
		return refuse_byte(t, truncated, t->end);
	case TR_KIND_SIMPLE:
		return refuse(t, "a simple value");
	default:
		return refuse_byte(t, malformed, t->item);
	}
}

static void head_next(struct to_json *t, struct tr_head *head)
{
	t->item = t->at;
	tr_head_read(&t->at, t->end, head);
}

// ---- strings

// Goes through the parts of a string; one of definite length is its only part. `part` takes one,
// and returns false if it is not text.
static enum tr_verdict parts_take(struct to_json *t, const struct tr_head *head,
	bool (*part)(void *arg, const uint8_t *data, size_t len), void *arg)
{
	enum tr_kind kind = head->kind == TR_KIND_TEXT || head->kind == TR_KIND_TEXT_PARTS
		? TR_KIND_TEXT
		: TR_KIND_BYTES;
	struct tr_head next = *head;
	bool parts = head->kind != kind;

	do {
		if (parts) {
			head_next(t, &next);
			if (next.kind == TR_KIND_BREAK)
				break;
			if (next.kind != kind) // RFC 8949 section 3.2.3
				return next.kind == TR_KIND_TRUNCATED
					? refuse_head(t, &next)
					: refuse_byte(t, malformed, t->item);
		}
		if (!part(arg, next.data, next.value))
			return refuse(t, "text that is not UTF-8");
	} while (parts);
	return TR_OK;
}

static bool text_part(void *arg, const uint8_t *data, size_t len)
{
	return tr_json_text(arg, data, len);
}

static enum tr_verdict text_write(struct to_json *t, const struct tr_head *head)
{
	tr_json_char(&t->out, '"');
	enum tr_verdict verdict = parts_take(t, head, text_part, &t->out);
	tr_json_char(&t->out, '"');
	return verdict;
}

struct bytes {
	struct tr_json *out;
	struct tr_base64 base64;
};

static bool bytes_part(void *arg, const uint8_t *data, size_t len)
{
	struct bytes *bytes = arg;

	tr_base64_put(bytes->out, &bytes->base64, data, len);
	return true;
}

static enum tr_verdict bytes_write(struct to_json *t, const struct tr_head *head)
{
	struct bytes bytes = {.out = &t->out};

	tr_json_char(&t->out, '"');
	enum tr_verdict verdict = parts_take(t, head, bytes_part, &bytes);
	tr_base64_end(&t->out, &bytes.base64);
	tr_json_char(&t->out, '"');
	return verdict;
}

// ---- numbers

struct integer {
	bool negative;
	uint64_t magnitude; // UINT64_MAX: that or more
};

// -1 - value.
static struct integer negative_of(uint64_t value)
{
	return (struct integer){true, value < UINT64_MAX ? value + 1 : value};
}

static bool bignum_part(void *arg, const uint8_t *data, size_t len)
{
	uint64_t *value = arg;

	for (size_t i = 0; i < len; i++)
		*value = *value >> 56 ? UINT64_MAX : *value << 8 | data[i];
	return true;
}

// Reads the item of a tag 2 or 3.
static enum tr_verdict bignum_read(struct to_json *t, uint64_t tag, struct integer *integer)
{
	struct tr_head head;
	uint64_t value = 0;

	head_next(t, &head);
	if (head.kind != TR_KIND_BYTES && head.kind != TR_KIND_BYTES_PARTS)
		return head.kind >= TR_KIND_SIMPLE ? refuse_head(t, &head) : refuse(t, bad_tag);
	enum tr_verdict verdict = parts_take(t, &head, bignum_part, &value);
	*integer = tag == TAG_BIGNUM ? (struct integer){false, value} : negative_of(value);
	return verdict;
}

// Reads an integer of any kind whose head was read. Refuses those beyond TR_INT_MAX.
static enum tr_verdict integer_read(
	struct to_json *t, const struct tr_head *head, struct integer *integer)
{
	enum tr_verdict verdict = TR_OK;

	if (head->kind == TR_KIND_UINT)
		*integer = (struct integer){false, head->value};
	else if (head->kind == TR_KIND_NEGINT)
		*integer = negative_of(head->value);
	else if (head->kind == TR_KIND_TAG &&
		(head->value == TAG_BIGNUM || head->value == TAG_NEGATIVE_BIGNUM))
		verdict = bignum_read(t, head->value, integer);
	else
		return head->kind >= TR_KIND_SIMPLE ? refuse_head(t, head) : refuse(t, bad_tag);
	if (!verdict && integer->magnitude > TR_INT_MAX)
		return refuse(t, big_integer);
	return verdict;
}

static enum tr_verdict integer_write(struct to_json *t, const struct tr_head *head)
{
	struct integer integer = {.negative = false};
	enum tr_verdict verdict = integer_read(t, head, &integer);

	if (!verdict)
		tr_json_integer(&t->out, integer.negative, integer.magnitude);
	return verdict;
}

// The item of a tag 4: an array of exponent and mantissa.
static enum tr_verdict decimal_write(struct to_json *t)
{
	struct integer exponent = {.negative = false}, mantissa = {.negative = false};
	struct tr_head head;
	enum tr_verdict verdict;

	head_next(t, &head);
	bool open_ended = head.kind == TR_KIND_ARRAY_OPEN;
	if (!open_ended && (head.kind != TR_KIND_ARRAY || head.value != 2))
		return head.kind >= TR_KIND_SIMPLE ? refuse_head(t, &head) : refuse(t, bad_tag);
	head_next(t, &head);
	if (head.kind == TR_KIND_TAG)
		return refuse(t, bad_tag);
	verdict = integer_read(t, &head, &exponent);
	if (!verdict) {
		head_next(t, &head);
		verdict = integer_read(t, &head, &mantissa);
	}
	if (!verdict && open_ended) {
		head_next(t, &head);
		if (head.kind != TR_KIND_BREAK)
			return head.kind >= TR_KIND_SIMPLE ? refuse_head(t, &head)
							   : refuse(t, bad_tag);
	}
	if (verdict)
		return verdict;
	int64_t power = (int64_t)exponent.magnitude;
	if (!tr_json_decimal(&t->out, mantissa.negative, mantissa.magnitude,
		    exponent.negative ? -power : power))
		return refuse(t, "a decimal fraction beyond a double");
	return TR_OK;
}

static enum tr_verdict tag_write(struct to_json *t, const struct tr_head *head)
{
	switch (head->value) {
	case TAG_BIGNUM:
	case TAG_NEGATIVE_BIGNUM:
		return integer_write(t, head);
	case TAG_DECIMAL:
		return decimal_write(t);
	default:
		return refuse(t, bad_tag);
	}
}

static enum tr_verdict real_write(struct to_json *t, double value)
{
	if (isnan(value))
		return refuse(t, "NaN");
	if (isinf(value))
		return refuse(t, "an infinity");
	tr_json_double(&t->out, value);
	return TR_OK;
}

// ---- arrays and maps

static enum tr_verdict level_open(struct to_json *t, const struct tr_head *head)
{
	bool map = head->kind == TR_KIND_MAP || head->kind == TR_KIND_MAP_OPEN;
	size_t bytes_left = (size_t)(t->end - t->at);

	if (t->depth == TR_DEPTH_MAX)
		return refuse(t, "more than 16 arrays and maps inside each other");
	struct level *level = &t->level[t->depth++];
	*level = (struct level){
		.map = map,
		.open_ended = head->kind == TR_KIND_ARRAY_OPEN || head->kind == TR_KIND_MAP_OPEN,
		.first_key = t->key_count,
		.key.len = UINT32_MAX,
	};
	if (!level->open_ended) {
		// Each item takes a byte or more.
		if (head->value > (map ? bytes_left / 2 : bytes_left))
			return refuse_byte(t, truncated, t->end);
		level->left = map ? 2 * head->value : head->value;
	}
	tr_json_char(&t->out, map ? '{' : '[');
	return TR_OK;
}

static int keys_compare(const void *a, const void *b, void *arg)
{
	const struct key *x = a, *y = b;
	const char *text = arg;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(text + x->at, text + y->at, x->len);
}

// Refuses a map that has a key twice.
static enum tr_verdict keys_check(struct to_json *t, struct level *level)
{
	struct key *key = &t->key[level->first_key];
	unsigned count = t->key_count - level->first_key;

	if (count > 1)
		qsort_r(key, count, sizeof(*key), keys_compare, t->text);
	for (unsigned i = 1; i < count; i++) {
		if (keys_compare(&key[i - 1], &key[i], t->text))
			continue;
		level->key = key[i];
		return refuse(t, "a key that is there twice");
	}
	t->key_count = level->first_key;
	return TR_OK;
}

static enum tr_verdict level_close(struct to_json *t)
{
	struct level *level = &t->level[t->depth - 1];

	// The keys may not all be there.
	if (level->map && !t->out.full) {
		enum tr_verdict verdict = keys_check(t, level);

		if (verdict)
			return verdict;
	}
	tr_json_char(&t->out, level->map ? '}' : ']');
	t->depth--;
	return TR_OK;
}

// The name of an integer key, which only the records of SenML have.
static const char *label_name(const struct to_json *t, const struct tr_head *head)
{
	bool record = t->form == TR_SENML && t->depth == 2 && !t->level[0].map;

	if (!record || head->value > INT8_MAX)
		return NULL;
	int64_t value = (int64_t)head->value;
	if (head->kind == TR_KIND_UINT)
		return tr_senml_name(value);
	return head->kind == TR_KIND_NEGINT ? tr_senml_name(-1 - value) : NULL;
}

static enum tr_verdict key_write(struct to_json *t, struct level *level, const struct tr_head *head)
{
	const char *name = label_name(t, head);
	enum tr_verdict verdict = TR_OK;

	level->key.len = UINT32_MAX;
	if (level->begun++)
		tr_json_char(&t->out, ',');
	char *start = t->out.at + 1; // behind the quotation mark
	if (name) {
		tr_json_char(&t->out, '"');
		tr_json_put(&t->out, name, strlen(name));
		tr_json_char(&t->out, '"');
	} else if (head->kind == TR_KIND_TEXT || head->kind == TR_KIND_TEXT_PARTS) {
		verdict = text_write(t, head);
	} else {
		return head->kind >= TR_KIND_SIMPLE ? refuse_head(t, head)
						    : refuse(t, "a key that is no text");
	}
	if (verdict || t->out.full)
		return verdict;
	level->key = (struct key){(uint32_t)(start - t->text), (uint32_t)(t->out.at - 1 - start)};
	if (t->key_count == TR_KEYS_MAX)
		return refuse(t, "too many keys");
	t->key[t->key_count++] = level->key;
	tr_json_char(&t->out, ':');
	return TR_OK;
}

// ---- items

static enum tr_verdict value_write(struct to_json *t, const struct tr_head *head)
{
	switch (head->kind) {
	case TR_KIND_UINT:
	case TR_KIND_NEGINT:
		return integer_write(t, head);
	case TR_KIND_BYTES:
	case TR_KIND_BYTES_PARTS:
		return bytes_write(t, head);
	case TR_KIND_TEXT:
	case TR_KIND_TEXT_PARTS:
		return text_write(t, head);
	case TR_KIND_ARRAY:
	case TR_KIND_MAP:
	case TR_KIND_ARRAY_OPEN:
	case TR_KIND_MAP_OPEN:
		return level_open(t, head);
	case TR_KIND_TAG:
		return tag_write(t, head);
	case TR_KIND_FLOAT:
		return real_write(t, head->real);
	case TR_KIND_BOOL:
		tr_json_put(&t->out, head->value ? "true" : "false", head->value ? 4 : 5);
		return TR_OK;
	case TR_KIND_NULL:
		tr_json_put(&t->out, "null", 4);
		return TR_OK;
	case TR_KIND_UNDEFINED:
		return refuse(t, "undefined");
	default:
		return refuse_head(t, head);
	}
}

// Takes the next head inside a level: a break, a key, an element or the value of a key.
static enum tr_verdict step(struct to_json *t, struct level *level)
{
	struct tr_head head;

	head_next(t, &head);
	if (head.kind == TR_KIND_BREAK && level->open_ended && !level->value_next)
		return level_close(t);
	if (!level->open_ended)
		level->left--;
	if (level->map && !level->value_next) {
		level->value_next = true;
		return key_write(t, level, &head);
	}
	if (level->map)
		level->value_next = false;
	else if (level->begun++)
		tr_json_char(&t->out, ',');
	return value_write(t, &head);
}

enum tr_verdict tr_cbor_to_json(enum tr_form form, const uint8_t *cbor, size_t len, char *out,
	size_t room, size_t *out_len, struct tr_fault *fault)
{
	struct to_json t; // most of it is keys, which are not to be zeroed
	struct tr_head head;
	enum tr_verdict verdict;

	t.form = form;
	t.start = t.at = cbor;
	t.end = cbor + len;
	t.text = out;
	t.out = (struct tr_json){.at = out, .end = out + (room < UINT32_MAX ? room : UINT32_MAX)};
	t.fault = fault;
	t.depth = 0;
	t.key_count = 0;
	head_next(&t, &head);
	verdict = value_write(&t, &head);
	while (!verdict && !t.out.full && t.depth) {
		struct level *level = &t.level[t.depth - 1];

		if (!level->open_ended && !level->left)
			verdict = level_close(&t);
		else
			verdict = step(&t, level);
	}
	if (t.out.full)
		return TR_TOO_LONG;
	if (!verdict && t.at != t.end)
		return refuse_byte(&t, "bytes behind the item", t.at);
	*out_len = (size_t)(t.out.at - out);
	return verdict;
}
