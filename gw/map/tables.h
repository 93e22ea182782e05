// SPDX-License-Identifier: BSD-3-Clause
// The tables between CoAP and HTTP: methods, status codes, content formats.

#ifndef POSTERN_GW_MAP_TABLES_H
#define POSTERN_GW_MAP_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How a CoAP method is sent and what a success is called (RFC 7252 section 10.1, RFC 8132).
struct map_method {
	const char *http; // FETCH becomes QUERY (RFC 10008) instead if the route says so
	bool safe;        // answers are representations: 2.05, 2.03, cacheable
	bool idempotent;  // the HTTP method may be sent again when the connection was lost
	bool body;        // has a payload
	bool entity_tag;  // the ETag of a success is that of the resource
	uint8_t created;  // for 201
	uint8_t success;  // for any other 2xx
	uint8_t missing;  // for 404 and 410
};

// NULL if the code is no method.
const struct map_method *map_method_of(uint8_t code);

// CoAP code of an HTTP status of 400 to 599, by the table or, if it is not there, by its class
// (RFC 9110 section 15). 0 for all others.
uint8_t map_code_of_status(int status);

// CoAP Content-Formats (RFC 7252 section 12.3).
struct map_format {
	uint16_t number;
	const char *type;   // "text/plain", lower case
	const char *param;  // name of its one parameter, or NULL
	const char *value;  // of the parameter, lower case
	const char *coding; // Content-Encoding or NULL
};

extern const struct map_format map_formats[];
extern const size_t map_format_count;

// Generalisations of media types, the first that matches (RFC 8075 section 6.3).
struct map_loose_type {
	const char *pattern; // `*` stands for anything
	const char *type;
};

extern const struct map_loose_type map_loose_types[];
extern const size_t map_loose_type_count;

#endif
