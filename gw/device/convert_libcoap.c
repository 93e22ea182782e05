// SPDX-License-Identifier: BSD-3-Clause
// coap-oscore-conf(5) of libcoap: lines of keyword,encoding,value.

#include "gw/device/convert_parts.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define RECIPIENTS_MAX 1024 // of a server

struct reader {
	const struct convert *convert;
	struct device_spec spec;
	bool has_secret, has_sender;
	bool in_quotes; // of complex_sender or complex_recipient
	unsigned recipients;
	uint8_t recipient[RECIPIENTS_MAX][OSC_KID_LEN_MAX], recipient_len[RECIPIENTS_MAX];
	struct error *error;
	unsigned line;
	const char *keyword, *encoding;
	char *value;
};

static int fail(const struct reader *reader, const char *why)
{
	return error_set(
		reader->error, -EINVAL, "line %u: %.64s: %s", reader->line, reader->keyword, why);
}

// Turns hex into bytes where it stands, or takes the text as it is.
static int bytes_read(const struct reader *reader, size_t *len)
{
	const char *end;

	*len = strlen(reader->value);
	if (strcmp(reader->encoding, "ascii") == 0)
		return 0;
	if (strcmp(reader->encoding, "hex") != 0)
		return fail(reader, "must be hex or ascii");
	size_t digits = *len;
	if (sodium_hex2bin((uint8_t *)reader->value, digits, reader->value, digits, NULL, len,
		    &end) != 0 ||
		end != reader->value + digits)
		return fail(reader, "not hex, two digits a byte");
	return 0;
}

static int bytes_put(struct reader *reader, const char *name)
{
	struct error why;
	size_t len;

	int code = bytes_read(reader, &len);
	if (code == 0 &&
		device_put_bytes(convert_attribute(name), &reader->spec,
			(const uint8_t *)reader->value, len, &why) != 0)
		code = fail(reader, why.text);
	return code;
}

static int take_secret(struct reader *reader)
{
	if (reader->has_secret)
		return fail(reader, "is there twice");
	reader->has_secret = true;
	return bytes_put(reader, "master_secret");
}

static int take_salt(struct reader *reader)
{
	return reader->spec.params.salt_len > 0 ? fail(reader, "is there twice")
						: bytes_put(reader, "master_salt");
}

static int take_id_context(struct reader *reader)
{
	return reader->spec.params.has_id_context ? fail(reader, "is there twice")
						  : bytes_put(reader, "id_context");
}

static int take_sender(struct reader *reader)
{
	if (reader->has_sender)
		return fail(reader, "is there twice");
	reader->has_sender = true;
	return bytes_put(reader, convert_id(reader->convert->server, true));
}

// Those of a server are devices; a device has one.
static int take_recipient(struct reader *reader)
{
	size_t len;

	int code = bytes_read(reader, &len);
	if (code != 0)
		return code;
	if (reader->recipients > 0 && !reader->convert->server)
		return fail(reader, "is there twice: only a server has several, see --server");
	if (reader->recipients == RECIPIENTS_MAX)
		return fail(reader, "there are too many");
	if (len > OSC_KID_LEN_MAX)
		return fail(reader, "more than 7 bytes");
	memcpy(reader->recipient[reader->recipients], reader->value, len);
	reader->recipient_len[reader->recipients++] = len;
	return 0;
}

static int take_aead(struct reader *reader)
{
	struct error why;

	if (strcmp(reader->encoding, "integer") != 0 && strcmp(reader->encoding, "text") != 0)
		return fail(reader, "must be integer or text");
	return device_put(convert_attribute("algorithm"), &reader->spec, reader->value, &why) == 0
		? 0
		: fail(reader, why.text);
}

static int take_hkdf(struct reader *reader)
{
	return strcmp(reader->value, "-10") == 0 ||
			strcmp(reader->value, "direct+HKDF-SHA-256") == 0
		? 0
		: fail(reader, "keys are derived with HKDF and SHA-256 only");
}

// Each of these, if true, gives other keys in time.
static int take_false(struct reader *reader)
{
	return strcmp(reader->value, "false") == 0 ? 0 : fail(reader, "must be false for postern");
}

