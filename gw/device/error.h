// SPDX-License-Identifier: BSD-3-Clause
// What went wrong, in words for an operator. Functions of the store return a stable -errno, and say
// the rest in a struct store_error. It never holds a secret.

#ifndef POSTERN_GW_DEVICE_ERROR_H
#define POSTERN_GW_DEVICE_ERROR_H

#define STORE_ERROR_TEXT_MAX 256 // bytes with the 0 at the end

struct store_error {
	char text[STORE_ERROR_TEXT_MAX]; // one line; written only on failure
};

// Fills *error (NULL is allowed) and returns `code`, so that a failure is one line:
// return store_fail(error, -ENOENT, "...").
int store_fail(struct store_error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
