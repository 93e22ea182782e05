// SPDX-License-Identifier: BSD-3-Clause
// A key of the configuration file: its type, its range, and the field of struct conf that it fills.

#ifndef POSTERN_GW_CONF_KEY_H
#define POSTERN_GW_CONF_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Comments: the field that is filled.
enum conf_type {
	CONF_BOOL,                 // bool
	CONF_INT,                  // unsigned of any width
	CONF_DURATION,             // unsigned, milliseconds
	CONF_PERCENT,              // unsigned
	CONF_SIZE,                 // unsigned, bytes
	CONF_MODE,                 // unsigned, written in octal
	CONF_ENUM,                 // enum: the value of one of `words`
	CONF_STRING,               // char *, of the form `form` if there is one
	CONF_PATH,                 // char *, absolute path of a file
	CONF_BASE,                 // char *, path of a URL without a slash at its end
	CONF_PREFIX,               // struct conf_prefix
	CONF_URL,                  // struct conf_server
	CONF_PATTERN,              // struct conf_pattern
	CONF_SCALARS,              // those above are one word in the file, those below are not
	CONF_CORES = CONF_SCALARS, // uint16_t * and a count: a list of numbers and of ranges "2-5"
	CONF_SET,                  // unsigned: bits, from a list of `item`, whose words are bits
	CONF_GROUP,                // the struct itself, with keys from `keys`
	CONF_LIST,                 // pointer and count: a list of `item`
	CONF_MAP, // pointer and count: keys that fit `map_key`, each a group of `item`, whose
		  // struct begins with the key
};

struct conf_word {
	const char *word;
	unsigned value;
};

// A rule for text that has no type of its own.
struct conf_form {
	bool (*fits)(const char *text);
	const char *what; // to follow "must be"
};

// When a changed value takes effect.
enum conf_effect {
	CONF_AS_GROUP, // as the group or list that the key is in says
	CONF_AT_START,
	CONF_AT_RELOAD,
};

struct conf_key {
	const char *name;
	const char *help;   // one sentence
	const char *preset; // the default as it would stand in the file, of scalars only
	const char *sample; // for the reference, where there is no default
	enum conf_type type;
	enum conf_effect effect; // of the key and all below it, which then say nothing
	bool required;
	unsigned choice;               // not 0: of the keys with a choice exactly one is given, and
	size_t choice_offset;          // its number is kept here (an enum)
	size_t offset;                 // of the field in its struct
	size_t size;                   // bytes of the field; of an item, of the struct or value
	size_t count_offset;           // of the size_t that belongs to CORES, LIST and MAP
	size_t line_offset;            // of the unsigned that keeps the line, of a struct; 0: none
	uint64_t min, max;             // numbers: value; text: bytes; CORES, LIST, MAP: entries
	const struct conf_word *words; // ended by NULL
	const struct conf_form *form;
	const struct conf_key *keys; // of a group, ended by a NULL name
	const struct conf_key *item; // of a list or map
	const struct conf_key *map_key;
};

#define CONF_KEYS_MAX 32 // of one group

// What the value of a key must be, to follow "must be": type and range.
#define CONF_WHAT_MAX 320
const char *conf_key_what(const struct conf_key *key, char buf[CONF_WHAT_MAX]);

#endif
