// SPDX-License-Identifier: BSD-3-Clause
// Lines of the access log: whatever a device and its name are made of, a line is one JSON object
// on one line.
//
// The input is six bytes of numbers, a byte of the length of the name, the name, then options and
// payload of the request.

#include "gw/upstream/access_line.h"
#include "gw/upstream/access_log.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <string.h>

#define NUMBERS 6

static const char *const members[] = {"time", "device", "credential", "method", "path", "route",
	"upstream", "server", "status", "code", "in", "out", "queued_ms", "connect_ms", "total_ms",
	"tries", "batch", "batch_size", "reason", "error", "trace"};

static void line_check(const char *line, size_t len)
{
	FUZZ_CHECK(len && line[len - 1] == '\n');
	for (size_t i = 0; i + 1 < len; i++)
		FUZZ_CHECK((uint8_t)line[i] >= 0x20 && line[i] != 0x7f);
	json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	FUZZ_CHECK(json_is_object(json));
	FUZZ_CHECK(json_object_size(json) == sizeof(members) / sizeof(members[0]));
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		FUZZ_CHECK(json_object_get(json, members[i]));
	FUZZ_CHECK(strlen(json_string_value(json_object_get(json, "reason"))) == 2);
	const char *trace = json_string_value(json_object_get(json, "trace"));
	FUZZ_CHECK(!trace || strlen(trace) == 2 * MAP_TRACE_LEN);
	const char *credential = json_string_value(json_object_get(json, "credential"));
	FUZZ_CHECK(!credential || strlen(credential) == 2 * UP_CREDENTIAL_LEN);
	json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char name[UINT8_MAX + 1] = {0};

	if (len < NUMBERS + 1 || len - NUMBERS - 1 < data[NUMBERS])
		return 0;
	size_t name_len = data[NUMBERS];
	uint8_t trace[MAP_TRACE_LEN];
	memset(trace, data[5], sizeof(trace));
	memcpy(name, data + NUMBERS + 1, name_len);
	const struct up_access_entry entry = {
		.device = data[0] & 1 ? name : NULL,
		.credential = data[0] & 128 ? trace : NULL,
		.route = data[0] & 2 ? name : NULL,
		.upstream = data[0] & 4 ? name : NULL,
		.server = data[0] & 8 ? name : NULL,
		.abandoned = data[0] & 16,
		.sent = data[0] & 32,
		.own = data[0] & 64,
		.method = data[1],
		.code = data[2],
		.error = data[3] % HTTP_ERROR_COUNT,
		.status = data[4] * 4,
		.tries = data[5],
		.body = data + NUMBERS + 1 + name_len,
		.body_len = len - NUMBERS - 1 - name_len,
		.in = data[5],
		.trace = data[0] & 128 ? trace : NULL,
	};
	char *line = malloc(UP_ACCESS_LINE_MAX);
	size_t n = up_access_line_write(&entry, line, UP_ACCESS_LINE_MAX);
	if (n) // several long texts may be too much for a line, which is dropped and counted then
		line_check(line, n);
	FUZZ_CHECK(n || name_len > 128);
	char *tight = malloc(n);
	FUZZ_CHECK(!n || up_access_line_write(&entry, tight, n) == n);
	FUZZ_CHECK(!n || up_access_line_write(&entry, tight, n - 1) == 0);
	free(tight);
	free(line);
	return 0;
}
