// SPDX-License-Identifier: BSD-3-Clause
// The table of a device's attributes, and how a value of each kind goes in and out of the structs.

#include "gw/device/attribute.h"

#include "base/container.h"
#include "gw/device/credential.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PLACE(type, field, ...)                                                                 \
	{                                                                                       \
		.value = offsetof(type, field), .size = sizeof(((type *)0)->field), __VA_ARGS__ \
	}
#define SPEC(field, ...) .spec = PLACE(struct device_spec, field, __VA_ARGS__)
#define SPEC_HAS(field)  .has = offsetof(struct device_spec, field)
#define SPEC_BYTES(field, ...) \
	SPEC(field, .len = offsetof(struct device_spec, field##_len), __VA_ARGS__)
#define INFO(field, ...) .info = PLACE(struct device_info, field, __VA_ARGS__)
#define INFO_HAS(field)  .has = offsetof(struct device_info, field)
#define INFO_BYTES(field, ...) \
	INFO(field, .len = offsetof(struct device_info, field##_len), __VA_ARGS__)

const struct device_attribute device_attributes[] = {
	{"name", DEVICE_TEXT, .valid = device_name_valid, .must = DEVICE_NAME_RULE, SPEC(name),
		INFO(name), .title = "name"},
	{"device_id", DEVICE_BYTES, .required = true, .keyed = true, .may_be_empty = true,
		SPEC_BYTES(params.recipient_id), INFO_BYTES(device_id), .title = "device id"},
	{"gateway_id", DEVICE_BYTES, .required = true, .keyed = true, .may_be_empty = true,
		SPEC_BYTES(params.sender_id), INFO_BYTES(gateway_id), .title = "gateway id"},
	{"master_secret", DEVICE_BYTES, .required = true, .keyed = true, SPEC_BYTES(params.secret)},
	{"master_salt", DEVICE_BYTES, .keyed = true, SPEC_BYTES(params.salt)},
	{"id_context", DEVICE_BYTES, .keyed = true,
		SPEC_BYTES(params.id_context, SPEC_HAS(params.has_id_context)),
		INFO_BYTES(id_context, INFO_HAS(has_id_context)), .title = "id context"},
	{"credential", DEVICE_CREDENTIAL,
		SPEC(credential, .len = offsetof(struct device_spec, credential_len)),
		INFO(credential), .title = "credential"},
	{"algorithm", DEVICE_ALGORITHM, .keyed = true, SPEC(params.alg), INFO(alg),
		.title = "algorithm"},
	{"never_used", DEVICE_FLAG, .keyed = true, SPEC(never_used)},
	{"gateway_seq", DEVICE_NUMBER, .keyed = true, SPEC(gateway_seq, SPEC_HAS(has_gateway_seq))},
	{"device_seq", DEVICE_NUMBER, .keyed = true, SPEC(device_seq, SPEC_HAS(has_device_seq))},
	{"recovery", DEVICE_WORD, .keyed = true, .setting = true, .words = device_recovery_words,
		.must = "not echo, floor or b2", SPEC(recovery, SPEC_HAS(has_recovery)),
		INFO(recovery), .title = "recovery", .usage = "WORD",
		.help = "how it goes on when its window was lost: echo, floor or b2"},
	{"rederive", DEVICE_WORD, .keyed = true, .setting = true, .words = device_rederive_words,
		.must = "neither none nor b2", SPEC(rederive, SPEC_HAS(has_rederive)),
		INFO(rederive), .title = "rederive", .usage = "WORD",
		.help = "contexts that it may derive in service: none or b2"},
	{"own_piv", DEVICE_WORD, .keyed = true, .setting = true, .words = device_own_piv_words,
		.must = "not auto, always or clock", SPEC(own_piv, SPEC_HAS(has_own_piv)),
		INFO(own_piv), .shown = "own_pivs", .title = "own PIVs", .usage = "WORD",
		.help = "answers with a Partial IV of the gateway: auto, always or clock"},
	{"max_message", DEVICE_NUMBER, .setting = true, .in_place = true,
		.least = DEVICE_MESSAGE_MIN, .most = DEVICE_MESSAGE_MAX, SPEC(settings.max_message),
		INFO(settings.max_message), .title = "max message", .usage = "BYTES",
		.help = "the largest CoAP message that it takes"},
	{"max_in_flight", DEVICE_NUMBER, .setting = true, .in_place = true, .least = 1,
		.most = DEVICE_IN_FLIGHT_MAX, SPEC(settings.max_in_flight),
		INFO(settings.max_in_flight), .title = "max in flight", .usage = "N",
		.help = "requests that may be under way at once"},
	{"policy", DEVICE_TEXT, .setting = true, .in_place = true, .valid = device_policy_valid,
		.must = DEVICE_POLICY_RULE, SPEC(settings.policy, SPEC_HAS(settings.has_policy)),
		INFO(settings.policy), .title = "policy", .usage = "NAME",
		.help = "what it may use: one of the configuration's policies"},
	{"note", DEVICE_TEXT, .setting = true, .in_place = true, .valid = device_note_valid,
		.must = "at most 64 characters of UTF-8, and no control characters",
		SPEC(settings.note, SPEC_HAS(settings.has_note)), INFO(settings.note),
		.title = "note", .usage = "TEXT", .help = "for operators"},
};
const unsigned device_attribute_count = sizeof(device_attributes) / sizeof(device_attributes[0]);

_Static_assert(sizeof(device_attributes) / sizeof(device_attributes[0]) <= DEVICE_ATTRIBUTES_MAX,
	"arrays have room for each");

const struct device_attribute *device_attribute(const char *name, size_t len)
{
	for (unsigned i = 0; i < device_attribute_count; i++) {
		const struct device_attribute *attribute = &device_attributes[i];
		if (strlen(attribute->name) == len && memcmp(attribute->name, name, len) == 0)
			return attribute;
	}
	return NULL;
}

static uint64_t number_get(const struct device_place *place, const void *base)
{
	const char *at = (const char *)base + place->value;
	uint64_t number = 0;

	memcpy(&number, at, place->size); // the least byte comes first
	return number;
}

static void number_set(const struct device_place *place, void *base, uint64_t number)
{
	memcpy((char *)base + place->value, &number, place->size);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers of any size are copied");

// NULL if it has none: of a row that is damaged.
static const char *word_get(const struct device_attribute *attribute, uint64_t number)
{
	for (unsigned i = 0; attribute->words[i] != NULL; i++)
		if (i == number)
			return attribute->words[i];
	return NULL;
}

// The bytes of a new device's, or what a device has.
static bool credential_get(
	const struct device_place *place, const void *base, struct device_value *value)
{
	const char *at = (const char *)base + place->value;
	uint16_t len;

	value->kind = place->len != 0 ? DEVICE_BYTES : DEVICE_TEXT;
	value->text = at;
	if (place->len == 0)
		return *at != 0;
	memcpy(&len, (const char *)base + place->len, sizeof(len));
	value->bytes = (const uint8_t *)at;
	value->len = len;
	return len > 0;
}

// False if there is no value.
static bool get(const struct device_attribute *attribute, const struct device_place *place,
	const void *base, struct device_value *value)
{
	const char *at = (const char *)base + place->value;

	if (place->size == 0 || (place->has != 0 && !*((const bool *)base + place->has)))
		return false;
	*value = (struct device_value){.kind = attribute->kind};
	switch (attribute->kind) {
	case DEVICE_BYTES:
		value->bytes = (const uint8_t *)at;
		value->len = *((const uint8_t *)base + place->len);
		return value->len > 0 || place->has != 0 || attribute->required;
	case DEVICE_TEXT:
		value->text = at;
		return *at != 0 || place->has != 0;
	case DEVICE_CREDENTIAL:
		return credential_get(place, base, value);
	case DEVICE_WORD:
		value->kind = DEVICE_TEXT;
		value->text = word_get(attribute, number_get(place, base));
		return value->text != NULL;
	case DEVICE_ALGORITHM:
		value->kind = DEVICE_TEXT;
		value->text = aead_algs[number_get(place, base)].name;
		return true;
	case DEVICE_NUMBER:
		value->number = number_get(place, base);
		return value->number > 0 || place->has != 0;
	case DEVICE_FLAG:
		value->flag = number_get(place, base);
		return value->flag;
	}
	return false;
}

bool device_said(const struct device_attribute *attribute, const struct device_spec *spec,
	struct device_value *value)
{
	return !(attribute->keyed && spec->credential_len > 0) &&
		get(attribute, &attribute->spec, spec, value);
}

bool device_shown(const struct device_attribute *attribute, const struct device_info *info,
	struct device_value *value)
{
	return !(attribute->keyed && info->credential[0] != 0) &&
		get(attribute, &attribute->info, info, value);
}

static void has_set(const struct device_attribute *attribute, struct device_spec *spec)
{
	if (attribute->spec.has != 0)
		*((bool *)spec + attribute->spec.has) = true;
}

static int fail(const struct device_attribute *attribute, struct error *error, const char *why)
{
	return error_set(error, -EINVAL, "%s: %s", attribute->name, why);
}

static int word_put(const struct device_attribute *attribute, struct device_spec *spec,
	const char *word, struct error *error)
{
	for (unsigned i = 0; attribute->words[i] != NULL; i++) {
		if (strcmp(attribute->words[i], word) == 0) {
			number_set(&attribute->spec, spec, i);
			return 0;
		}
	}
	return fail(attribute, error, attribute->must);
}

static int algorithm_put(const struct device_attribute *attribute, struct device_spec *spec,
	const char *text, struct error *error)
{
	size_t digits = strspn(text, "0123456789");
	enum aead_alg alg;

	int code = digits > 0 && digits < 6 && text[digits] == 0
		? aead_alg_from_cose(strtol(text, NULL, 10), &alg)
		: aead_alg_from_name(text, &alg);
	if (code != 0)
		return fail(attribute, error, "no AEAD algorithm of COSE that postern speaks");
	number_set(&attribute->spec, spec, alg);
	return 0;
}

#define TEXT_MAX 512 // bytes of a value that is text, with the 0 at the end

int device_put_text(const struct device_attribute *attribute, struct device_spec *spec,
	const char *text, size_t len, struct error *error)
{
	char copy[TEXT_MAX];
	int code = 0;

	if (memchr(text, 0, len) != NULL)
		return fail(attribute, error, "has a NUL");
	if (len >= sizeof(copy))
		return fail(attribute, error, "too long");
	memcpy(copy, text, len);
	copy[len] = 0;
	if (attribute->kind == DEVICE_WORD) {
		code = word_put(attribute, spec, copy, error);
	} else if (attribute->kind == DEVICE_ALGORITHM) {
		code = algorithm_put(attribute, spec, copy, error);
	} else {
		if (len >= attribute->spec.size || !attribute->valid(copy))
			return fail(attribute, error, attribute->must);
		// Fields are compared as a whole.
		memset((char *)spec + attribute->spec.value, 0, attribute->spec.size);
		memcpy((char *)spec + attribute->spec.value, copy, len);
	}
	if (code == 0)
		has_set(attribute, spec);
	return code;
}

int device_put_bytes(const struct device_attribute *attribute, struct device_spec *spec,
	const uint8_t *bytes, size_t len, struct error *error)
{
	const struct device_place *place = &attribute->spec;

	if (len > place->size)
		return error_set(error, -EINVAL, "%s: more than %u bytes", attribute->name,
			(unsigned)place->size);
	if (len > 0)
		memcpy((char *)spec + place->value, bytes, len);
	*((uint8_t *)spec + place->len) = len;
	has_set(attribute, spec);
	return 0;
}

int device_put_number(const struct device_attribute *attribute, struct device_spec *spec,
	uint64_t number, struct error *error)
{
	if (attribute->most != 0 && (number < attribute->least || number > attribute->most))
		return error_set(error, -EINVAL, "%s: from %llu to %llu", attribute->name,
			(unsigned long long)attribute->least, (unsigned long long)attribute->most);
	number_set(&attribute->spec, spec, number);
	has_set(attribute, spec);
	return 0;
}

int device_put_credential(
	struct device_spec *spec, const uint8_t *bytes, size_t len, struct error *error)
{
	return device_credential_take(bytes, len, spec->credential, &spec->credential_len, error);
}

void device_put_flag(const struct device_attribute *attribute, struct device_spec *spec, bool flag)
{
	number_set(&attribute->spec, spec, flag);
}

static int hex_put(const struct device_attribute *attribute, struct device_spec *spec,
	const char *hex, struct error *error)
{
	const struct device_place *place = &attribute->spec;
	size_t digits = strlen(hex), len;
	const char *end;

	if (digits > 2 * (size_t)place->size)
		return error_set(error, -EINVAL, "%s: more than %u bytes", attribute->name,
			(unsigned)place->size);
	if (sodium_hex2bin((uint8_t *)spec + place->value, place->size, hex, digits, NULL, &len,
		    &end) != 0 ||
		end != hex + digits)
		return fail(attribute, error, "not hex, two digits a byte");
	*((uint8_t *)spec + place->len) = len;
	has_set(attribute, spec);
	return 0;
}

static int digits_put(const struct device_attribute *attribute, struct device_spec *spec,
	const char *text, struct error *error)
{
	char *end;

	errno = 0;
	uint64_t number = strtoull(text, &end, 10);
	// strtoull() also takes blanks and signs.
	if (end == text || text[strspn(text, "0123456789")] != 0 || errno != 0)
		return fail(attribute, error, "not a whole number from 0");
	return device_put_number(attribute, spec, number, error);
}

static int flag_put(const struct device_attribute *attribute, struct device_spec *spec,
	const char *text, struct error *error)
{
	bool flag = strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0;

	if (!flag && strcasecmp(text, "false") != 0 && strcmp(text, "0") != 0)
		return fail(attribute, error, "neither true nor false");
	device_put_flag(attribute, spec, flag);
	return 0;
}

int device_put(const struct device_attribute *attribute, struct device_spec *spec, const char *text,
	struct error *error)
{
	switch (attribute->kind) {
	case DEVICE_BYTES:
		return hex_put(attribute, spec, text, error);
	case DEVICE_NUMBER:
		return digits_put(attribute, spec, text, error);
	case DEVICE_FLAG:
		return flag_put(attribute, spec, text, error);
	case DEVICE_CREDENTIAL:
		return device_credential_read(text, spec->credential, &spec->credential_len, error);
	default:
		return device_put_text(attribute, spec, text, strlen(text), error);
	}
}

bool device_setting_said(const struct device_attribute *attribute,
	const struct device_settings *settings, struct device_value *value)
{
	return device_said(
		attribute, CONTAINER_OF(settings, const struct device_spec, settings), value);
}

int device_setting_put(const struct device_attribute *attribute, struct device_settings *settings,
	const struct device_value *value)
{
	struct device_spec *spec = CONTAINER_OF(settings, struct device_spec, settings);

	if (value->kind == DEVICE_NUMBER)
		return device_put_number(attribute, spec, value->number, NULL);
	return *value->text == 0
		? 0
		: device_put_text(attribute, spec, value->text, strlen(value->text), NULL);
}

const struct device_attribute *device_settings_change(
	struct device_settings *settings, const struct device_settings *said)
{
	const struct device_attribute *changed = NULL;
	struct device_value value;

	for (unsigned i = 0; i < device_attribute_count; i++) {
		const struct device_attribute *attribute = &device_attributes[i];
		size_t at = attribute->spec.value - offsetof(struct device_spec, settings);

		if (!attribute->in_place || !device_setting_said(attribute, said, &value) ||
			memcmp((char *)settings + at, (const char *)said + at,
				attribute->spec.size) == 0)
			continue;
		memcpy((char *)settings + at, (const char *)said + at, attribute->spec.size);
		has_set(attribute, CONTAINER_OF(settings, struct device_spec, settings));
		changed = attribute;
	}
	return changed;
}
