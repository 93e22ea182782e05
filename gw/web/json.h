// SPDX-License-Identifier: BSD-3-Clause
// Writes one JSON document into a buffer that grows. Members and elements get their commas by
// themselves; the caller opens and closes in pairs.

#ifndef POSTERN_GW_WEB_JSON_H
#define POSTERN_GW_WEB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// {.max = bytes} is an empty one. What does not fit, or finds no memory, sets `full`.
struct web_json {
	char *buf; // the caller frees it
	size_t len, room;
	size_t max;
	bool full;
	bool comma; // stands before what comes next
};

// `key` is NULL in an array; else plain ASCII.
void web_json_open(struct web_json *json, const char *key, char bracket);
void web_json_close(struct web_json *json, char bracket);
void web_json_number(struct web_json *json, const char *key, uint64_t value);
void web_json_bool(struct web_json *json, const char *key, bool value);
// Any text: what is no UTF-8 becomes U+FFFD; control characters and what HTML gives a meaning are
// escaped.
void web_json_text(struct web_json *json, const char *key, const char *text);

#endif
