// SPDX-License-Identifier: BSD-3-Clause
// The context directory of aiocoap: flat objects of JSON, whose names say how a value is encoded.

#include "gw/device/convert_parts.h"
#include "gw/device/json_text.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

const char *const convert_aiocoap_files[CONVERT_AIOCOAP] = {
	[CONVERT_AIOCOAP_SETTINGS] = "settings.json",
	[CONVERT_AIOCOAP_SECRET] = "secret.json",
	[CONVERT_AIOCOAP_SEQUENCE] = "sequence.json",
};

enum name { SECRET, SALT, SENDER_ID, RECIPIENT_ID, ID_CONTEXT, ALGORITHM, HASH, WINDOW, NAMES };

// Those of bytes have _hex or _ascii behind them.
static const struct {
	const char *name;
	bool bytes;
} names[NAMES] = {
	[SECRET] = {"secret", true},
	[SALT] = {"salt", true},
	[SENDER_ID] = {"sender-id", true},
	[RECIPIENT_ID] = {"recipient-id", true},
	[ID_CONTEXT] = {"id-context", true},
	[ALGORITHM] = {"algorithm", false},
	[HASH] = {"kdf-hashfun", false},
	[WINDOW] = {"window", false},
};

struct reader {
	const struct convert *convert;
	struct device_spec spec;
	unsigned seen; // 1 << enum name
	const char *file;
	struct json_text text;
	struct error why;
};

static int fail(struct reader *reader, const char *name, const char *why, struct error *error)
{
	return error_set(error, -EINVAL, "%s, line %llu: %s%s%s", reader->file,
		(unsigned long long)reader->text.line + 1, name, *name ? ": " : "", why);
}

static const char *ours(const struct reader *reader, enum name name)
{
	switch (name) {
	case SECRET:
		return "master_secret";
	case SALT:
		return "master_salt";
	case SENDER_ID:
		return convert_id(reader->convert->server, true);
	case RECIPIENT_ID:
		return convert_id(reader->convert->server, false);
	case ID_CONTEXT:
		return "id_context";
	default:
		return "algorithm";
	}
}

// NAMES if none is called so.
static enum name name_find(const char *key, bool *hex)
{
	for (enum name i = 0; i < NAMES; i++) {
		size_t len = strlen(names[i].name);

		if (strncmp(key, names[i].name, len) != 0)
			continue;
		*hex = strcmp(key + len, "_hex") == 0;
		if (names[i].bytes ? *hex || strcmp(key + len, "_ascii") == 0 : key[len] == 0)
			return i;
	}
	return NAMES;
}

static int value_put(
	struct reader *reader, enum name name, bool hex, const char *value, struct error *why)
{
	const struct device_attribute *attribute;

	if (name == WINDOW)
		return 0;
	if (name == HASH)
		return strcmp(value, "sha256") == 0
			? 0
			: error_set(why, -EINVAL, "keys are derived with SHA-256 only");
	attribute = convert_attribute(ours(reader, name));
	if (names[name].bytes && !hex)
		return device_put_bytes(
			attribute, &reader->spec, (const uint8_t *)value, strlen(value), why);
	return device_put(attribute, &reader->spec, value, why);
}

static int member(struct reader *reader, struct error *error)
{
	struct json_text *text = &reader->text;
	enum record_kind kind;
	char *key, *value;
	size_t len;
	bool hex;

	if (!json_text_accept(text, '"') || !json_text_string(text, &key, &len) ||
		!json_text_accept(text, ':'))
		return fail(reader, "", "not an object of names and values", error);
	enum name name = name_find(key, &hex);
	if (name == NAMES || strlen(key) != len)
		return fail(reader, "", "a name is not known", error);
	if (!json_text_value(text, &kind, &value, &len))
		return fail(reader, names[name].name, reader->why.text, error);
	if (reader->seen & 1u << name)
		return fail(reader, names[name].name, "is there twice", error);
	reader->seen |= 1u << name;
	if (kind != (name == WINDOW ? RECORD_NUMBER : RECORD_STRING))
		return fail(reader, names[name].name, "not the right kind of value", error);
	if (kind == RECORD_STRING && strlen(value) != len)
		return fail(reader, names[name].name, "has a NUL", error);
	return value_put(reader, name, hex, value, &reader->why) == 0
		? 0
		: fail(reader, names[name].name, reader->why.text, error);
}

static int settings_read(struct reader *reader, struct error *error)
{
	struct json_text *text = &reader->text;
	int code = 0;

	if (!json_text_accept(text, '{'))
		return fail(reader, "", "not an object", error);
	if (json_text_accept(text, '}'))
		return 0;
	do
		code = member(reader, error);
	while (code == 0 && json_text_accept(text, ','));
	if (code == 0 && !json_text_accept(text, '}'))
		code = fail(reader, "", "a comma or the end of the object is missing", error);
	json_text_skip(text);
	if (code == 0 && text->at != text->end)
		code = fail(reader, "", "something is behind the object", error);
	return code;
}

// The number that comes behind "next-to-send".
static int sequence_read(struct reader *reader, struct error *error)
{
	struct json_text *text = &reader->text;
	char *at = strstr(text->at, "\"next-to-send\""), *number;
	enum record_kind kind;
	size_t len;

	if (at != NULL)
		text->at = at + strlen("\"next-to-send\"");
	if (at == NULL || !json_text_accept(text, ':') ||
		!json_text_value(text, &kind, &number, &len) || kind != RECORD_NUMBER)
		return fail(reader, "next-to-send", "missing, or not a number", error);
	number[len] = 0;
	return device_put(convert_attribute("gateway_seq"), &reader->spec, number, &reader->why) ==
			0
		? 0
		: fail(reader, "next-to-send", reader->why.text, error);
}

static int all_read(struct reader *reader, char *const text[CONVERT_AIOCOAP],
	const size_t len[CONVERT_AIOCOAP], struct error *error)
{
	static const enum name required[] = {SECRET, SENDER_ID, RECIPIENT_ID};
	bool sequence = reader->convert->server && !reader->convert->never_used;
	int code = 0;

	for (unsigned i = 0; code == 0 && i < CONVERT_AIOCOAP; i++) {
		if (text[i] == NULL || (i == CONVERT_AIOCOAP_SEQUENCE && !sequence))
			continue;
		reader->file = convert_aiocoap_files[i];
		reader->text = (struct json_text){text[i], text[i] + len[i], &reader->why, 0};
		code = i == CONVERT_AIOCOAP_SEQUENCE ? sequence_read(reader, error)
						     : settings_read(reader, error);
	}
	for (unsigned i = 0; code == 0 && i < sizeof(required) / sizeof(required[0]); i++)
		if (!(reader->seen & 1u << required[i]))
			code = error_set(
				error, -EINVAL, "%s_hex: missing", names[required[i]].name);
	return code;
}

int convert_aiocoap(const struct convert *convert, char *const text[CONVERT_AIOCOAP],
	const size_t len[CONVERT_AIOCOAP], struct error *error)
{
	struct reader reader = {.convert = convert, .spec.params.alg = AEAD_AES_CCM_16_64_128};

	int code = all_read(&reader, text, len, error);
	if (code == 0)
		code = convert_finish(convert, &reader.spec, error);
	sodium_memzero(&reader, sizeof(reader));
	return code;
}
