// SPDX-License-Identifier: BSD-3-Clause
// The options of a request: a list in the order of their numbers, from words and into words.

#ifndef POSTERN_GW_TOOLS_COAP_OPTIONS_H
#define POSTERN_GW_TOOLS_COAP_OPTIONS_H

#include "base/error.h"
#include "dataplane/coap/message.h"

enum option_kind {
	OPTION_OPAQUE,
	OPTION_UINT,
	OPTION_STRING,
	OPTION_EMPTY,
	OPTION_BLOCK,
	OPTION_FORMAT, // a uint that is a Content-Format
};

// "Uri-Path" of 11, or NULL.
const char *option_name(uint16_t number);
// OPTION_OPAQUE for a number that is not known.
enum option_kind option_kind(uint16_t number);

struct option_list {
	struct coap_option *at; // sorted by number; equal ones in the order they were added
	size_t count;
};

// Copies the value. Returns 0, -EINVAL for more than 65535 bytes, or -ENOMEM.
int option_add(struct option_list *list, uint16_t number, const void *value, size_t len,
	struct error *f) __attribute__((warn_unused_result));
int option_add_uint(struct option_list *list, uint16_t number, uint32_t value, struct error *f)
	__attribute__((warn_unused_result));
// Adds what "NAME=VALUE", "NUMBER=VALUE" or "NAME" says: a decimal value for a uint, a name or a
// number for a format, text for the others, and for each of them 0x and hexadecimal digits.
int option_add_words(struct option_list *list, const char *words, struct error *f)
	__attribute__((warn_unused_result));
// Takes out all options of a number.
void option_remove(struct option_list *list, uint16_t number);
bool option_has(const struct option_list *list, uint16_t number);
void option_list_free(struct option_list *list);

#define OPTION_TEXT_LEN 1200 // bytes of a value in words, with its end; a longer one is cut
// The value in words, printable whatever the bytes are. Returns text.
const char *option_text(char text[OPTION_TEXT_LEN], const struct coap_option *option);

#endif
