// SPDX-License-Identifier: BSD-3-Clause
// The records of each format, byte by byte.

#include "dataplane/coap/message.h"
#include "gw/batch/record.h"
#include "gw/map/media.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static union {
	struct batch_way way;
	uint8_t bytes[BATCH_WAY_ROOM];
} room;

static struct batch_source source;

static void init(void)
{
	source = (struct batch_source){.device = "sensor-17",
		.subject = "/t/load?u=C",
		.fingerprint = 0x0f3a91c2d4e5b687,
		.content_format = 50,
		.code = COAP_POST};
}

TestSuite(batch_record, .init = init);

// A record as text, or the name of what is wrong with it.
static const char *record_of(
	enum conf_batch_format format, const char *payload, size_t len, size_t space)
{
	static char text[4096];
	static const char *const wrong[] = {[BATCH_PUT_NO_ROOM] = "no room",
		[BATCH_PUT_BAD_TYPE] = "type",
		[BATCH_PUT_BAD_PAYLOAD] = "payload"};
	struct batch_reading reading = {.piv = 20,
		.unix_ms = 1767225600042,
		.payload = (const uint8_t *)payload,
		.len = len};
	uint8_t *at = malloc(space ? space : 1); // of its own, so that what goes too far is seen
	size_t written = 0;

	source.format = format;
	cr_assert(batch_way_make(&room.way, sizeof(room), &source));
	enum batch_put rc = batch_record_put(&room.way, &reading, at, space, &written);
	if (!rc)
		memcpy(text, at, written);
	text[rc ? 0 : written] = 0;
	free(at);
	return rc ? wrong[rc] : text;
}

static void expect(enum conf_batch_format format, const char *payload, const char *want)
{
	const char *got = record_of(format, payload, strlen(payload), 4000);

	cr_expect_str_eq(got, want, "%s\nnot\n%s", got, want);
}

#define EVENT(type, subject, cf)                                         \
	"{\"specversion\":\"1.0\",\"type\":\"" type                      \
	"\",\"source\":\"/devices/sensor-17\"," subject cf               \
	"\"id\":\"0f3a91c2d4e5b687-20\",\"sequence\":\"0000000000020\"," \
	"\"time\":\"2026-01-01T00:00:00.042000Z\""
#define SUBJECT "\"subject\":\"/t/load?u=C\","
#define JSON_CF "\"datacontenttype\":\"application/json\","

Test(batch_record, cloudevents)
{
	expect(CONF_BATCH_CLOUDEVENTS, "{\"v\": 23.1}\n",
		EVENT("coap.post", SUBJECT, JSON_CF) ",\"data\":{\"v\": 23.1}\n},\n");
	expect(CONF_BATCH_CLOUDEVENTS, "{\"v\": 23.1,}",
		EVENT("coap.post", SUBJECT, JSON_CF) ",\"data_base64\":\"eyJ2IjogMjMuMSx9\"},\n");
	expect(CONF_BATCH_CLOUDEVENTS, "", EVENT("coap.post", SUBJECT, JSON_CF) "},\n");
	source.subject = "";
	source.content_format = MAP_FORMAT_NONE;
	source.code = COAP_PUT;
	expect(CONF_BATCH_CLOUDEVENTS, "{}",
		EVENT("coap.put", "", "") ",\"data_base64\":\"e30=\"},\n");
	source.content_format = 0;
	expect(CONF_BATCH_CLOUDEVENTS, "a \"b\"\n",
		EVENT("coap.put", "",
			"\"datacontenttype\":\"text/plain; charset=utf-8\",") ",\"data\":\"a "
									      "\\\"b\\\"\\u000a\"},"
									      "\n");
	expect(CONF_BATCH_CLOUDEVENTS, "\xff",
		EVENT("coap.put", "",
			"\"datacontenttype\":\"text/plain; charset=utf-8\",") ",\"data_base64\":\"/"
									      "w==\"},\n");
	source.content_format = 11050;
	expect(CONF_BATCH_CLOUDEVENTS, "{}",
		EVENT("coap.put", "",
			JSON_CF
			"\"contentencoding\":\"deflate\",") ",\"data_base64\":\"e30=\"},\n");
}

Test(batch_record, ndjson)
{
	expect(CONF_BATCH_NDJSON, "{\"v\":\r\n23.1}",
		EVENT("coap.post", SUBJECT, JSON_CF) ",\"data\":{\"v\":  23.1}}\n");
}

Test(batch_record, es_bulk)
{
	expect(CONF_BATCH_ES_BULK, "1",
		"{\"create\":{\"_id\":\"0f3a91c2d4e5b687-20\"}}\n"
		"{\"specversion\":\"1.0\",\"type\":\"coap.post\",\"source\":\"/devices/"
		"sensor-17\"," SUBJECT JSON_CF
		"\"id\":\"0f3a91c2d4e5b687-20\",\"sequence\":\"0000000000020\","
		"\"@timestamp\":\"2026-01-01T00:00:00.042000Z\",\"data\":1}\n");
}

