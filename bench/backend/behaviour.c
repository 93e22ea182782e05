// SPDX-License-Identifier: BSD-3-Clause

#include "bench/backend/behaviour.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 512
#define DELAY_MAX 3600000

const struct be_behaviour be_behaviour_default = {
	.status = 200,
	.slow_percent = 100,
	.chunk = 4096,
	.close_notify = true,
	.fail_status = 503,
	.interim_status = 103,
};

const char be_behaviour_help[] =
	"  status=N          of the answer (200)\n"
	"  delay=MS[-MS]     before it, at random between the two; slow=PERCENT of requests (100)\n"
	"  size=BYTES        of its body; without it, the body is METHOD TARGET [NAME]\n"
	"  echo=1            the body of the request comes back\n"
	"  unique=1          the body begins with 16 random digits\n"
	"  chunked=1         in chunks of chunk=BYTES (4096)\n"
	"  eof=1             neither chunks nor a length: the connection's end is the body's\n"
	"  h=NAME:VALUE      a header, as often as wanted; retry_after=SECONDS is one\n"
	"  keepalive=S       Keep-Alive: timeout=S\n"
	"  interim=N         N answers before it, of interim_status=N (103)\n"
	"  early=1           answers when the head is there, and reads the body afterwards\n"
	"  fail=PERCENT      of requests get fail_status=N (503) instead\n"
	"  close=WHERE       closes the connection: before (no answer), head, body (in the middle\n"
	"                    of it), after (the answer), said (the same with Connection: close),\n"
	"                    rst (body with reset=1)\n"
	"  close_at=N        closes behind N bytes of the answer\n"
	"  reset=1           closes with RST\n"
	"  close_notify=0    closes TLS without saying so\n"
	"  surplus=N         N answers too many\n"
	"  surplus_bytes=N   N bytes too many\n";

// Keys that are numbers or flags, which are 0 or 1.
static const struct number {
	const char *key;
	size_t at;
	uint32_t least, most;
	bool flag;
} numbers[] = {
#define NUMBER(key, field, least, most)                                       \
	{                                                                     \
		key, offsetof(struct be_behaviour, field), least, most, false \
	}
#define FLAG(key, field)                                              \
	{                                                             \
		key, offsetof(struct be_behaviour, field), 0, 1, true \
	}
	NUMBER("status", status, 100, 999),
	NUMBER("slow", slow_percent, 0, 100),
	NUMBER("size", size, 0, 64 << 20),
	NUMBER("chunk", chunk, 1, 1 << 20),
	NUMBER("close_at", close_at, 0, UINT32_MAX),
	NUMBER("surplus", surplus, 0, 1000),
	NUMBER("surplus_bytes", surplus_bytes, 0, 1 << 20),
	NUMBER("fail", fail_percent, 0, 100),
	NUMBER("fail_status", fail_status, 200, 999),
	NUMBER("keepalive", keepalive_s, 0, UINT32_MAX),
	NUMBER("interim", interim, 0, 10000),
	NUMBER("interim_status", interim_status, 100, 199),
	FLAG("chunked", chunked),
	FLAG("eof", until_eof),
	FLAG("reset", reset),
	FLAG("close_notify", close_notify),
	FLAG("early", early),
	FLAG("echo", echo),
	FLAG("unique", unique),
};

static const struct {
	const char *name;
	enum be_close close;
} closes[] = {
	{"before", BE_CLOSE_BEFORE},
	{"head", BE_CLOSE_HEAD},
	{"body", BE_CLOSE_BODY},
	{"rst", BE_CLOSE_BODY},
	{"after", BE_CLOSE_AFTER},
	{"said", BE_CLOSE_SAID},
};

static bool number_parse(const char *text, uint32_t least, uint32_t most, uint32_t *number)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long value = strtoul(text, NULL, 10);

	if (digits < 1 || digits > 10 || text[digits] || value < least || value > most)
		return false;
	*number = (uint32_t)value;
	return true;
}

