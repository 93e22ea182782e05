// SPDX-License-Identifier: BSD-3-Clause
// JSON to CBOR: jansson reads, what it read is written out.

#include "gw/translate/cbor_write.h"
#include "gw/translate/place.h"
#include "gw/translate/senml.h"
#include "gw/translate/translate.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL)

struct to_cbor {
	enum tr_form form;
	struct tr_cbor out;
	struct tr_fault *fault;
};

// Where a value is.
struct place {
	const struct place *above; // NULL: of the outermost value
	const char *key;           // NULL: index counts
	size_t key_len;
	size_t index;
	unsigned depth; // arrays and maps around it
};

static void fault_place(struct tr_fault *fault, const struct place *place)
{
	if (!place->above)
		return;
	fault_place(fault, place->above);
	if (place->key)
		tr_fault_key(fault, place->key, place->key_len);
	else
		tr_fault_index(fault, place->index);
}

static enum tr_verdict refuse(struct to_cbor *t, const char *what, const struct place *place)
{
	if (!place->above) {
		tr_fault_at_byte(t->fault, what, 0);
		return TR_REFUSED;
	}
	tr_fault_start(t->fault, what);
	fault_place(t->fault, place);
	return TR_REFUSED;
}

// The value of a base64url digit, or -1.
static int digit_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

// Base64url without padding, in the one form that stands for its bytes: the bits left over are 0.
static bool base64_is(const char *text, size_t len)
{
	static const uint8_t left_over[] = {0, 0xff, 0x0f, 0x03}; // by the digits of the last group

	for (size_t i = 0; i < len; i++)
		if (digit_of(text[i]) < 0)
			return false;
	return !len || (len % 4 != 1 && !(digit_of(text[len - 1]) & left_over[len % 4]));
}

static void base64_write(struct to_cbor *t, const char *text, size_t len)
{
	uint32_t bits = 0;
	unsigned count = 0;

	tr_cbor_head(&t->out, TR_CBOR_BYTES, len / 4 * 3 + (len % 4 ? len % 4 - 1 : 0));
	for (size_t i = 0; i < len && !t->out.full; i++) {
		bits = bits << 6 | (uint32_t)digit_of(text[i]);
		count += 6;
		if (count < 8)
			continue;
		count -= 8;
		tr_cbor_byte(&t->out, (uint8_t)(bits >> count));
	}
}

// Whether what is at this place is a field of a SenML record.
static bool is_field(const struct to_cbor *t, const struct place *place)
{
	return t->form == TR_SENML && place->depth == 2 && place->key && !place->above->key;
}

static enum tr_verdict text_write(struct to_cbor *t, const json_t *value, const struct place *place)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (is_field(t, place) && !strcmp(place->key, TR_SENML_DATA)) {
		if (!base64_is(text, len))
			return refuse(t, "no base64url", place);
		base64_write(t, text, len);
		return TR_OK;
	}
	tr_cbor_head(&t->out, TR_CBOR_TEXT, len);
	tr_cbor_put(&t->out, text, len);
	return TR_OK;
}

static enum tr_verdict value_write(struct to_cbor *t, json_t *value, const struct place *place);

static enum tr_verdict array_write(struct to_cbor *t, json_t *array, const struct place *above)
{
	size_t count = json_array_size(array);
	struct place place = {.above = above, .depth = above->depth + 1};
	enum tr_verdict verdict = TR_OK;

	tr_cbor_head(&t->out, TR_CBOR_ARRAY, count);
	for (; !verdict && place.index < count; place.index++)
		verdict = value_write(t, json_array_get(array, place.index), &place);
	return verdict;
}

static enum tr_verdict map_write(struct to_cbor *t, json_t *map, const struct place *above)
{
	struct place place = {.above = above, .depth = above->depth + 1};
	enum tr_verdict verdict = TR_OK;
	int64_t label;

