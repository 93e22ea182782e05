// SPDX-License-Identifier: BSD-3-Clause
// Files of devices, CSV and JSON: rows keep the promises of a device_spec, bad ones say why, and a
// file is understood in the same way whatever pieces it comes in. Files of other implementations,
// which are converted: what comes of them is a row that an import takes.
//
// The input is a byte that picks the format and what is said for all rows, a byte of the size of
// pieces, then the file.

#include "gw/device/convert.h"
#include "gw/device/json_write.h"
#include "gw/device/record.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

union parser {
	struct csv csv;
	struct json json;
};

// What came of a file.
struct outcome {
	uint64_t rows, bad, last_line, names; // names: a sum over those of all good rows
	enum parse_verdict end;
};

static void spec_check(const struct device_spec *spec)
{
	const struct osc_params *params = &spec->params;

	FUZZ_CHECK(memchr(spec->name, 0, sizeof(spec->name)));
	FUZZ_CHECK(params->alg < AEAD_ALG_COUNT);
	FUZZ_CHECK(params->secret_len <= OSC_SECRET_LEN_MAX); // the store refuses an empty one
	FUZZ_CHECK(params->salt_len <= OSC_SECRET_LEN_MAX);
	FUZZ_CHECK(params->sender_id_len <= OSC_KID_LEN_MAX);
	FUZZ_CHECK(params->recipient_id_len <= OSC_KID_LEN_MAX);
	FUZZ_CHECK(params->id_context_len <= OSC_ID_CONTEXT_LEN_MAX);
	FUZZ_CHECK(params->has_id_context || params->id_context_len == 0);
	FUZZ_CHECK(spec->recovery <= DEVICE_B2 && spec->own_piv <= DEVICE_OWN_PIV_CLOCK &&
		spec->rederive <= DEVICE_REDERIVE_B2);
}

static void error_check(const struct error *error)
{
	size_t len = strnlen(error->text, sizeof(error->text));

	FUZZ_CHECK(len && len < sizeof(error->text));
	for (size_t i = 0; i < len; i++)
		FUZZ_CHECK((uint8_t)error->text[i] >= 0x20);
}

static void record_take(const struct record *record, bool never_used, struct outcome *outcome)
{
	struct device_spec spec;
	struct error error = {0};

	for (unsigned i = 0; i < device_attribute_count; i++)
		FUZZ_CHECK(record->value[i].kind != RECORD_TEXT ||
			record->value[i].text[record->value[i].len] == 0);
	if (record_to_spec(record, never_used, &spec, &error)) {
		error_check(&error);
		outcome->bad++;
		return;
	}
	spec_check(&spec);
	for (const char *c = spec.name; *c; c++)
		outcome->names = outcome->names * 31 + (uint8_t)*c;
}

static struct outcome file_read(
	bool json, bool never_used, const uint8_t *data, size_t len, size_t piece)
{
	union parser *parser = calloc(1, json ? sizeof(parser->json) : sizeof(parser->csv));
	struct outcome outcome = {.end = PARSE_NEED_DATA};
	struct parse_input input = {0};
	struct record record;
	struct error error;
	char *copy = NULL;

	while (outcome.end != PARSE_END && outcome.end != PARSE_BROKEN) {
		memset(&record, 0, sizeof(record));
		memset(&error, 0, sizeof(error));
		enum parse_verdict verdict = json
			? json_parse(&parser->json, &input, &record, &error)
			: csv_parse(&parser->csv, &input, &record, &error);

		FUZZ_CHECK(input.used <= input.len);
		outcome.end = verdict;
		if (verdict == PARSE_NEED_DATA) { // the next piece, in a place of its own
			FUZZ_CHECK(input.used == input.len && !input.last);
			free(copy);
			size_t n = len < piece ? len : piece;
			copy = malloc(n);
			if (n)
				memcpy(copy, data, n);
			input = (struct parse_input){.data = copy, .len = n, .last = n == 0};
			data += n;
			len -= n;
			continue;
		}
		if (verdict == PARSE_BAD_RECORD || verdict == PARSE_BROKEN)
			error_check(&error);
		if (verdict == PARSE_BROKEN || verdict == PARSE_END)
			continue;
		outcome.rows++;
		FUZZ_CHECK(record.line >= outcome.last_line);
		outcome.last_line = record.line;
		if (verdict == PARSE_RECORD)
			record_take(&record, never_used, &outcome);
		else
			outcome.bad++;
	}
	free(copy);
	free(parser);
	return outcome;
}

static int converted_take(void *arg, const struct device_spec *spec)
{
	char text[DEVICE_JSON_MAX];
	struct outcome outcome;

	spec_check(spec);
	size_t len = device_json(text, spec);
	FUZZ_CHECK(len > 0 && len <= sizeof(text));
	outcome = file_read(true, true, (const uint8_t *)text, len, len);
	FUZZ_CHECK(outcome.rows == 1 && outcome.bad == 0 && outcome.end == PARSE_END);
	return 0;
}

static void convert(unsigned format, bool server, bool never_used, const uint8_t *data, size_t len)
{
	const struct convert how = {
		.server = server, .never_used = never_used, .each = converted_take};
	char *copy = malloc(len + 1), *texts[CONVERT_AIOCOAP] = {NULL};
	size_t lens[CONVERT_AIOCOAP] = {0};
	struct error error = {0};
	int code;

	if (len > 0)
		memcpy(copy, data, len);
	copy[len] = 0;
	if (format == 1) {
		code = convert_libcoap(&how, copy, len, &error);
	} else if (format == 2) {
		code = convert_leshan(&how, copy, len, &error);
	} else {
		// The settings, and behind a NUL the numbers.
		size_t settings = strlen(copy);
		texts[CONVERT_AIOCOAP_SETTINGS] = copy;
		lens[CONVERT_AIOCOAP_SETTINGS] = settings;
		if (settings < len) {
			texts[CONVERT_AIOCOAP_SEQUENCE] = copy + settings + 1;
			lens[CONVERT_AIOCOAP_SEQUENCE] = len - settings - 1;
		}
		code = convert_aiocoap(&how, texts, lens, &error);
	}
	if (code != 0)
		error_check(&error);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 2)
		return 0;
	unsigned format = data[0] >> 2 & 3;
	if (format != 0) {
		convert(format, data[0] & 1, data[0] & 2, data + 2, len - 2);
		return 0;
	}
	bool json = data[0] & 1, never_used = data[0] & 2;
	struct outcome whole = file_read(json, never_used, data + 2, len - 2, len);
	struct outcome pieces = file_read(json, never_used, data + 2, len - 2, 1 + data[1] % 16);

	FUZZ_CHECK(whole.rows == pieces.rows && whole.bad == pieces.bad);
	FUZZ_CHECK(whole.last_line == pieces.last_line && whole.names == pieces.names);
	FUZZ_CHECK(whole.end == pieces.end);
	return 0;
}
