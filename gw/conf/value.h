// SPDX-License-Identifier: BSD-3-Clause
// From the text of one value to what it means. Nothing here knows YAML or where the text stands.

#ifndef POSTERN_GW_CONF_VALUE_H
#define POSTERN_GW_CONF_VALUE_H

#include "gw/conf/conf.h"
#include "gw/conf/key.h"
#include "gw/conf/verdict.h"

// Parses text by the type, range and form of a key with a scalar type and sets the field. On
// CONF_BAD the field is unchanged and `why` follows the name of the key in a message.
enum conf_verdict conf_value_parse(const struct conf_key *key, const char *text, void *field,
	char why[CONF_WHY_MAX]) __attribute__((warn_unused_result));
// Frees what a field of a scalar type holds.
void conf_value_free(const struct conf_key *key, void *field);

// Numbers of any width are kept and fetched with the size of their field.
void conf_uint_store(void *field, size_t size, uint64_t value);
uint64_t conf_uint_fetch(const void *field, size_t size);

// One number or range "a-b" of CPUs.
enum conf_verdict conf_cores_parse(const char *text, unsigned *first, unsigned *last,
	char why[CONF_WHY_MAX]) __attribute__((warn_unused_result));

// An address with the length of its prefix.
enum conf_verdict conf_prefix_parse(const char *text, struct conf_prefix *prefix,
	char why[CONF_WHY_MAX]) __attribute__((warn_unused_result));

#endif
