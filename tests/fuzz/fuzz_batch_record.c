// SPDX-License-Identifier: BSD-3-Clause
// The records of a batch: whatever a payload is made of, a record of NDJSON is one line, which a
// strict reader of JSON reads, and what is around it stays readable.
//
// The input is a byte of format and Content-Format, a byte of the room, and the payload.

#include "dataplane/coap/message.h"
#include "gw/batch/record.h"
#include "gw/map/media.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <string.h>

#define FORMATS (CONF_BATCH_INFLUX + 1)

static const int types[] = {MAP_FORMAT_NONE, 50, 0, 110};

static void line_check(const char *line, size_t len)
{
	FUZZ_CHECK(len && line[len - 1] == '\n' && !memchr(line, '\n', len - 1) &&
		!memchr(line, '\r', len));
	json_t *json = json_loadb(line, len - 1, JSON_REJECT_DUPLICATES, NULL);
	FUZZ_CHECK(json_is_object(json));
	json_decref(json);
}

static void record_check(enum conf_batch_format format, const char *record, size_t len)
{
	const char *line;

	switch (format) {
	case CONF_BATCH_NDJSON:
		line_check(record, len);
		break;
	case CONF_BATCH_CLOUDEVENTS:
		FUZZ_CHECK(len > 2 && record[len - 2] == ',' && record[len - 1] == '\n');
		json_t *json = json_loadb(record, len - 2, JSON_REJECT_DUPLICATES, NULL);
		FUZZ_CHECK(json_is_object(json));
		json_decref(json);
		break;
	case CONF_BATCH_ES_BULK:
		line = memchr(record, '\n', len);
		FUZZ_CHECK(line);
		line_check(record, (size_t)(line + 1 - record));
		line_check(line + 1, len - (size_t)(line + 1 - record));
		break;
	case CONF_BATCH_INFLUX:
		for (size_t i = 0; i < len; i++)
			FUZZ_CHECK((uint8_t)record[i] >= 0x20 || record[i] == '\n');
		FUZZ_CHECK(record[len - 1] == '\n');
		break;
	case CONF_BATCH_CBOR_SEQ:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	union {
		struct batch_way way;
		uint8_t bytes[1024];
	} room;

	if (len < 2)
		return 0;
	const struct batch_source source = {.format = data[0] % FORMATS,
		.device = "sensor-17",
		.subject = data[0] & 128 ? "/t" : "",
		.fingerprint = len,
		.content_format = types[data[0] / FORMATS % 4],
		.code = COAP_POST};
	const struct batch_reading reading = {
		.piv = data[1], .unix_ms = 1767225600042, .payload = data + 2, .len = len - 2};
	size_t space = (size_t)data[1] * 32, written = 0;
	uint8_t *at = malloc(space ? space : 1);

	FUZZ_CHECK(batch_way_make(&room.way, sizeof(room), &source));
	if (!batch_record_put(&room.way, &reading, at, space, &written)) {
		FUZZ_CHECK(written && written <= space);
		record_check(source.format, (const char *)at, written);
	}
	free(at);
	return 0;
}
