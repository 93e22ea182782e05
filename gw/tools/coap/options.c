// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/options.h"

#include "base/utf8.h"
#include "dataplane/coap/path.h"
#include "gw/tools/coap/formats.h"
#include "gw/tools/coap/number.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct option_word {
	uint16_t number;
	enum option_kind kind;
	const char *name;
} words_of[] = {
	{COAP_OPT_IF_MATCH, OPTION_OPAQUE, "If-Match"},
	{COAP_OPT_URI_HOST, OPTION_STRING, "Uri-Host"},
	{COAP_OPT_ETAG, OPTION_OPAQUE, "ETag"},
	{COAP_OPT_IF_NONE_MATCH, OPTION_EMPTY, "If-None-Match"},
	{COAP_OPT_OBSERVE, OPTION_UINT, "Observe"},
	{COAP_OPT_URI_PORT, OPTION_UINT, "Uri-Port"},
	{COAP_OPT_LOCATION_PATH, OPTION_STRING, "Location-Path"},
	{COAP_OPT_OSCORE, OPTION_OPAQUE, "OSCORE"},
	{COAP_OPT_URI_PATH, OPTION_STRING, "Uri-Path"},
	{COAP_OPT_CONTENT_FORMAT, OPTION_FORMAT, "Content-Format"},
	{COAP_OPT_MAX_AGE, OPTION_UINT, "Max-Age"},
	{COAP_OPT_URI_QUERY, OPTION_STRING, "Uri-Query"},
	{COAP_OPT_HOP_LIMIT, OPTION_UINT, "Hop-Limit"},
	{COAP_OPT_ACCEPT, OPTION_FORMAT, "Accept"},
	{COAP_OPT_Q_BLOCK1, OPTION_BLOCK, "Q-Block1"},
	{COAP_OPT_LOCATION_QUERY, OPTION_STRING, "Location-Query"},
	{COAP_OPT_EDHOC, OPTION_EMPTY, "EDHOC"},
	{COAP_OPT_BLOCK2, OPTION_BLOCK, "Block2"},
	{COAP_OPT_BLOCK1, OPTION_BLOCK, "Block1"},
	{COAP_OPT_SIZE2, OPTION_UINT, "Size2"},
	{COAP_OPT_Q_BLOCK2, OPTION_BLOCK, "Q-Block2"},
	{COAP_OPT_PROXY_URI, OPTION_STRING, "Proxy-Uri"},
	{COAP_OPT_PROXY_SCHEME, OPTION_STRING, "Proxy-Scheme"},
	{COAP_OPT_SIZE1, OPTION_UINT, "Size1"},
	{COAP_OPT_ECHO, OPTION_OPAQUE, "Echo"},
	{COAP_OPT_NO_RESPONSE, OPTION_UINT, "No-Response"},
	{COAP_OPT_REQUEST_TAG, OPTION_OPAQUE, "Request-Tag"},
};
#define WORD_COUNT (sizeof(words_of) / sizeof(words_of[0]))

static const struct option_word *word_of(uint16_t number)
{
	for (size_t i = 0; i < WORD_COUNT; i++) {
		if (words_of[i].number == number)
			return &words_of[i];
	}
	return NULL;
}

const char *option_name(uint16_t number)
{
	const struct option_word *word = word_of(number);

	return word ? word->name : NULL;
}

enum option_kind option_kind(uint16_t number)
{
	const struct option_word *word = word_of(number);

	return word ? word->kind : OPTION_OPAQUE;
}

int option_add(
	struct option_list *list, uint16_t number, const void *value, size_t len, struct error *f)
{
	if (len > UINT16_MAX)
		return error_set(f, -EINVAL, "an option value of %zu bytes is too long", len);
	struct coap_option *grown = realloc(list->at, (list->count + 1) * sizeof(*grown));
	if (grown)
		list->at = grown;
	uint8_t *copy = malloc(len + 1);
	if (!grown || !copy) {
		free(copy);
		return error_set(f, -ENOMEM, "out of memory");
	}
	memcpy(copy, value, len);
	size_t place = list->count++;
	for (; place && list->at[place - 1].number > number; place--)
		list->at[place] = list->at[place - 1];
	list->at[place] =
		(struct coap_option){.number = number, .len = (uint16_t)len, .value = copy};
	return 0;
}

int option_add_uint(struct option_list *list, uint16_t number, uint32_t value, struct error *f)
{
	uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
		(uint8_t)value};
	unsigned skip = 0;

	while (skip < sizeof(bytes) && !bytes[skip])
		skip++;
	return option_add(list, number, bytes + skip, sizeof(bytes) - skip, f);
}

static bool number_of_word(const char *word, size_t len, uint16_t *number)
{
	char text[16];
	uint64_t value;

	for (size_t i = 0; i < WORD_COUNT; i++) {
		if (strlen(words_of[i].name) == len && !strncasecmp(word, words_of[i].name, len)) {
			*number = words_of[i].number;
			return true;
		}
	}
	if (len >= sizeof(text))
		return false;
	memcpy(text, word, len);
	text[len] = 0;
	if (!number_parse(text, UINT16_MAX, &value))
		return false;
	*number = (uint16_t)value;
	return true;
}

