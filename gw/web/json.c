// SPDX-License-Identifier: BSD-3-Clause

#include "gw/web/json.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 16384

static bool room_make(struct web_json *json, size_t len)
{
	size_t room = json->room ? json->room : ROOM_FIRST;
	char *buf;

	if (json->full || len > json->max - json->len) {
		json->full = true;
		return false;
	}
	if (len <= json->room - json->len)
		return true;
	while (room - json->len < len)
		room *= 2;
	buf = realloc(json->buf, room);
	if (!buf) {
		json->full = true;
		return false;
	}
	json->buf = buf;
	json->room = room;
	return true;
}

static void put(struct web_json *json, const char *bytes, size_t len)
{
	if (!room_make(json, len))
		return;
	memcpy(json->buf + json->len, bytes, len);
	json->len += len;
}

static void put_key(struct web_json *json, const char *key)
{
	if (json->comma)
		put(json, ",", 1);
	json->comma = true;
	if (!key)
		return;
	put(json, "\"", 1);
	put(json, key, strlen(key));
	put(json, "\":", 2);
}

void web_json_open(struct web_json *json, const char *key, char bracket)
{
	put_key(json, key);
	put(json, &bracket, 1);
	json->comma = false;
}

void web_json_close(struct web_json *json, char bracket)
{
	put(json, &bracket, 1);
	json->comma = true;
}

void web_json_number(struct web_json *json, const char *key, uint64_t value)
{
	char digits[24];

	put_key(json, key);
	put(json, digits, (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, value));
}

void web_json_bool(struct web_json *json, const char *key, bool value)
{
	put_key(json, key);
	put(json, value ? "true" : "false", value ? 4 : 5);
}

static bool is_plain(char c)
{
	return c >= ' ' && c < 0x7f && !strchr("\"\\<>&", c);
}

void web_json_text(struct web_json *json, const char *key, const char *text)
{
	size_t left = strlen(text);

	put_key(json, key);
	put(json, "\"", 1);
	while (left) {
		size_t len = 0;

		while (len < left && is_plain(text[len]))
			len++;
		if (len) {
			put(json, text, len);
		} else if ((len = utf8_len((const uint8_t *)text, left)) > 1) {
			put(json, text, len);
		} else {
			char escape[8];

			put(json, escape,
				(size_t)snprintf(escape, sizeof(escape), "\\u%04x",
					len ? (unsigned char)*text : 0xfffd));
			len = 1;
		}
		text += len;
		left -= len;
	}
	put(json, "\"", 1);
}