	tr_cbor_head(&t->out, TR_CBOR_MAP, json_object_size(map));
	for (void *iter = json_object_iter(map); !verdict && iter;
		iter = json_object_iter_next(map, iter)) {
		place.key = json_object_iter_key(iter);
		place.key_len = json_object_iter_key_len(iter);
		if (is_field(t, &place) && tr_senml_label(place.key, &label)) {
			tr_cbor_integer(&t->out, label);
		} else {
			tr_cbor_head(&t->out, TR_CBOR_TEXT, place.key_len);
			tr_cbor_put(&t->out, place.key, place.key_len);
		}
		verdict = value_write(t, json_object_iter_value(iter), &place);
	}
	return verdict;
}

static enum tr_verdict integer_write(struct to_cbor *t, json_int_t value, const struct place *place)
{
	if (value > (json_int_t)TR_INT_MAX || value < -(json_int_t)TR_INT_MAX)
		return refuse(t, "an integer beyond 2^53", place);
	tr_cbor_integer(&t->out, value);
	return TR_OK;
}

// Calls itself through arrays and maps, at most TR_DEPTH_MAX times: the text was scanned.
static enum tr_verdict value_write(struct to_cbor *t, json_t *value, const struct place *place)
{
	if (t->out.full)
		return TR_TOO_LONG;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return map_write(t, value, place);
	case JSON_ARRAY:
		return array_write(t, value, place);
	case JSON_STRING:
		return text_write(t, value, place);
	case JSON_INTEGER:
		return integer_write(t, json_integer_value(value), place);
	case JSON_REAL:
		tr_cbor_double(&t->out, json_real_value(value));
		return TR_OK;
	case JSON_TRUE:
		tr_cbor_byte(&t->out, TR_CBOR_TRUE);
		return TR_OK;
	case JSON_FALSE:
		tr_cbor_byte(&t->out, TR_CBOR_FALSE);
		return TR_OK;
	case JSON_NULL:
		tr_cbor_byte(&t->out, TR_CBOR_NULL);
		return TR_OK;
	}
	return refuse(t, "not JSON", place);
}

// jansson calls itself for each array and map inside another, so their number is looked at first.
static bool depth_fits(const char *json, size_t len, size_t *byte)
{
	bool string = false;
	unsigned depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = json[i];

		if (string && c == '\\')
			i++;
		else if (c == '"')
			string = !string;
		else if (string)
			continue;
		else if (c == ']' || c == '}')
			depth -= depth > 0;
		else if ((c == '[' || c == '{') && depth++ == TR_DEPTH_MAX) {
			*byte = i;
			return false;
		}
	}
	return true;
}

static enum tr_verdict error_of(const json_error_t *error, struct tr_fault *fault)
{
	const char *what = "not JSON";

	switch (json_error_code(error)) {
	case json_error_out_of_memory:
		return TR_NO_MEMORY;
	case json_error_numeric_overflow:
		what = "a number beyond a double";
		break;
	case json_error_duplicate_key:
		what = "a key that is there twice";
		break;
	case json_error_null_byte_in_key:
		what = "a key with a NUL";
		break;
	case json_error_premature_end_of_input:
		what = "the body ends inside a value";
		break;
	case json_error_end_of_input_expected:
		what = "bytes behind the value";
		break;
	default:
		break;
	}
	tr_fault_at_byte(fault, what, error->position > 0 ? (size_t)error->position : 0);
	return TR_REFUSED;
}

enum tr_verdict tr_json_to_cbor(enum tr_form form, const char *json, size_t len, uint8_t *out,
	size_t room, size_t *out_len, struct tr_fault *fault)
{
	struct to_cbor t = {.form = form, .out = {.at = out, .end = out + room}, .fault = fault};
	struct place outermost = {.above = NULL};
	json_error_t error;
	size_t byte;

	if (!depth_fits(json, len, &byte)) {
		tr_fault_at_byte(fault, "more than 16 arrays and maps inside each other", byte);
		return TR_REFUSED;
	}
	json_t *value = json_loadb(json, len, FLAGS, &error);
	if (!value)
		return error_of(&error, fault);
	enum tr_verdict verdict = value_write(&t, value, &outermost);
	json_decref(value);
	if (t.out.full)
		return TR_TOO_LONG;
	*out_len = (size_t)(t.out.at - out);
	return verdict;
}
