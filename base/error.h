// SPDX-License-Identifier: BSD-3-Clause
// Why a call failed: a code for the caller, and a line of text for an operator. The text goes to
// logs and terminals, so whoever writes one puts no secret into it.

#ifndef POSTERN_BASE_ERROR_H
#define POSTERN_BASE_ERROR_H

#define ERROR_TEXT_MAX 1280 // bytes with the 0 at the end: room for a path and what is wrong

// The caller has it on its stack; the callee writes it only if it fails.
struct error {
	int code;                  // -errno
	char text[ERROR_TEXT_MAX]; // one line of UTF-8 without control characters
};

// Fills *error and returns `code`, so that a failure is one line:
// return error_set(error, -ENOENT, "..."). NULL is allowed.
int error_set(struct error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
// Appends to the text of an error that is set; NULL is not allowed.
void error_append(struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