Test(batch_record, cbor_seq)
{
	// [id, device, method, path, 1(time), content-format, bytes]
	expect(CONF_BATCH_CBOR_SEQ, "abc",
		"\x87\x73"
		"0f3a91c2d4e5b687-20"
		"\x69"
		"sensor-17"
		"\x64"
		"POST"
		"\x6b"
		"/t/load?u=C"
		"\xc1\xfb\x41\xda\x55\x6e\x40\x02\xb0\x21"
		"\x18\x32\x43"
		"abc");
	source.content_format = MAP_FORMAT_NONE;
	const char *got = record_of(CONF_BATCH_CBOR_SEQ, "", 0, 4000);
	cr_expect_str_eq(got + strlen(got) - 2, "\xf6\x40");
}

#define LINE "senml,device=sensor-17,name="

Test(batch_record, influx)
{
	static const struct {
		const char *payload, *want;
	} rows[] = {
		{"[{\"n\":\"t\",\"v\":23.10}]", LINE "t v=23.10 1767225600042000000\n"},
		{"[{\"bn\":\"urn:dev:1:\",\"bt\":1767225601,\"bu\":\"Cel\",\"n\":\"a\",\"v\":1},"
		 "{\"n\":\"b\",\"t\":-0.5,\"u\":\"%RH\",\"vs\":\"x \\\"y\\\" "
		 "\\\\\"},{\"n\":\"c\",\"vb\":true,"
		 "\"x\":[{}]}]",
			LINE
			"urn:dev:1:a,unit=Cel v=1 1767225601000000000\n" LINE
			"urn:dev:1:b,unit=%RH vs=\"x \\\"y\\\" \\\\\" 1767225600500000000\n" LINE
			"urn:dev:1:c,unit=Cel vb=true 1767225601000000000\n"},
		{"[{\"bn\":\"a\",\"bv\":2,\"v\":0.5},{\"s\":3}]",
			LINE "a v=2.5 1767225600042000000\n" LINE
			     "a v=2,s=3 1767225600042000000\n"},
		{"[{\"n\":\"t\",\"vd\":\"AQI\",\"t\":-1}]",
			LINE "t vd=\"AQI\" 1767225599042000000\n"},
		{"", "payload"},
		{"[]", "payload"},
		{"{}", "payload"},
		{"[{\"n\":\"t\"}]", "payload"},
		{"[{\"v\":1}]", "payload"},
		{"[{\"n\":\"t\",\"v\":1}] ", LINE "t v=1 1767225600042000000\n"},
		{"[{\"n\":\"t\",\"v\":1}]x", "payload"},
		{"[{\"n\":\"t\",\"v\":1,\"vb\":true}]", "payload"},
		{"[{\"n\":\"t\",\"v\":\"1\"}]", "payload"},
		{"[{\"n\":\"t\",\"v\":1,\"v\":2}]", "payload"},
		{"[{\"n\":\"t\",\"v\":1,\"must_\":2}]", "payload"},
		{"[{\"n\":\"t\",\"v\":1,\"bver\":11}]", "payload"},
		{"[{\"n\":\"t\\\\\",\"v\":1}]", "payload"},
		{"[{\"n\":\"t\\nx\",\"v\":1}]", "payload"},
		{"[{\"n\":\"t,x=1\",\"v\":1}]", "payload"},
		{"[{\"n\":\"t\",\"u\":\"C\\\\\",\"v\":1}]", "payload"},
		{"[{\"n\":\"t\",\"u\":\"C x\",\"v\":1}]", "payload"},
		{"[{\"n\":\"t\",\"vs\":\"a\\nb\"}]", "payload"},
	};

	source.content_format = 110;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(CONF_BATCH_INFLUX, rows[i].payload, rows[i].want);
	source.content_format = 112;
	expect(CONF_BATCH_INFLUX, "[{\"n\":\"t\",\"v\":1}]", "type");
	source.content_format = 110;
	source.device = "a b,c=d\\";
	expect(CONF_BATCH_INFLUX, "[{\"n\":\"t\",\"v\":1}]",
		"senml,device=a%20b%2Cc%3Dd%5C,name=t v=1 1767225600042000000\n");
}

// With less room than a record needs, nothing is written behind it.
Test(batch_record, room)
{
	static const char payload[] = "[{\"n\":\"t\",\"v\":1,\"u\":\"a/b\"}]";

	source.content_format = 110;
	for (enum conf_batch_format f = CONF_BATCH_CLOUDEVENTS; f <= CONF_BATCH_INFLUX; f++) {
		size_t needs = 0;

		while (!strcmp(record_of(f, payload, sizeof(payload) - 1, needs), "no room"))
			needs++;
		size_t len = strlen(record_of(f, payload, sizeof(payload) - 1, 4000));
		cr_expect(needs >= len && needs < len + 200, "%d: %zu, %zu", f, needs, len);
	}
}

// The largest sequence number, and text that its escapes make too long for the body.
Test(batch_record, extremes)
{
	char text[600];

	memset(text, 1, sizeof(text));
	source.content_format = 0;
	cr_expect(
		strstr(record_of(CONF_BATCH_NDJSON, text, sizeof(text), 2000), "\"data_base64\":"));
	cr_expect(strstr(record_of(CONF_BATCH_NDJSON, text, 10, 2000), "\"data\":\"\\u0001"));
	cr_expect_not(batch_way_make(&room.way, 64, &source));
}
