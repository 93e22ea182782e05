// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/map/text.h"

#include "dataplane/coap/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { TEXT, HEX, NUMBER };

static const struct {
	const char *name;
	uint16_t number;
	enum kind kind;
} names[] = {
	{"path", COAP_OPT_URI_PATH, TEXT},
	{"pathx", COAP_OPT_URI_PATH, HEX},
	{"query", COAP_OPT_URI_QUERY, TEXT},
	{"queryx", COAP_OPT_URI_QUERY, HEX},
	{"lpath", COAP_OPT_LOCATION_PATH, TEXT},
	{"lquery", COAP_OPT_LOCATION_QUERY, TEXT},
	{"etag", COAP_OPT_ETAG, HEX},
	{"if-match", COAP_OPT_IF_MATCH, HEX},
	{"if-none-match", COAP_OPT_IF_NONE_MATCH, HEX},
	{"accept", COAP_OPT_ACCEPT, NUMBER},
	{"cf", COAP_OPT_CONTENT_FORMAT, NUMBER},
	{"max-age", COAP_OPT_MAX_AGE, NUMBER},
	{"block2", COAP_OPT_BLOCK2, HEX},
	{"block1", COAP_OPT_BLOCK1, HEX},
	{"size2", COAP_OPT_SIZE2, NUMBER},
	{"size1", COAP_OPT_SIZE1, NUMBER},
	{"host", COAP_OPT_URI_HOST, TEXT},
	{"port", COAP_OPT_URI_PORT, NUMBER},
	{"observe", COAP_OPT_OBSERVE, NUMBER},
	{"echo", COAP_OPT_ECHO, HEX},
	{"proxy-uri", COAP_OPT_PROXY_URI, TEXT},
	{"proxy-scheme", COAP_OPT_PROXY_SCHEME, TEXT},
};

#define NAMES       (sizeof(names) / sizeof(names[0]))
#define OPTIONS_MAX 64
#define VALUE_MAX   1100

struct option {
	uint16_t number, len;
	uint8_t value[VALUE_MAX];
};

static void fail(const char *what)
{
	fprintf(stderr, "bad row of a table: %s\n", what);
	abort();
}

static void option_parse(struct option *option, const char *token, size_t len)
{
	const char *equals = memchr(token, '=', len), *value;
	enum kind kind = HEX;
	size_t name_len, i;

	if (!equals)
		fail(token);
	name_len = (size_t)(equals - token);
	value = equals + 1;
	len -= name_len + 1;
	for (i = 0; i < NAMES; i++)
		if (strlen(names[i].name) == name_len && !memcmp(names[i].name, token, name_len))
			break;
	option->number = i < NAMES ? names[i].number : (uint16_t)atoi(token);
	if (i < NAMES)
		kind = names[i].kind;
	option->len = 0;
	if (kind == TEXT) {
		if (len > VALUE_MAX)
			fail(token);
		memcpy(option->value, value, len);
		option->len = (uint16_t)len;
	} else if (kind == HEX) {
		for (i = 0; i + 1 < len; i += 2) {
			unsigned byte;

			if (sscanf(value + i, "%2x", &byte) != 1)
				fail(token);
			option->value[option->len++] = (uint8_t)byte;
		}
	} else {
		uint32_t number = (uint32_t)strtoul(value, NULL, 10);

		for (int shift = 24; shift >= 0; shift -= 8)
			if (option->len || number >> shift)
				option->value[option->len++] = (uint8_t)(number >> shift);
	}
}

size_t text_request(const char *line, uint8_t *code, uint8_t body[TEXT_BODY_MAX])
{
	static struct option options[OPTIONS_MAX];
	struct coap_writer w;
	unsigned count = 0;
	char method[16];
	size_t n = strcspn(line, " ");

	snprintf(method, sizeof(method), "%.*s", (int)n, line);
	*code = coap_method_from_name(method);
	if (!*code)
		*code = (uint8_t)atoi(method);
	for (line += n; *line == ' '; line += strcspn(line, " ")) {
		line++;
		if (!*line || *line == '|')
			break;
		if (count == OPTIONS_MAX)
			fail(line);
		option_parse(&options[count++], line, strcspn(line, " "));
	}
	coap_writer_init(&w, body, TEXT_BODY_MAX);
	for (uint32_t number = 0; number <= UINT16_MAX; number++)
		for (unsigned i = 0; i < count; i++)
			if (options[i].number == number)
				coap_write_option(
					&w, options[i].number, options[i].value, options[i].len);
	if (*line == '|')
		coap_write_payload(&w, line + 1, strlen(line + 1));
	if (w.failed)
		fail("does not fit");
	return (size_t)(w.at - w.start);
}

const char *text_answer(const uint8_t *plaintext, size_t len)
{
	static char out[TEXT_BODY_MAX];
	struct coap_option_iter iter;
	struct coap_option option;
	struct coap_body body;
	int at = 0;
	size_t i;

	if (!len || coap_body_parse(&body, plaintext + 1, len - 1) != COAP_OK)
		return "malformed";
	at += sprintf(
		out, "%u.%02u", COAP_CODE_CLASS(plaintext[0]), COAP_CODE_DETAIL(plaintext[0]));
	coap_option_iter_init(&iter, &body);
	while (coap_option_next(&iter, &option)) {
		uint32_t value = 0;

		for (i = 0; i < NAMES; i++)
			if (names[i].number == option.number)
				break;
		if (i == NAMES)
			return "option not expected";
		at += sprintf(out + at, " %s=", names[i].name);
		if (names[i].kind == TEXT)
			at += sprintf(out + at, "%.*s", option.len, (const char *)option.value);
		else if (names[i].kind == NUMBER && coap_option_uint(&option, &value))
			at += sprintf(out + at, "%u", value);
		else
			for (i = 0; i < option.len; i++)
				at += sprintf(out + at, "%02x", option.value[i]);
	}
	if (body.payload_len)
		sprintf(out + at, " |%.*s", body.payload_len, (const char *)body.payload);
	return out;
}
