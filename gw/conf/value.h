// SPDX-License-Identifier: BSD-3-Clause
// Parses the text of one value into its field. Knows neither YAML nor positions in the file.

#ifndef POSTERN_GW_CONF_VALUE_H
#define POSTERN_GW_CONF_VALUE_H

#include "gw/conf/conf.h"
#include "gw/conf/key.h"
#include "gw/conf/verdict.h"

// Parses text by the type, range and form of a key, which has a scalar type, and sets the field. On
// CONF_BAD the field is unchanged, and `why` continues a message after the name of the key.
enum conf_verdict conf_value_parse(const struct conf_key *key, const char *text, void *field,
	char why[CONF_WHY_MAX]) __attribute__((warn_unused_result));
// Frees what a field of a scalar type points to.
void conf_value_free(const struct conf_key *key, void *field);

// Write and read an unsigned field of `size` bytes: 1, 2, 4 or 8.
void conf_uint_store(void *field, size_t size, uint64_t value);
uint64_t conf_uint_fetch(const void *field, size_t size);

// Parses a CPU's number "a" or a range "a-b"; *last equals *first for a number.
enum conf_verdict conf_cores_parse(const char *text, unsigned *first, unsigned *last,
	char why[CONF_WHY_MAX]) __attribute__((warn_unused_result));

// Parses an address with the length of its prefix, e.g. "192.0.2.1/24".
enum conf_verdict conf_prefix_parse(const char *text, struct conf_prefix *prefix,
	char why[CONF_WHY_MAX]) __attribute__((warn_unused_result));

#endif
