// SPDX-License-Identifier: BSD-3-Clause
// A list of devices in JSON: objects of strings, numbers, true, false and null, in an array or one
// after the other. A parser of our own, so that the input may be of any size, a depth is a number,
// and no copy of a secret is left on the heap.

#include "gw/device/json_text.h"
#include "gw/device/record.h"

#include <string.h>

static bool member(struct json_text *cursor, struct record *record, unsigned *seen)
{
	char *key, *text;
	size_t key_len, len;
	enum record_kind kind;

	if (!json_text_accept(cursor, '"'))
		return json_text_fail(cursor, "the name of a value is missing");
	if (!json_text_string(cursor, &key, &key_len))
		return false;
	const struct device_attribute *attribute = device_attribute(key, key_len);
	if (attribute == NULL) {
		error_set(cursor->error, 0, "no value is named \"%.64s\"", key);
		return false;
	}
	unsigned column = attribute - device_attributes;
	if (*seen & 1u << column) {
		error_set(cursor->error, 0, "%s: is there twice", key);
		return false;
	}
	*seen |= 1u << column;
	if (!json_text_accept(cursor, ':'))
		return json_text_fail(cursor, "a colon is missing");
	if (!json_text_value(cursor, &kind, &text, &len))
		return false;
	record->value[column].kind = kind;
	record->value[column].text = text;
	record->value[column].len = len;
	return true;
}

static bool object(struct json_text *cursor, struct record *record)
{
	unsigned seen = 0;

	if (!json_text_accept(cursor, '{'))
		return json_text_fail(cursor, "not an object");
	if (json_text_accept(cursor, '}'))
		return true;
	do {
		if (!member(cursor, record, &seen))
			return false;
	} while (json_text_accept(cursor, ','));
	if (!json_text_accept(cursor, '}'))
		return json_text_fail(cursor, "a comma or the end of the object is missing");
	if (cursor->at != cursor->end)
		return json_text_fail(cursor, "braces that do not match");
	for (unsigned i = 0; i < device_attribute_count; i++) {
		if (record->value[i].kind != RECORD_ABSENT)
			((char *)record->value[i].text)[record->value[i].len] = 0;
	}
	return true;
}

static enum parse_verdict object_end(struct json *json, struct record *record, struct error *error)
{
	memset(record, 0, sizeof(*record));
	record->line = json->first_line;
	json->state = json->in_array ? JSON_ARRAY_NEXT : JSON_STREAM;
	if (json->len > RECORD_LEN_MAX) {
		error_set(error, 0, "the object is too long");
		return PARSE_BAD_RECORD;
	}
	json->row[json->len] = 0;
	struct json_text cursor = {json->row, json->row + json->len, error, 0};
	return object(&cursor, record) ? PARSE_RECORD : PARSE_BAD_RECORD;
}

// Keeps one character of an object. True at the end of the object.
static bool take(struct json *json, char c)
{
	if (json->len < RECORD_LEN_MAX)
		json->row[json->len] = c;
	if (json->len <= RECORD_LEN_MAX)
		json->len++;
	if (json->in_string) {
		if (json->escaped)
			json->escaped = false;
		else if (c == '\\')
			json->escaped = true;
		else if (c == '"')
			json->in_string = false;
		return false;
	}
	if (c == '"')
		json->in_string = true;
	else if (c == '{' || c == '[')
		json->depth++;
	else if (c == '}' || c == ']')
		json->depth--;
	return json->depth == 0;
}

// Takes one character between objects. False if it is not allowed there.
static bool between(struct json *json, char c)
{
	if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
		return true;
	bool value_allowed = json->state != JSON_ARRAY_NEXT && json->state != JSON_DONE;
	if (c == '{' && value_allowed) {
		json->state = JSON_OBJECT;
		json->len = 0;
		json->depth = 0;
		json->in_string = false;
		json->escaped = false;
		json->first_line = json->line + 1;
		take(json, c);
		return true;
	}
	if (c == '[' && json->state == JSON_START) {
		json->in_array = true;
		json->state = JSON_ARRAY_FIRST;
		return true;
	}
	if (c == ',' && json->state == JSON_ARRAY_NEXT) {
		json->state = JSON_ARRAY_VALUE;
		return true;
	}
	if (c == ']' && (json->state == JSON_ARRAY_NEXT || json->state == JSON_ARRAY_FIRST)) {
		json->state = JSON_DONE;
		return true;
	}
	return false;
}

static enum parse_verdict input_end(struct json *json, struct error *error)
{
	switch (json->state) {
	case JSON_STREAM:
	case JSON_DONE:
		return PARSE_END;
	case JSON_OBJECT:
		error_set(error, 0, "the object that begins on line %llu has no end",
			(unsigned long long)json->first_line);
		return PARSE_BROKEN;
	case JSON_START:
		error_set(error, 0, "the file is empty");
		return PARSE_BROKEN;
	default:
		error_set(error, 0, "the list has no end");
		return PARSE_BROKEN;
	}
}

enum parse_verdict json_parse(
	struct json *json, struct parse_input *input, struct record *record, struct error *error)
{
	while (input->used < input->len) {
		char c = input->data[input->used++];
		if (json->state == JSON_OBJECT) {
			if (take(json, c))
				return object_end(json, record, error);
		} else if (!between(json, c)) {
			error_set(error, 0,
				json->state == JSON_START
					? "line %llu: not JSON: it must begin with [ or {"
					: "line %llu: not JSON: an object, a comma or the end of "
					  "the list must be here",
				(unsigned long long)json->line + 1);
			return PARSE_BROKEN;
		}
		json->line += c == '\n';
	}
	return input->last ? input_end(json, error) : PARSE_NEED_DATA;
}
