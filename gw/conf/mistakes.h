// SPDX-License-Identifier: BSD-3-Clause
// The mistakes found in a configuration file, gathered so that they can be told in its order.

#ifndef POSTERN_GW_CONF_MISTAKES_H
#define POSTERN_GW_CONF_MISTAKES_H

#include "gw/conf/conf.h"

#include <stdio.h>

#define CONF_TEXT_MAX  512 // bytes of a message with its 0
#define CONF_QUOTE_MAX 72  // bytes of a value as quoted in a message, with its 0

// A place in the file, counted from 1 as editors do.
struct conf_mark {
	unsigned line;
	unsigned column;
};

struct conf_mistake {
	struct conf_mark at;
	char text[CONF_TEXT_MAX];
};

struct conf_mistakes {
	unsigned count; // of those kept
	unsigned more;  // that found no room
	struct conf_mistake kept[CONF_ERRORS_MAX];
};

// A message is "KEY: what is wrong".
void conf_mistake(struct conf_mistakes *m, struct conf_mark at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
// Whether the next one will only be counted, so that no work need go into its text.
bool conf_mistakes_full(const struct conf_mistakes *m);
// Writes them in the order of the file, one line each.
void conf_mistakes_print(struct conf_mistakes *m, const char *file, FILE *out);

// Copies text into buf in a form fit for a terminal: no control characters, shortened. Returns buf.
const char *conf_quote(char buf[CONF_QUOTE_MAX], const char *text);

// The name in a list ended by NULL that text was probably meant to be, else NULL. The next name is
// found `stride` bytes behind the one before, so that any array of structs will do.
const char *conf_nearest(const char *text, const char *const *names, size_t stride);

#endif
