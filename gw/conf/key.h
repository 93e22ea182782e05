// SPDX-License-Identifier: BSD-3-Clause
// struct conf_key: one row of the schema. It describes a key of the configuration file: its type,
// its range, its help, and the field of struct conf that its value goes to.

#ifndef POSTERN_GW_CONF_KEY_H
#define POSTERN_GW_CONF_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The types of values, each with the C type of its field.
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
	const char *what; // continues the message "must be "
};

// When a change of the value in the file takes effect.
enum conf_effect {
	CONF_AS_GROUP, // as for the group or list that the key is in
	CONF_AT_START,
	CONF_AT_RELOAD,
};

struct conf_key {
	const char *name;
	const char *help;   // one sentence
	const char *preset; // the default of a scalar, as written in the file; NULL: none
	const char *sample; // an example for the reference, if there is no default
	enum conf_type type;
	enum conf_effect effect; // also of all keys below this one, which have CONF_AS_GROUP then
	bool required;
	unsigned choice;      // not 0: exactly one of the group's keys with a choice is given
	size_t choice_offset; // of the enum that gets the `choice` of the key that is given
	size_t offset;        // of the field in its struct
	size_t size;          // bytes of the field; for an `item`, of one entry
	size_t count_offset;  // CORES, LIST, MAP: of the size_t with the number of entries
	size_t line_offset;   // GROUP: of the unsigned that gets the line; 0: none
	uint64_t min, max;    // numbers: value; text: bytes; CORES, LIST, MAP: entries
	const struct conf_word *words; // ended by NULL
	const struct conf_form *form;
	const struct conf_key *keys;    // GROUP: its keys, ended by a NULL name
	const struct conf_key *item;    // LIST, MAP, SET: what an entry must be
	const struct conf_key *map_key; // MAP: what the key of an entry must be
	const char *word; // GROUP: the key whose value may stand in place of the group's map
	bool alone;       // LIST of scalars: one entry may stand in place of a list of one
	bool hidden;      // text that no message shows and that is wiped when it is freed
};

#define CONF_KEYS_MAX 32 // of one group

#define CONF_WHAT_MAX 320 // bytes with the 0 at the end
// Writes type and range of a key to buf, in words that continue "must be ", and returns buf.
const char *conf_key_what(const struct conf_key *key, char buf[CONF_WHAT_MAX]);

#endif
