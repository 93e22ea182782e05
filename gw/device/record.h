// SPDX-License-Identifier: BSD-3-Clause
// The parsers of an import: each call reads one record, a row of CSV or an object of JSON. The
// caller hands the input over in pieces of any size.

#ifndef POSTERN_GW_DEVICE_RECORD_H
#define POSTERN_GW_DEVICE_RECORD_H

#include "gw/device/attribute.h"

#include <stddef.h>

#define RECORD_LEN_MAX (16 * 1024) // bytes of one CSV record or JSON object

enum record_kind {
	RECORD_ABSENT = 0,
	RECORD_TEXT = 1, // of CSV, which has no types
	RECORD_STRING = 2,
	RECORD_NUMBER = 4,
	RECORD_BOOL = 8,
};

struct record {
	uint64_t line; // where it begins
	struct {
		enum record_kind kind;
		const char
			*text; // in the buffer of the parser, ended by 0, good until its next call
		size_t len;    // bytes
	} value[DEVICE_ATTRIBUTES_MAX]; // by the number of the attribute
};

// Makes a spec of a record. never_used is for records that do not say where the keys have been.
// Returns 0, or -EINVAL with *error and *spec wiped. The caller wipes *spec after use.
int record_to_spec(const struct record *record, bool never_used, struct device_spec *spec,
	struct error *error) __attribute__((warn_unused_result));

enum parse_verdict {
	PARSE_NEED_DATA, // all of data was used
	PARSE_RECORD,
	PARSE_BAD_RECORD, // *error and record->line; the next record can be read
	PARSE_END,
	PARSE_BROKEN, // *error; what follows cannot be understood
};

struct parse_input {
	const char *data;
	size_t len, used; // bytes
	bool last;        // nothing comes after data
};

enum csv_state {
	CSV_FIELD_START,
	CSV_UNQUOTED,
	CSV_QUOTED,
	CSV_QUOTE, // in a quoted field: its end, or the first of two
	CSV_CR,    // a line feed must follow
	CSV_SKIP,  // to the end of the line
};

// RFC 4180 with a header. All zero at the start.
struct csv {
	uint64_t line; // line feeds read
	uint64_t first_line;
	enum csv_state state;
	bool begun; // the record has a character
	bool header_read;
	bool extra;     // the field is behind those of the header, and must be empty
	char delimiter; // seen in the header instead of a comma; 0: none
	bool bad;
	struct error why; // if bad
	size_t len;
	unsigned fields, columns;
	bool quoted[DEVICE_ATTRIBUTES_MAX];
	size_t start[DEVICE_ATTRIBUTES_MAX];    // of each field in row
	unsigned column[DEVICE_ATTRIBUTES_MAX]; // of each field: the number of its attribute
	char row[RECORD_LEN_MAX];
};

enum parse_verdict csv_parse(
	struct csv *csv, struct parse_input *input, struct record *record, struct error *error);

enum json_state {
	JSON_START,
	JSON_STREAM,      // between the objects of a file that has one after the other
	JSON_ARRAY_FIRST, // behind [
	JSON_ARRAY_VALUE, // behind a comma
	JSON_ARRAY_NEXT,  // behind an object of the array
	JSON_OBJECT,
	JSON_DONE, // behind ]
};

// RFC 8259: an array of objects, or objects one after the other. All zero at the start.
struct json {
	uint64_t line; // line feeds read
	uint64_t first_line;
	enum json_state state;
	bool in_array;
	bool in_string, escaped; // in JSON_OBJECT
	uint64_t depth;
	size_t len; // of the object; above RECORD_LEN_MAX it is no longer kept
	char row[RECORD_LEN_MAX + 1];
};

enum parse_verdict json_parse(
	struct json *json, struct parse_input *input, struct record *record, struct error *error);

#endif
