// SPDX-License-Identifier: BSD-3-Clause
// From the text of one value to what it means. Nothing here knows YAML or where the text stands.

#ifndef POSTERN_GW_CONF_VALUE_H
#define POSTERN_GW_CONF_VALUE_H

#include "gw/conf/conf.h"
#include "gw/conf/schema.h"

#define CONF_WHY_MAX 384 // bytes of a reason with its 0

enum conf_verdict {
	CONF_OK = 0,
	CONF_BAD, // `why` tells
	CONF_NO_MEMORY,
};

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

// "3s" for 3000, "64KB" for 65536: the largest unit without a remainder.
void conf_duration_format(uint64_t ms, char *buf, size_t room);
void conf_size_format(uint64_t bytes, char *buf, size_t room);

// Writes a reason; always CONF_BAD, to be returned.
enum conf_verdict conf_why(char why[CONF_WHY_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

// The types that have parts: see struct conf_server, conf_pattern and conf_prefix.
enum conf_verdict conf_url_parse(const char *text, struct conf_server *server,
	char why[CONF_WHY_MAX]) __attribute__((warn_unused_result));
void conf_url_free(struct conf_server *server);
enum conf_verdict conf_base_parse(const char *text, char **base, char why[CONF_WHY_MAX])
	__attribute__((warn_unused_result));
enum conf_verdict conf_pattern_parse(const char *text, struct conf_pattern *pattern,
	char why[CONF_WHY_MAX]) __attribute__((warn_unused_result));
void conf_pattern_free(struct conf_pattern *pattern);
enum conf_verdict conf_prefix_parse(const char *text, struct conf_prefix *prefix,
	char why[CONF_WHY_MAX]) __attribute__((warn_unused_result));

// Whether text is a host name or an address, IPv6 without brackets.
bool conf_host_valid(const char *text);
// Whether text is HOST or HOST:PORT, IPv6 in brackets, as a Host header has it.
bool conf_authority_valid(const char *text);

#endif