static int take_any(struct reader *reader)
{
	return 0;
}

static const struct {
	const char *name;
	int (*take)(struct reader *reader);
} keywords[] = {
	{"master_secret", take_secret},
	{"master_salt", take_salt},
	{"id_context", take_id_context},
	{"sender_id", take_sender},
	{"recipient_id", take_recipient},
	{"aead_alg", take_aead},
	{"hkdf_alg", take_hkdf},
	{"rfc8613_b_2", take_false},
	{"break_sender_key", take_false},
	{"break_recipient_key", take_false},
	// Not of the keys:
	{"replay_window", take_any},
	{"rfc8613_b_1_2", take_any},
	{"ssn_freq", take_any},
	{"silent_server", take_any},
	{"last_seq", take_any},
	{"sliding_window", take_any},
};

static char *trim(char *text)
{
	text += strspn(text, " \t");
	size_t len = strlen(text);
	while (len > 0 && strchr(" \t\r", text[len - 1]))
		len--;
	text[len] = 0;
	return text;
}

// One line, which is ended by 0.
static int line_take(struct reader *reader, char *line)
{
	line = trim(line);
	// complex_sender and complex_recipient have lines of their own between quotes.
	if (strncmp(line, "complex_", 8) == 0) {
		char *quote = strstr(line, ",config,'");
		reader->keyword = "complex_sender or complex_recipient";
		if (quote == NULL)
			return fail(reader, "must be config, with a quote behind it");
		reader->in_quotes = true;
		line = trim(quote + strlen(",config,'"));
	}
	size_t len = strlen(line);
	if (reader->in_quotes && len > 0 && line[len - 1] == '\'') {
		reader->in_quotes = false;
		line[len - 1] = 0;
	}
	if (line[0] == 0 || line[0] == '#')
		return 0;
	char *rest = line;
	reader->keyword = strsep(&rest, ",");
	char *encoding = rest != NULL ? strsep(&rest, ",") : NULL;
	if (rest == NULL) {
		reader->keyword = "the line";
		return fail(reader, "must be keyword,encoding,value");
	}
	reader->encoding = encoding;
	reader->value = trim(rest);
	len = strlen(reader->value);
	if (len >= 2 && reader->value[0] == '"' && reader->value[len - 1] == '"') {
		reader->value[len - 1] = 0;
		reader->value++;
	}
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (strcmp(reader->keyword, keywords[i].name) == 0)
			return keywords[i].take(reader);
	reader->keyword = "the keyword"; // what stands in the wrong place may be a secret
	return fail(reader, "is not known");
}

static int finish(struct reader *reader)
{
	const char *missing = !reader->has_secret ? "master_secret"
		: !reader->has_sender             ? "sender_id"
		: reader->recipients == 0         ? "recipient_id"
						  : NULL;
	int code = 0;

	if (missing != NULL)
		return error_set(reader->error, -EINVAL, "%s: missing", missing);
	for (unsigned i = 0; code == 0 && i < reader->recipients; i++) {
		struct device_spec spec = reader->spec;

		code = device_put_bytes(
			convert_attribute(convert_id(reader->convert->server, false)), &spec,
			reader->recipient[i], reader->recipient_len[i], reader->error);
		if (code == 0)
			code = convert_finish(reader->convert, &spec, reader->error);
		sodium_memzero(&spec, sizeof(spec));
	}
	return code;
}

int convert_libcoap(const struct convert *convert, char *text, size_t len, struct error *error)
{
	int code = 0;

	if (strlen(text) != len)
		return error_set(error, -EINVAL, "has a NUL");
	struct reader *reader = calloc(1, sizeof(*reader));
	if (reader == NULL)
		return error_set(error, -ENOMEM, "no memory");
	reader->convert = convert;
	reader->error = error;
	reader->spec.params.alg = AEAD_AES_CCM_16_64_128;
	while (code == 0 && text != NULL) {
		reader->line++;
		code = line_take(reader, strsep(&text, "\n"));
	}
	if (code == 0)
		code = finish(reader);
	sodium_memzero(reader, sizeof(*reader));
	free(reader);
	return code;
}
