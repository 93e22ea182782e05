// SPDX-License-Identifier: BSD-3-Clause

#include "gw/device/json_write.h"

#include "gw/device/attribute.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

// Two bytes a character are the most that an escape of a name or note takes.
_Static_assert(2 * (2 * OSC_SECRET_LEN_MAX + OSC_ID_CONTEXT_LEN_MAX + 2 * OSC_KID_LEN_MAX) +
			2 * DEVICE_CREDENTIAL_MAX + 2 * (DEVICE_NAME_MAX + DEVICE_NOTE_MAX) +
			40 * DEVICE_ATTRIBUTES_MAX <
		DEVICE_JSON_MAX,
	"there is room for all attributes");

struct writer {
	char *out;
	size_t len;
};

static void put(struct writer *writer, const char *text, size_t len)
{
	assert(len <= DEVICE_JSON_MAX - writer->len);
	memcpy(writer->out + writer->len, text, len);
	writer->len += len;
}

static void put_plain(struct writer *writer, const char *text)
{
	put(writer, text, strlen(text));
}

// A text has no control characters, see device_name_valid() and device_note_valid().
static void put_text(struct writer *writer, const char *text)
{
	put(writer, "\"", 1);
	for (; *text != 0; text++) {
		if (*text == '"' || *text == '\\')
			put(writer, "\\", 1);
		put(writer, text, 1);
	}
	put(writer, "\"", 1);
}

static void put_bytes(struct writer *writer, const uint8_t *bytes, size_t len)
{
	char hex[3];

	put(writer, "\"", 1);
	for (size_t i = 0; i < len; i++)
		put_plain(writer, sodium_bin2hex(hex, sizeof(hex), bytes + i, 1));
	put(writer, "\"", 1);
	sodium_memzero(hex, sizeof(hex));
}

static void put_value(struct writer *writer, const struct device_value *value)
{
	char number[24];

	switch (value->kind) {
	case DEVICE_BYTES:
		put_bytes(writer, value->bytes, value->len);
		break;
	case DEVICE_NUMBER:
		snprintf(number, sizeof(number), "%" PRIu64, value->number);
		put_plain(writer, number);
		break;
	case DEVICE_FLAG:
		put_plain(writer, value->flag ? "true" : "false");
		break;
	default:
		put_text(writer, value->text);
		break;
	}
}

size_t device_json(char out[DEVICE_JSON_MAX], const struct device_spec *spec)
{
	struct writer writer = {.out = out};
	struct device_value value;

	for (unsigned i = 0; i < device_attribute_count; i++) {
		if (!device_said(&device_attributes[i], spec, &value))
			continue;
		put_plain(&writer, writer.len == 0 ? "{" : ", ");
		put_text(&writer, device_attributes[i].name);
		put_plain(&writer, ": ");
		put_value(&writer, &value);
	}
	put_plain(&writer, "}\n");
	return writer.len;
}
