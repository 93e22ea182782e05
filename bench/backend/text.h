// SPDX-License-Identifier: BSD-3-Clause
// Bytes that grow as they are written.

#ifndef POSTERN_BENCH_BACKEND_TEXT_H
#define POSTERN_BENCH_BACKEND_TEXT_H

#include <stdbool.h>
#include <stddef.h>

// Zeroed: empty.
struct be_text {
	char *data;
	size_t len;
	size_t room;
};

// Append; the program ends if there is no memory.
void be_text_add(struct be_text *text, const void *data, size_t len);
void be_text_fill(struct be_text *text, char c, size_t count);
void be_text_print(struct be_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
// Appends bytes as a JSON string, each byte beyond ASCII as the character of its number.
void be_text_json(struct be_text *text, const char *data, size_t len);
// Takes bytes away at the front.
void be_text_drop(struct be_text *text, size_t len);
void be_text_free(struct be_text *text);

#endif
