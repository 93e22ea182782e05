// SPDX-License-Identifier: BSD-3-Clause
// Collects the mistakes of a configuration file, so that they can be printed in the file's order.

#ifndef POSTERN_GW_CONF_MISTAKES_H
#define POSTERN_GW_CONF_MISTAKES_H

#include "gw/conf/conf.h"

#include <stdio.h>

#define CONF_TEXT_MAX  512 // bytes of a message with its 0
#define CONF_QUOTE_MAX 72  // bytes of a value as quoted in a message, with its 0

// A position in the file; line and column count from 1.
struct conf_mark {
	unsigned line;
	unsigned column;
};

struct conf_mistake {
	struct conf_mark at;
	char text[CONF_TEXT_MAX];
};

struct conf_mistakes {
	unsigned count; // mistakes in kept[]
	unsigned more;  // mistakes for which kept[] had no room
	struct conf_mistake kept[CONF_ERRORS_MAX];
};

// Adds a mistake with the message "KEY: what is wrong", or only counts it if there is no room.
void conf_mistake(struct conf_mistakes *m, struct conf_mark at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
// Whether the next mistake will only be counted, so that the caller need not make a message.
bool conf_mistakes_full(const struct conf_mistakes *m);
// Sorts the mistakes by position and writes a line for each to `out`.
void conf_mistakes_print(struct conf_mistakes *m, const char *file, FILE *out);

// Copies text to buf for a message: shortened, and without control characters. Returns buf.
const char *conf_quote(char buf[CONF_QUOTE_MAX], const char *text);

// Returns the name that text is probably a misspelling of, NULL if there is none. `names` points to
// the first of a list of names, ended by NULL, each `stride` bytes behind the one before: a member
// of an array of structs, for instance.
const char *conf_nearest(const char *text, const char *const *names, size_t stride);

#endif
