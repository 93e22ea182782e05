// SPDX-License-Identifier: BSD-3-Clause
// The table of a device's attributes: each is described by one row of attribute.c. The readers of
// CSV and JSON (record.h), the arguments and answers of the control socket (gw/ctl), what
// posternctl sends and shows, and the JSON that it writes all follow this table.

#ifndef POSTERN_GW_DEVICE_ATTRIBUTE_H
#define POSTERN_GW_DEVICE_ATTRIBUTE_H

#include "base/error.h"
#include "gw/device/device.h"

#include <stddef.h>

#define DEVICE_ATTRIBUTES_MAX 32 // rows of the table at most, for arrays

// What a value is, in JSON and in CBOR. CSV has text only: hex, digits, true or false.
enum device_kind {
	DEVICE_BYTES,     // hex in JSON, a byte string in CBOR
	DEVICE_TEXT,      // text
	DEVICE_WORD,      // text, one of a few words
	DEVICE_ALGORITHM, // text, the name of an AEAD algorithm; in JSON also its number of COSE
	DEVICE_NUMBER,    // whole number from 0
	DEVICE_FLAG,      // true or false
	// In JSON a text as device_credential_read() takes it, in CBOR a byte string; where a
	// device is shown, a text that says what it is.
	DEVICE_CREDENTIAL,
};

// Where a struct has a value, as offsets in bytes.
struct device_place {
	uint16_t value, size; // size 0: the struct does not have it
	uint16_t len;         // of the uint8_t that counts the bytes of DEVICE_BYTES
	uint16_t has;         // of the bool that says whether there is a value; 0: there is none
};

struct device_attribute {
	const char *name; // of the column, of the value in JSON and of the argument in CBOR
	enum device_kind kind;
	bool required;        // in what describes a new device that has keys
	bool keyed;           // only devices have it that have keys, and no credential
	bool may_be_empty;    // in CSV a field with nothing in it is the value of no bytes
	bool setting;         // how the device is served, not who it is or what its keys are
	bool in_place;        // in struct device_settings, with a column of its name in the store
	uint64_t least, most; // of a number; most 0: any
	const char *const *words; // of DEVICE_WORD: those of the enum, in order; NULL ends them
	bool (*valid)(const char *text); // of DEVICE_TEXT
	const char *must;                // of DEVICE_WORD and DEVICE_TEXT: what is allowed
	struct device_place spec;        // in struct device_spec
	struct device_place info;        // in struct device_info
	const char *shown;               // its name in answers; NULL: the same
	const char *title;               // in front of its value when a device is shown
	const char *usage, *help;        // of a setting, which posternctl takes as an option: "N"
};

extern const struct device_attribute device_attributes[];
extern const unsigned device_attribute_count;

// A value as text, bytes or number; `kind` says which member counts.
struct device_value {
	enum device_kind kind; // DEVICE_WORD and DEVICE_ALGORITHM come as DEVICE_TEXT
	const char *text;      // ends with 0
	const uint8_t *bytes;
	size_t len; // of bytes
	uint64_t number;
	bool flag;
};

// NULL if none has this name, which needs no 0 at its end.
const struct device_attribute *device_attribute(const char *name, size_t len);

// The value of an attribute, which points into the spec or info. False if it is unsaid there, or if
// it is not shown.
bool device_said(const struct device_attribute *attribute, const struct device_spec *spec,
	struct device_value *value);
bool device_shown(const struct device_attribute *attribute, const struct device_info *info,
	struct device_value *value);

// Put one value into a spec. -EINVAL, and *error says why: it names the attribute, and never the
// value, which may be a secret in the wrong place.

// For DEVICE_TEXT, DEVICE_WORD and DEVICE_ALGORITHM; the text needs no 0 at its end.
int device_put_text(const struct device_attribute *attribute, struct device_spec *spec,
	const char *text, size_t len, struct error *error) __attribute__((warn_unused_result));
int device_put_bytes(const struct device_attribute *attribute, struct device_spec *spec,
	const uint8_t *bytes, size_t len, struct error *error) __attribute__((warn_unused_result));
int device_put_number(const struct device_attribute *attribute, struct device_spec *spec,
	uint64_t number, struct error *error) __attribute__((warn_unused_result));
void device_put_flag(const struct device_attribute *attribute, struct device_spec *spec, bool flag);
// For DEVICE_CREDENTIAL.
int device_put_credential(struct device_spec *spec, const uint8_t *bytes, size_t len,
	struct error *error) __attribute__((warn_unused_result));
// For all kinds, from text as CSV has it: hex, digits, true or false. The text ends with 0.
int device_put(const struct device_attribute *attribute, struct device_spec *spec, const char *text,
	struct error *error) __attribute__((warn_unused_result));

// The same for struct device_settings and the attributes that are in_place. device_setting_put()
// takes what device_setting_said() gave, or the store had; an empty text puts nothing.
bool device_setting_said(const struct device_attribute *attribute,
	const struct device_settings *settings, struct device_value *value);
int device_setting_put(const struct device_attribute *attribute, struct device_settings *settings,
	const struct device_value *value) __attribute__((warn_unused_result));
// Puts all that `said` says into *settings. Returns one of the attributes that were changed by it,
// NULL if none was.
const struct device_attribute *device_settings_change(
	struct device_settings *settings, const struct device_settings *said);

#endif
