// SPDX-License-Identifier: BSD-3-Clause
// A record becomes what a new device is made of.

#include "gw/device/record.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

// The kinds of value that JSON may give.
static unsigned kinds_of(enum device_kind kind)
{
	switch (kind) {
	case DEVICE_ALGORITHM:
		return RECORD_STRING | RECORD_NUMBER;
	case DEVICE_NUMBER:
		return RECORD_NUMBER;
	case DEVICE_FLAG:
		return RECORD_BOOL;
	default:
		return RECORD_STRING;
	}
}

static bool has_credential(const struct record *record)
{
	static const char name[] = "credential";

	return record->value[device_attribute(name, sizeof(name) - 1) - device_attributes].kind !=
		RECORD_ABSENT;
}

// In CSV a device with a credential has empty fields for what only devices with keys have.
static bool given(const struct record *record, const struct device_attribute *attribute)
{
	const unsigned i = attribute - device_attributes;

	return record->value[i].kind != RECORD_ABSENT &&
		!(record->value[i].kind == RECORD_TEXT && record->value[i].len == 0 &&
			attribute->keyed && has_credential(record));
}

// What a device with keys must have, one with a credential must not.
static int check_keyed(const struct record *record, struct error *error)
{
	for (unsigned i = 0; i < device_attribute_count; i++) {
		const struct device_attribute *attribute = &device_attributes[i];

		if (has_credential(record) && attribute->keyed && given(record, attribute))
			return error_set(error, -EINVAL,
				"%s: a device has keys or a credential, not both", attribute->name);
		if (!has_credential(record) && attribute->required && !given(record, attribute))
			return error_set(error, -EINVAL, "%s: missing", attribute->name);
	}
	return 0;
}

static int check_values(const struct record *record, struct error *error)
{
	int code = check_keyed(record, error);

	if (code != 0)
		return code;
	for (unsigned i = 0; i < device_attribute_count; i++) {
		const struct device_attribute *attribute = &device_attributes[i];
		if (!given(record, attribute))
			continue;
		if (((kinds_of(attribute->kind) | RECORD_TEXT) & record->value[i].kind) == 0)
			return error_set(
				error, -EINVAL, "%s: not the right kind of value", attribute->name);
		if (strlen(record->value[i].text) != record->value[i].len)
			return error_set(error, -EINVAL, "%s: has a NUL", attribute->name);
	}
	return 0;
}

static int spec_of(
	const struct record *record, bool never_used, struct device_spec *spec, struct error *error)
{
	const struct device_attribute *past = device_attribute("never_used", strlen("never_used"));

	spec->params.alg = AEAD_AES_CCM_16_64_128;
	int code = check_values(record, error);
	for (unsigned i = 0; code == 0 && i < device_attribute_count; i++) {
		if (given(record, &device_attributes[i]))
			code = device_put(
				&device_attributes[i], spec, record->value[i].text, error);
	}
	// The option of the whole import is for records that say nothing themselves.
	if (!given(record, past))
		spec->never_used =
			never_used && !spec->has_gateway_seq && spec->credential_len == 0;
	return code;
}

int record_to_spec(
	const struct record *record, bool never_used, struct device_spec *spec, struct error *error)
{
	memset(spec, 0, sizeof(*spec));
	int code = spec_of(record, never_used, spec, error);
	if (code != 0)
		sodium_memzero(spec, sizeof(*spec));
	return code;
}
