// SPDX-License-Identifier: BSD-3-Clause
// Files with one JSON object that has secrets: keys of a device.

#ifndef POSTERN_GW_TOOLS_COAP_JSON_FILE_H
#define POSTERN_GW_TOOLS_COAP_JSON_FILE_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_FILE_MAX (64 * 1024) // bytes

// From now on jansson's memory is wiped before it is freed.
void json_memory_wipe(void);
// Reads one JSON value of which no key is there twice, after json_memory_wipe(). A secret file that
// all users can read or write is refused; *group_may_read is worth a warning (NULL: the file has no
// secret, and its mode is nobody's business). Returns 0 or -errno. The caller calls
// json_decref(*value).
int json_file_load(json_t **value, const char *path, bool *group_may_read, struct error *f)
	__attribute__((warn_unused_result));

// Reads a string of hexadecimal digits, up to room bytes; name is what a complaint calls it.
// Returns 0 or -EINVAL.
int json_hex_read(json_t *value, const char *name, uint8_t *out, size_t room, size_t *len,
	struct error *f) __attribute__((warn_unused_result));
// Takes a string of hexadecimal digits, up to room bytes, out of an object. *present: whether the
// key was there. Returns 0 or -EINVAL.
int json_take_hex(json_t *object, const char *key, uint8_t *out, size_t room, size_t *len,
	bool *present, struct error *f) __attribute__((warn_unused_result));
// Whether an object has a key that nobody took: -EINVAL.
int json_nothing_left(json_t *object, struct error *f) __attribute__((warn_unused_result));

#endif