// NUM/M/SZX as option_text() writes it, e.g. "3/1/64": block 3, more to come, of 64 bytes.
static bool block_parse(const char *text, uint32_t *value)
{
	unsigned long num;
	unsigned more, size;
	int end = 0;

	if (sscanf(text, "%lu/%u/%u%n", &num, &more, &size, &end) != 3 || text[end])
		return false;
	if (num > 0xfffff || more > 1 || size < 16 || size > 1024 || (size & (size - 1)))
		return false;
	*value = (uint32_t)num << 4 | more << 3 | (uint32_t)__builtin_ctz(size / 16);
	return true;
}

int option_add_words(struct option_list *list, const char *words, struct error *f)
{
	static uint8_t bytes[UINT16_MAX];
	const char *end = strchrnul(words, '=');
	const char *text = *end ? end + 1 : "";
	uint64_t number64;
	uint32_t block;
	uint16_t number, format;

	if (!number_of_word(words, (size_t)(end - words), &number))
		return error_set(
			f, -EINVAL, "no option is called \"%.*s\"", (int)(end - words), words);
	if (!strncmp(text, "0x", 2)) {
		int len = hex_parse(text + 2, bytes, sizeof(bytes));

		if (len < 0)
			return error_set(f, -EINVAL, "\"%s\" is not hexadecimal", text);
		return option_add(list, number, bytes, (size_t)len, f);
	}
	switch (option_kind(number)) {
	case OPTION_UINT:
		if (!number_parse(text, UINT32_MAX, &number64))
			return error_set(f, -EINVAL, "%s takes a number, not \"%s\"",
				option_name(number), text);
		return option_add_uint(list, number, (uint32_t)number64, f);
	case OPTION_FORMAT:
		if (!format_parse(text, &format))
			return error_set(f, -EINVAL, "no content format is called \"%s\"", text);
		return option_add_uint(list, number, format, f);
	case OPTION_BLOCK:
		if (!block_parse(text, &block))
			return error_set(f, -EINVAL,
				"%s takes NUM/MORE/SIZE, e.g. 0/0/64, not \"%s\"",
				option_name(number), text);
		return option_add_uint(list, number, block, f);
	case OPTION_EMPTY:
		if (*text)
			return error_set(f, -EINVAL, "%s takes no value", option_name(number));
		return option_add(list, number, "", 0, f);
	default:
		return option_add(list, number, text, strlen(text), f);
	}
}

void option_remove(struct option_list *list, uint16_t number)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (list->at[i].number == number)
			free((uint8_t *)list->at[i].value);
		else
			list->at[kept++] = list->at[i];
	}
	list->count = kept;
}

bool option_has(const struct option_list *list, uint16_t number)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->at[i].number == number)
			return true;
	}
	return false;
}

void option_list_free(struct option_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free((uint8_t *)list->at[i].value);
	free(list->at);
	*list = (struct option_list){0};
}

static void quote(char *text, size_t room, const uint8_t *bytes, size_t len)
{
	char *at = text, *end = text + room - 8; // for an escape, an ellipsis and the end

	*at++ = '"';
	for (size_t i = 0; i < len;) {
		bool plain = bytes[i] != '"' && bytes[i] != '\\';
		unsigned n = plain ? utf8_shown_len(bytes + i, len - i) : 0;

		if (at >= end) {
			memcpy(at, "...", 3);
			at += 3;
			break;
		}
		if (n)
			memcpy(at, bytes + i, n);
		at += n ? n : (unsigned)snprintf(at, 5, "\\x%02x", bytes[i]);
		i += n ? n : 1;
	}
	*at++ = '"';
	*at = 0;
}

const char *option_text(char text[OPTION_TEXT_LEN], const struct coap_option *option)
{
	enum option_kind kind = option_kind(option->number);
	uint32_t value = 0;

	if (kind == OPTION_STRING) {
		quote(text, OPTION_TEXT_LEN, option->value, option->len);
		return text;
	}
	if (kind == OPTION_OPAQUE && !option->len) {
		snprintf(text, OPTION_TEXT_LEN, "(empty)");
		return text;
	}
	if (kind == OPTION_OPAQUE || !coap_option_uint(option, &value) ||
		(kind == OPTION_EMPTY && option->len)) {
		size_t shown = option->len < 512 ? option->len : 512;

		memcpy(text, "0x", 2);
		hex_format(text + 2, option->value, shown);
		if (shown < option->len)
			memcpy(text + 2 + 2 * shown, "...", 4);
		return text;
	}
	if (kind == OPTION_EMPTY)
		*text = 0;
	else if (kind == OPTION_BLOCK)
		snprintf(text, OPTION_TEXT_LEN, "%u/%u/%u", value >> 4, value >> 3 & 1,
			16u << (value & 7));
	else if (kind == OPTION_FORMAT && format_name(value))
		snprintf(text, OPTION_TEXT_LEN, "%u (%s)", value, format_name(value));
	else
		snprintf(text, OPTION_TEXT_LEN, "%u", value);
	return text;
}
