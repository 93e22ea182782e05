// SPDX-License-Identifier: BSD-3-Clause
// What the columns of an import mean.

#include "gw/device/record.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	unsigned kinds; // enum record_kind that JSON may give
} columns[RECORD_COLUMNS] = {
	[RECORD_DEVICE_ID] = {"device_id", RECORD_STRING},
	[RECORD_GATEWAY_ID] = {"gateway_id", RECORD_STRING},
	[RECORD_MASTER_SECRET] = {"master_secret", RECORD_STRING},
	[RECORD_MASTER_SALT] = {"master_salt", RECORD_STRING},
	[RECORD_ID_CONTEXT] = {"id_context", RECORD_STRING},
	[RECORD_ALGORITHM] = {"algorithm", RECORD_STRING | RECORD_NUMBER},
	[RECORD_NAME] = {"name", RECORD_STRING},
	[RECORD_NEVER_USED] = {"never_used", RECORD_BOOL},
	[RECORD_GATEWAY_SEQ] = {"gateway_seq", RECORD_NUMBER},
	[RECORD_DEVICE_SEQ] = {"device_seq", RECORD_NUMBER},
	[RECORD_RECOVERY] = {"recovery", RECORD_STRING},
	[RECORD_OWN_PIV] = {"own_piv", RECORD_STRING},
	[RECORD_MAX_MESSAGE] = {"max_message", RECORD_NUMBER},
	[RECORD_MAX_IN_FLIGHT] = {"max_in_flight", RECORD_NUMBER},
};

enum record_column record_column(const char *name, size_t len)
{
	for (unsigned i = 0; i < RECORD_COLUMNS; i++) {
		if (strlen(columns[i].name) == len && memcmp(columns[i].name, name, len) == 0)
			return i;
	}
	return RECORD_COLUMNS;
}

const char *record_column_name(enum record_column column)
{
	return columns[column].name;
}

static bool given(const struct record *record, enum record_column column)
{
	return record->value[column].kind != RECORD_ABSENT;
}

// The errors name the column and never the value: it may be a secret in the wrong place.
static int bytes_of(const struct record *record, enum record_column column, uint8_t *bytes,
	size_t room, uint8_t *len, struct store_error *error)
{
	const char *end;
	size_t n;

	*len = 0;
	if (!given(record, column))
		return 0;
	size_t digits = record->value[column].len;
	if (digits > 2 * room)
		return store_fail(
			error, -EINVAL, "%s: more than %zu bytes", columns[column].name, room);
	if (sodium_hex2bin(bytes, room, record->value[column].text, digits, NULL, &n, &end) != 0 ||
		end != record->value[column].text + digits)
		return store_fail(
			error, -EINVAL, "%s: not hex, two digits a byte", columns[column].name);
	*len = n;
	return 0;
}

static int algorithm_of(const struct record *record, enum aead_alg *alg, struct store_error *error)
{
	const char *text = record->value[RECORD_ALGORITHM].text;

	*alg = AEAD_AES_CCM_16_64_128;
	if (!given(record, RECORD_ALGORITHM))
		return 0;
	size_t digits = strspn(text, "0123456789");
	int code;
	if (digits > 0 && digits < 6 && text[digits] == 0)
		code = aead_alg_from_cose(strtol(text, NULL, 10), alg);
	else
		code = aead_alg_from_name(text, alg);
	return code == 0 ? 0
			 : store_fail(error, -EINVAL,
				   "algorithm: no AEAD algorithm of COSE that postern speaks");
}

static int bool_of(const struct record *record, enum record_column column, bool *value,
	struct store_error *error)
{
	const char *text = record->value[column].text;

	*value = strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0;
	if (*value || strcasecmp(text, "false") == 0 || strcmp(text, "0") == 0)
		return 0;
	return store_fail(error, -EINVAL, "%s: neither true nor false", columns[column].name);
}

static int seq_of(const struct record *record, enum record_column column, bool *has, uint64_t *seq,
	struct store_error *error)
{
	const char *text = record->value[column].text;

	*has = given(record, column);
	if (!*has)
		return 0;
	errno = 0;
	char *end;
	*seq = strtoull(text, &end, 10);
	// strtoull would also take blanks and signs.
	if (strspn(text, "0123456789") != record->value[column].len || end == text || errno != 0)
		return store_fail(
			error, -EINVAL, "%s: not a whole number from 0", columns[column].name);
	return 0;
}

static int policy_of(
	const struct record *record, struct device_spec *spec, struct store_error *error)
{
	spec->has_recovery = given(record, RECORD_RECOVERY);
	if (spec->has_recovery &&
		device_recovery_of(record->value[RECORD_RECOVERY].text, &spec->recovery) != 0)
		return store_fail(error, -EINVAL, "recovery: neither echo nor floor");
	spec->has_own_piv = given(record, RECORD_OWN_PIV);
	if (spec->has_own_piv &&
		device_own_piv_of(record->value[RECORD_OWN_PIV].text, &spec->own_piv) != 0)
		return store_fail(error, -EINVAL, "own_piv: not auto, always or clock");
	return 0;
}