static bool delay_parse(struct be_behaviour *b, char *text)
{
	char *dash = strchr(text, '-');

	if (dash)
		*dash = 0;
	return number_parse(text, 0, DELAY_MAX, &b->delay_ms) &&
		number_parse(dash ? dash + 1 : text, b->delay_ms, DELAY_MAX, &b->delay_most_ms);
}

static bool close_parse(struct be_behaviour *b, const char *text)
{
	for (size_t i = 0; i < sizeof(closes) / sizeof(closes[0]); i++) {
		if (strcmp(text, closes[i].name))
			continue;
		b->close = closes[i].close;
		b->reset |= !strcmp(text, "rst");
		return true;
	}
	return false;
}

// Appends a header. false: it is none, or there is no room.
static bool header_add(struct be_behaviour *b, const char *name, const char *value)
{
	size_t len = strlen(b->headers);

	for (const char *p = value; *p; p++)
		if (iscntrl((unsigned char)*p))
			return false;
	int n = snprintf(b->headers + len, BE_HEADERS_ROOM - len, "%s: %s\r\n", name, value);
	if (n < 0 || (size_t)n >= BE_HEADERS_ROOM - len) {
		b->headers[len] = 0;
		return false;
	}
	return true;
}

static bool header_parse(struct be_behaviour *b, char *text)
{
	char *colon = strchr(text, ':');

	if (!colon || colon == text)
		return false;
	*colon++ = 0;
	for (const char *p = text; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_')
			return false;
	return header_add(b, text, colon + strspn(colon, " "));
}

static bool numbers_parse(struct be_behaviour *b, const struct number *n, const char *value)
{
	uint32_t got;

	if (!number_parse(value, n->least, n->most, &got))
		return false;
	if (n->flag)
		*(bool *)((char *)b + n->at) = got;
	else
		*(uint32_t *)((char *)b + n->at) = got;
	b->sized |= n->at == offsetof(struct be_behaviour, size);
	b->keepalive |= n->at == offsetof(struct be_behaviour, keepalive_s);
	if (n->at == offsetof(struct be_behaviour, close_at))
		b->close = BE_CLOSE_AT;
	return true;
}

static bool key_parse(struct be_behaviour *b, const char *key, char *value)
{
	uint32_t seconds;

	if (!strcmp(key, "delay"))
		return delay_parse(b, value);
	if (!strcmp(key, "close"))
		return close_parse(b, value);
	if (!strcmp(key, "h"))
		return header_parse(b, value);
	if (!strcmp(key, "retry_after"))
		return number_parse(value, 0, UINT32_MAX, &seconds) &&
			header_add(b, "Retry-After", value);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (!strcmp(key, numbers[i].key))
			return numbers_parse(b, &numbers[i], value);
	return true;
}

static int hex(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, tolower((unsigned char)c));

	return c && at ? (int)(at - digits) : -1;
}

// Takes escapes back. What is no escape stays as it is.
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (*text == '%' && hex(text[1]) >= 0 && hex(text[2]) >= 0) {
			*to++ = (char)(hex(text[1]) << 4 | hex(text[2]));
			text += 2;
		} else {
			*to++ = *text;
		}
	}
	*to = 0;
}

bool be_behaviour_parse(struct be_behaviour *b, const char *query, char why[BE_WHY_MAX])
{
	char key[VALUE_MAX];

	while (*query) {
		size_t len = strcspn(query, "&");

		if (len < sizeof(key)) {
			memcpy(key, query, len);
			key[len] = 0;
			char *value = strchr(key, '=');
			if (value)
				*value++ = 0;
			else
				value = key + len;
			unescape(value);
			if (!key_parse(b, key, value)) {
				snprintf(why, BE_WHY_MAX, "%.32s has a value that makes no sense",
					key);
				return false;
			}
		}
		query += len + (query[len] == '&');
	}
	return true;
}
