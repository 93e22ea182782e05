// SPDX-License-Identifier: BSD-3-Clause
// Leshan's JSON. Wherever an object has the members of an OSCORE object (LwM2M object 21), which
// are seen from the device, or an object "oscore" has those of a server's security information,
// which are seen from the server, there is a device. All other objects are passed over.

#include "gw/device/convert_parts.h"
#include "gw/device/json_text.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16

enum what { SENDER, RECIPIENT, SECRET, SALT, ID_CONTEXT, AEAD, HKDF };

static const struct {
	const char *name;
	enum what what;
	bool server; // of the security information
} members[] = {
	{"oscoreSenderId", SENDER, false},
	{"oscoreRecipientId", RECIPIENT, false},
	{"oscoreMasterSecret", SECRET, false},
	{"oscoreMasterSalt", SALT, false},
	{"oscoreIdContext", ID_CONTEXT, false},
	{"oscoreAeadAlgorithm", AEAD, false},
	{"oscoreHmacAlgorithm", HKDF, false},
	{"sid", SENDER, true},
	{"rid", RECIPIENT, true},
	{"msec", SECRET, true},
	{"msalt", SALT, true},
	{"aead", AEAD, true},
	{"hkdf", HKDF, true},
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

// An object that is being read.
struct frame {
	const struct frame *up;
	const char *key;      // its name in the object around it, "" in none
	const char *endpoint; // of the security information
	unsigned seen;        // 1 << enum what
	bool server;          // the members are of the security information
	bool unknown;         // it has another member beside these
	bool found;           // `spec` is a device, which has its name at the end of this object
	struct device_spec spec;
};

struct reader {
	const struct convert *convert;
	struct json_text text;
	struct error why, *error;
	unsigned depth, devices;
};

static int fail(const struct reader *reader, const char *name, const char *why)
{
	return error_set(reader->error, -EINVAL, "line %llu: %s%s%s",
		(unsigned long long)reader->text.line + 1, name, *name ? ": " : "", why);
}

static int value_pass(struct reader *reader, struct frame *frame, const char *key);

// Bytes are hex, or a list of numbers, which may be signed.
static int bytes_read(struct reader *reader, const char *name, uint8_t bytes[256], size_t *len)
{
	struct json_text *text = &reader->text;
	enum record_kind kind;
	const char *end;
	char *value;
	size_t digits;

	*len = 0;
	if (!json_text_accept(text, '[')) {
		if (!json_text_value(text, &kind, &value, &digits) || kind != RECORD_STRING ||
			digits > 2 * 255 ||
			sodium_hex2bin(bytes, 255, value, digits, NULL, len, &end) != 0 ||
			end != value + digits)
			return fail(reader, name, "neither hex nor a list of bytes");
		return 0;
	}
	if (json_text_accept(text, ']'))
		return 0;
	do {
		char *after;
		if (!json_text_value(text, &kind, &value, &digits) || kind != RECORD_NUMBER)
			return fail(reader, name, "neither hex nor a list of bytes");
		long byte = strtol(value, &after, 10);
		if (after != value + digits || byte < -128 || byte > 255 || *len == 255)
			return fail(reader, name, "neither hex nor a list of bytes");
		bytes[(*len)++] = byte;
	} while (json_text_accept(text, ','));
	return json_text_accept(text, ']') ? 0 : fail(reader, name, "the list has no end");
}

// A number or name of COSE.
static int algorithm_read(struct reader *reader, struct frame *frame, unsigned member)
{
	enum record_kind kind;
	char copy[64] = "", *value;
	size_t len;

	if (!json_text_value(&reader->text, &kind, &value, &len) || len >= sizeof(copy))
		return fail(reader, members[member].name, "not an algorithm");
	if (kind == RECORD_ABSENT)
		return 0;
	memcpy(copy, value, len);
	if (members[member].what == HKDF)
		return strcmp(copy, "-10") == 0 || strcmp(copy, "HKDF-SHA-256") == 0 ||
				strcmp(copy, "HKDF_HMAC_SHA_256") == 0 || len == 0
			? 0
			: fail(reader, members[member].name,
				  "keys are derived with HKDF and SHA-256 only");
	return len == 0 ||
			device_put(convert_attribute("algorithm"), &frame->spec, copy,
				&reader->why) == 0
		? 0
		: fail(reader, members[member].name, reader->why.text);
}

static int member_put(struct reader *reader, struct frame *frame, unsigned member)
{
	const bool server = members[member].server;
	const char *const names[] = {
		[SENDER] = convert_id(server, true),
		[RECIPIENT] = convert_id(server, false),
		[SECRET] = "master_secret",
		[SALT] = "master_salt",
		[ID_CONTEXT] = "id_context",
	};
	enum what what = members[member].what;
	uint8_t bytes[256];
	size_t len;

	if (frame->seen & 1u << what)
		return fail(reader, members[member].name, "is there twice");
	frame->seen |= 1u << what;
	frame->server = server;
	if (what == AEAD || what == HKDF)
		return algorithm_read(reader, frame, member);
	int code = bytes_read(reader, members[member].name, bytes, &len);
	// Leshan writes an empty list where there is no ID Context.
	if (code == 0 && !(what == ID_CONTEXT && len == 0) &&
		device_put_bytes(convert_attribute(names[what]), &frame->spec, bytes, len,
			&reader->why) != 0)
		code = fail(reader, members[member].name, reader->why.text);
	sodium_memzero(bytes, sizeof(bytes));
	return code;
}

// The endpoint becomes the name, or the note if it is not allowed as one.
static void name_put(struct device_spec *spec, const char *endpoint, const char *instance)
{
	char name[DEVICE_NOTE_MAX + 16];
	struct error why;

	if (*endpoint == 0)
		return;
	int len = snprintf(name, sizeof(name), "%s%s%s", endpoint, *instance ? "." : "", instance);
	if (len >= (int)sizeof(name))
		return;
	if (device_put_text(convert_attribute("name"), spec, name, len, &why) != 0 &&
		device_put_text(convert_attribute("note"), spec, name, len, &why) != 0)
		memset(spec->name, 0, sizeof(spec->name));
}

// The object has ended.
static int frame_end(struct reader *reader, struct frame *frame, struct frame *up)
{
	const unsigned needed = 1u << SENDER | 1u << RECIPIENT | 1u << SECRET;

	if (frame->found) {
		name_put(&frame->spec, frame->endpoint ? frame->endpoint : "", "");
		reader->devices++;
		return convert_finish(reader->convert, &frame->spec, reader->error);
	}
	if (frame->seen == 0)
		return 0;
	if ((frame->seen & needed) != needed)
		return fail(
			reader, "", "a secret or an id is missing in the object that ends here");
	if (!frame->server) {
		// endpoint: {.. "oscore": {"0": {..}}}
		bool inside = up != NULL && strcmp(up->key, "oscore") == 0 && up->up != NULL;
		name_put(&frame->spec, inside ? up->up->key : "",
			strcmp(frame->key, "0") == 0 ? "" : frame->key);
		reader->devices++;
		return convert_finish(reader->convert, &frame->spec, reader->error);
	}
	if (frame->unknown)
		return fail(reader, "", "the security information has a member that is not known");
	if (up == NULL || up->found)
		return fail(reader, "", "security information without an endpoint");
	up->spec = frame->spec;
	up->found = true;
	return 0;
}

static int member_take(struct reader *reader, struct frame *frame)
{
	struct json_text *text = &reader->text;
	enum record_kind kind;
	char *key, *value;
	size_t len;

	if (!json_text_accept(text, '"') || !json_text_string(text, &key, &len) ||
		!json_text_accept(text, ':'))
		return fail(reader, "", "a name and a colon must be here");
	bool security = strcmp(frame->key, "oscore") == 0;
	for (unsigned i = 0; i < MEMBERS; i++)
		if (strcmp(key, members[i].name) == 0 && (security || !members[i].server))
			return member_put(reader, frame, i);
	if (strncmp(key, "oscore", 6) == 0 && key[6] != 0 && strcmp(key, "oscoreSecurityMode") != 0)
		return fail(reader, "", "a member of an OSCORE object is not known");
	frame->unknown |= security;
	if (strcmp(key, "endpoint") != 0)
		return value_pass(reader, frame, key);
	if (!json_text_value(text, &kind, &value, &len))
		return fail(reader, "", reader->why.text);
	if (kind == RECORD_STRING && strlen(value) == len)
		frame->endpoint = value;
	return 0;
}

static int object_read(struct reader *reader, struct frame *up, const char *key)
{
	struct frame frame = {.up = up, .key = key, .spec.params.alg = AEAD_AES_CCM_16_64_128};
	int code = 0;

	if (!json_text_accept(&reader->text, '}')) {
		do
			code = member_take(reader, &frame);
		while (code == 0 && json_text_accept(&reader->text, ','));
		if (code == 0 && !json_text_accept(&reader->text, '}'))
			code = fail(reader, "", "a comma or the end of an object is missing");
	}
	if (code == 0)
		code = frame_end(reader, &frame, up);
	sodium_memzero(&frame, sizeof(frame));
	return code;
}

// A value that is no device, but may have some inside.
static int value_pass(struct reader *reader, struct frame *frame, const char *key)
{
	struct json_text *text = &reader->text;
	enum record_kind kind;
	char *value;
	size_t len;
	int code = 0;

	if (reader->depth == DEPTH_MAX)
		return fail(reader, "", "objects are nested too deep");
	reader->depth++;
	if (json_text_accept(text, '{')) {
		code = object_read(reader, frame, key);
	} else if (json_text_accept(text, '[')) {
		if (!json_text_accept(text, ']')) {
			do
				code = value_pass(reader, frame, "");
			while (code == 0 && json_text_accept(text, ','));
			if (code == 0 && !json_text_accept(text, ']'))
				code = fail(reader, "", "a comma or the end of a list is missing");
		}
	} else if (!json_text_value(text, &kind, &value, &len)) {
		code = fail(reader, "", reader->why.text);
	}
	reader->depth--;
	return code;
}

int convert_leshan(const struct convert *convert, char *text, size_t len, struct error *error)
{
	struct reader reader = {.convert = convert, .error = error};

	reader.text = (struct json_text){text, text + len, &reader.why, 0};
	int code = value_pass(&reader, NULL, "");
	json_text_skip(&reader.text);
	if (code == 0 && reader.text.at != reader.text.end)
		code = fail(&reader, "", "something is behind the end");
	if (code == 0 && reader.devices == 0)
		code = error_set(error, -EINVAL, "there is no OSCORE object in it");
	return code;
}