// A limit of a device, 0 if nothing is said.
static int limit_of(const struct record *record, enum record_column column, unsigned least,
	unsigned most, unsigned *limit, struct store_error *error)
{
	uint64_t value = 0;
	bool has;
	int code = seq_of(record, column, &has, &value, error);

	*limit = value <= most ? value : 0;
	if (code == 0 && has && (value < least || value > most))
		return store_fail(
			error, -EINVAL, "%s: from %u to %u", columns[column].name, least, most);
	return code;
}

static int limits_of(
	const struct record *record, struct device_limits *limits, struct store_error *error)
{
	unsigned message = 0, in_flight = 0;
	int code = limit_of(record, RECORD_MAX_MESSAGE, DEVICE_MESSAGE_MIN, DEVICE_MESSAGE_MAX,
		&message, error);

	if (code == 0)
		code = limit_of(
			record, RECORD_MAX_IN_FLIGHT, 1, DEVICE_IN_FLIGHT_MAX, &in_flight, error);
	limits->max_message = message;
	limits->max_in_flight = in_flight;
	return code;
}

static int check_values(const struct record *record, struct store_error *error)
{
	static const enum record_column required[] = {
		RECORD_DEVICE_ID, RECORD_GATEWAY_ID, RECORD_MASTER_SECRET};

	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
		if (!given(record, required[i]))
			return store_fail(error, -EINVAL, "%s: missing", columns[required[i]].name);
	}
	for (unsigned i = 0; i < RECORD_COLUMNS; i++) {
		if (!given(record, i))
			continue;
		if (((columns[i].kinds | RECORD_TEXT) & record->value[i].kind) == 0)
			return store_fail(
				error, -EINVAL, "%s: not the right kind of value", columns[i].name);
		if (strlen(record->value[i].text) != record->value[i].len)
			return store_fail(error, -EINVAL, "%s: has a NUL", columns[i].name);
	}
	return 0;
}

static int params_of(
	const struct record *record, struct osc_params *params, struct store_error *error)
{
	int code = bytes_of(record, RECORD_DEVICE_ID, params->recipient_id, OSC_KID_LEN_MAX,
		&params->recipient_id_len, error);
	if (code == 0)
		code = bytes_of(record, RECORD_GATEWAY_ID, params->sender_id, OSC_KID_LEN_MAX,
			&params->sender_id_len, error);
	if (code == 0)
		code = bytes_of(record, RECORD_MASTER_SECRET, params->secret, OSC_SECRET_LEN_MAX,
			&params->secret_len, error);
	if (code == 0)
		code = bytes_of(record, RECORD_MASTER_SALT, params->salt, OSC_SECRET_LEN_MAX,
			&params->salt_len, error);
	if (code == 0)
		code = bytes_of(record, RECORD_ID_CONTEXT, params->id_context,
			OSC_ID_CONTEXT_LEN_MAX, &params->id_context_len, error);
	params->has_id_context = given(record, RECORD_ID_CONTEXT);
	return code != 0 ? code : algorithm_of(record, &params->alg, error);
}

static int spec_of(const struct record *record, bool never_used, struct device_spec *spec,
	struct store_error *error)
{
	int code = check_values(record, error);
	if (code == 0)
		code = params_of(record, &spec->params, error);
	if (code != 0)
		return code;
	if (given(record, RECORD_NAME)) {
		if (!device_name_valid(record->value[RECORD_NAME].text))
			return store_fail(error, -EINVAL,
				"name: 1 to %d of A-Z a-z 0-9 . _ : - are allowed",
				DEVICE_NAME_MAX);
		memcpy(spec->name, record->value[RECORD_NAME].text, record->value[RECORD_NAME].len);
	}
	code = seq_of(
		record, RECORD_GATEWAY_SEQ, &spec->has_gateway_seq, &spec->gateway_seq, error);
	if (code == 0)
		code = seq_of(
			record, RECORD_DEVICE_SEQ, &spec->has_device_seq, &spec->device_seq, error);
	if (code == 0)
		code = policy_of(record, spec, error);
	if (code == 0)
		code = limits_of(record, &spec->limits, error);
	if (code == 0 && given(record, RECORD_NEVER_USED))
		return bool_of(record, RECORD_NEVER_USED, &spec->never_used, error);
	// What is said of the whole file counts for rows that say nothing.
	spec->never_used = never_used && !spec->has_gateway_seq;
	return code;
}

int record_to_spec(const struct record *record, bool never_used, struct device_spec *spec,
	struct store_error *error)
{
	memset(spec, 0, sizeof(*spec));
	int code = spec_of(record, never_used, spec, error);
	if (code != 0)
		sodium_memzero(spec, sizeof(*spec));
	return code;
}
