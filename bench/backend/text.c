// SPDX-License-Identifier: BSD-3-Clause

#include "bench/backend/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_LEAST 256

// Makes room for so many bytes more. Returns where they go.
static char *text_room(struct be_text *text, size_t len)
{
	if (text->room - text->len < len) {
		size_t room = text->room ? text->room : ROOM_LEAST;

		while (room - text->len < len)
			room *= 2;
		text->data = realloc(text->data, room);
		if (!text->data) {
			fputs("postern-backend: out of memory\n", stderr);
			exit(1);
		}
		text->room = room;
	}
	return text->data + text->len;
}

void be_text_add(struct be_text *text, const void *data, size_t len)
{
	if (!len)
		return;
	memcpy(text_room(text, len), data, len);
	text->len += len;
}

void be_text_fill(struct be_text *text, char c, size_t count)
{
	memset(text_room(text, count + 1), c, count);
	text->len += count;
}

// With sanitizers gcc 12 takes the format for one that may be NULL.
#pragma GCC diagnostic ignored "-Wformat-truncation"

void be_text_print(struct be_text *text, const char *format, ...)
{
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	vsnprintf(text_room(text, (size_t)len + 1), (size_t)len + 1, format, again);
	text->len += (size_t)len;
	va_end(again);
	va_end(args);
}

void be_text_json(struct be_text *text, const char *data, size_t len)
{
	be_text_add(text, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];

		if (c == '"' || c == '\\')
			be_text_print(text, "\\%c", c);
		else if (c < ' ' || c > '~')
			be_text_print(text, "\\u%04x", c);
		else
			be_text_add(text, data + i, 1);
	}
	be_text_add(text, "\"", 1);
}

void be_text_drop(struct be_text *text, size_t len)
{
	text->len -= len;
	if (text->len)
		memmove(text->data, text->data + len, text->len);
}

void be_text_free(struct be_text *text)
{
	free(text->data);
	*text = (struct be_text){0};
}
