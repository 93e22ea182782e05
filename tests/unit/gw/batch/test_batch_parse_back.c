// SPDX-License-Identifier: BSD-3-Clause
// A payload never ends its record: bodies of records with payloads at random are parsed back by
// readers that are not ours, Python's json and cbor2 and jansson, and hold what was put in.
// BATCH_READINGS says how many payloads, 10 000 a format if it is not set.

#include "dataplane/coap/message.h"
#include "gw/batch/record.h"
#include "gw/map/media.h"
#include "tests/unit/gw/batch/payloads.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY_MAX 65536

static const struct {
	int content_format;
	bool senml;
} types[] = {{MAP_FORMAT_NONE, false}, {50, false}, {50, false}, {0, false}, {60, false},
	{110, true}, {11050, false}, {17, false}, {65000, false}, {51, false}};

static void hex(FILE *out, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%02x", bytes[i]);
	fputc('\n', out);
}

// Closes a body as a batch does.
static size_t body_close(const struct batch_form *form, uint8_t *body, size_t len)
{
	memcpy(body + len - form->between_len, form->after, form->after_len);
	return len - form->between_len + form->after_len;
}

// A reader that knows no mercy: what it cannot read costs a whole batch.
static void jansson_reads(enum conf_batch_format format, const uint8_t *body, size_t len)
{
	json_error_t error;
	json_t *root;

	if (format == CONF_BATCH_CLOUDEVENTS) {
		root = json_loadb((const char *)body, len, JSON_REJECT_DUPLICATES, &error);
		cr_assert_not_null(
			root, "%s at %d:\n%.*s", error.text, error.position, (int)len, body);
		json_decref(root);
		return;
	}
	for (const uint8_t *at = body, *end; at < body + len; at = end + 1) {
		end = memchr(at, '\n', (size_t)(body + len - at));
		cr_assert_not_null(end);
		root = json_loadb(
			(const char *)at, (size_t)(end - at), JSON_REJECT_DUPLICATES, &error);
		cr_assert_not_null(root, "%s:\n%.*s", error.text, (int)(end - at), at);
		json_decref(root);
	}
}

struct writing {
	enum conf_batch_format format;
	FILE *out;
	uint8_t body[BODY_MAX];
	size_t len;
	unsigned records;
};

// Writes the body, and what it should hold stands in front of it already.
static void body_end(struct writing *w)
{
	const struct batch_form *form = batch_form_of(w->format);

	if (w->records) {
		w->len = body_close(form, w->body, w->len);
		if (w->format != CONF_BATCH_CBOR_SEQ && w->format != CONF_BATCH_INFLUX)
			jansson_reads(w->format, w->body, w->len);
		fprintf(w->out, "body %zu\n", w->len);
		fwrite(w->body, 1, w->len, w->out);
		fputc('\n', w->out);
	}
	memcpy(w->body, form->before, form->before_len);
	w->len = form->before_len;
	w->records = 0;
}

static void write_some(struct writing *w, struct payloads *p, unsigned long count)
{
	union {
		struct batch_way way;
		uint8_t bytes[BATCH_WAY_ROOM];
	} room;
	uint8_t payload[PAYLOAD_MAX];

	body_end(w);
	for (unsigned long i = 0; i < count; i++) {
		size_t type = payload_random(p) % (sizeof(types) / sizeof(types[0]));
		struct batch_source source = {.format = w->format,
			.device = i % 3 ? "sensor-17" : "s\xc3\xa9, \"7\" \\ x",
			.subject = i % 5 ? "/t/caf%C3%A9?u=%22" : "",
			.fingerprint = payload_random(p),
			.content_format =
				w->format == CONF_BATCH_INFLUX ? 110 : types[type].content_format,
			.code = i % 2 ? COAP_POST : COAP_PUT};
		struct batch_reading reading = {.piv = payload_random(p) >> (24 + i % 40),
			.unix_ms = 1700000000000 + i,
			.payload = payload,
			.len = w->format == CONF_BATCH_INFLUX ? payload_senml(p, payload)
							      : payload_make(p, payload)};
		size_t len;

		cr_assert(batch_way_make(&room.way, sizeof(room), &source));
		enum batch_put rc = batch_record_put(
			&room.way, &reading, w->body + w->len, BODY_MAX - w->len, &len);
		if (rc == BATCH_PUT_NO_ROOM) {
			body_end(w);
			rc = batch_record_put(
				&room.way, &reading, w->body + w->len, BODY_MAX - w->len, &len);
		}
		if (w->format == CONF_BATCH_INFLUX && rc == BATCH_PUT_BAD_PAYLOAD)
			continue;
		cr_assert_eq(rc, BATCH_PUT_OK);
		w->len += len;
		w->records++;
		fprintf(w->out, "record %016lx %lu %lu %d %s %d ", source.fingerprint, reading.piv,
			reading.unix_ms, source.content_format,
			source.code == COAP_PUT ? "PUT" : "POST", i % 3 ? 1 : 0);
		fprintf(w->out, "%s ", *source.subject ? source.subject : "-");
		hex(w->out, payload, reading.len);
	}
	body_end(w);
}

static void check(enum conf_batch_format format, const char *name)
{
	const char *wanted = getenv("BATCH_READINGS");
	unsigned long count = wanted ? strtoul(wanted, NULL, 10) : 10000;
	struct writing *w = calloc(1, sizeof(*w));
	struct payloads p = {.state = 1 + (uint64_t)format};
	char path[] = "/tmp/postern-test-XXXXXX", command[512];
	int fd = mkstemp(path);

	cr_assert(fd >= 0);
	w->format = format;
	w->out = fdopen(fd, "w");
	write_some(w, &p, count);
	cr_assert_eq(fclose(w->out), 0);
	snprintf(command, sizeof(command), "/usr/bin/python3 %s %s %s", PARSE_BACK, name, path);
	cr_expect_eq(system(command), 0);
	unlink(path);
	free(w);
}

Test(batch_parse_back, cloudevents)
{
	check(CONF_BATCH_CLOUDEVENTS, "cloudevents");
}

Test(batch_parse_back, ndjson)
{
	check(CONF_BATCH_NDJSON, "ndjson");
}

Test(batch_parse_back, cbor_seq)
{
	check(CONF_BATCH_CBOR_SEQ, "cbor-seq");
}

Test(batch_parse_back, es_bulk)
{
	check(CONF_BATCH_ES_BULK, "es-bulk");
}

Test(batch_parse_back, influx)
{
	check(CONF_BATCH_INFLUX, "influx");
}
