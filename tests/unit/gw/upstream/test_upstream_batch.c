// SPDX-License-Identifier: BSD-3-Clause
// Batches: what is collected, when it is sent, and what each device gets.

#include "tests/unit/gw/http/ingest.h"
#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON "Content-Type: application/json\r\n"

static char routes[512], upstream_text[512];

// With routes of this batch, and keys of the upstream beside its server.
static struct bed *bed_batch(struct ingest *ingest, const char *batch, const char *more)
{
	snprintf(routes, sizeof(routes),
		"- {path: /b0, to: up, timeout: 10s, batch: {path: /ingest?x=1, %s}}\n", batch);
	snprintf(upstream_text, sizeof(upstream_text), "servers: [\"http://127.0.0.1:%u\"]%s%s",
		ingest_port(ingest), *more ? ", " : "", more);
	bed_routes = routes;
	return bed_make(upstream_text);
}

static const char *say_ok(struct ingest *ingest, const struct ingest_request *r, unsigned number)
{
	return INGEST_OK;
}

// Pushes requests of devices 1 to count.
static void push_all(struct bed *bed, unsigned count)
{
	for (unsigned i = 1; i <= count; i++) {
		char line[64];

		bed->device = i;
		snprintf(line, sizeof(line), "POST path=b0 cf=50 |{\"v\":%u}", i);
		bed_push(bed, line);
	}
}

static void expect_all(struct bed *bed, unsigned count, const char *start)
{
	cr_expect_eq(bed_answers_like(bed, count, start), count);
}

Test(upstream_batch, full)
{
	struct ingest *ingest = ingest_start(say_ok, NULL);
	struct bed *bed = bed_batch(ingest, "max: 3, wait: 5s", "");

	push_all(bed, 3);
	expect_all(bed, 3, "2.04");
	const struct ingest_request *r = ingest_get(ingest, 0);
	cr_expect_eq(strncmp(r->head, "POST /ingest?x=1 HTTP/1.1\r\n", 27), 0, "%s", r->head);
	cr_expect(strstr(r->head, "\r\nContent-Type: application/cloudevents-batch+json\r\n"));
	cr_expect_eq(strlen(r->key), 32);
	cr_expect(!strstr(r->head, "Device-Id") && !strstr(r->head, "Oscore-Context") &&
		!strstr(r->head, "Forwarded"));
	cr_expect_eq(r->records, 3);
	cr_expect_eq(*r->body, '[');
	cr_expect_eq(r->body[r->body_len - 1], ']');
	// In the order in which they came.
	const char *at = r->body;
	for (unsigned i = 1; i <= 3; i++) {
		char part[64];

		snprintf(part, sizeof(part), "\"source\":\"/devices/device-%u.3\"", i);
		at = strstr(at, part);
		cr_assert_not_null(at, "%s in %s", part, r->body);
		snprintf(part, sizeof(part), "\"data\":{\"v\":%u}", i);
		at = strstr(at, part);
		cr_assert_not_null(at, "%s in %s", part, r->body);
	}
	cr_expect_eq(ingest_count(ingest), 1);
	cr_expect_eq(bed_stat(bed, UP_STAT_batched), 3);
	cr_expect_eq(bed_stat(bed, UP_STAT_batches), 1);
	cr_expect_eq(bed_stat(bed, UP_STAT_attempts), 1);
	cr_expect_eq(bed_stat(bed, UP_STAT_FILL + 2), 1); // up to 4
	cr_expect_eq(bed_stat(bed, UP_STAT_FILL + UP_STAT_BUCKETS), 3);
	bed_expect_answers(bed, 3, 0, 0);
	bed_end(bed);
	ingest_stop(ingest);
}

Test(upstream_batch, waited_long_enough)
{
	struct ingest *ingest = ingest_start(say_ok, NULL);
	struct bed *bed = bed_batch(ingest, "wait: 30ms", "");
	uint64_t start = bed_now_ms();

	push_all(bed, 2);
	expect_all(bed, 2, "2.04");
	cr_expect_geq(bed_now_ms() - start, 29);
	cr_expect_eq(ingest_count(ingest), 1);
	bed_end(bed);
	ingest_stop(ingest);
}

// A body is never larger than it may be, and what has no place in a batch of its own is refused.
Test(upstream_batch, bytes)
{
	struct ingest *ingest = ingest_start(say_ok, NULL);
	struct bed *bed = bed_batch(ingest, "bytes: 4KB, wait: 1s", "");
	char line[1200];

	int len = snprintf(line, sizeof(line), "POST path=b0 cf=42 |");
	memset(line + len, 'x', 1000);
	line[len + 1000] = 0;
	for (unsigned i = 0; i < 8; i++)
		bed_push(bed, line);
	expect_all(bed, 8, "2.04");
	unsigned records = 0;
	for (unsigned i = 0; i < ingest_count(ingest); i++) {
		cr_expect_leq(ingest_get(ingest, i)->body_len, 4096);
		records += ingest_get(ingest, i)->records;
	}
	cr_expect_eq(records, 8);
	cr_expect_leq(ingest_count(ingest), 4);
	bed_end(bed);
	ingest_stop(ingest);
}

// What one request asks for alone goes by itself, and is answered by itself.
Test(upstream_batch, singles)
{
	static const char *const rows[] = {"GET path=b0", "POST path=b0 accept=50 |{}",
		"POST path=b0 if-match=01 |{}", "PUT path=b0 if-none-match= |{}", "DELETE path=b0",
		"FETCH path=b0 |{}", "iPATCH path=b0 |{}"};
	struct ingest *ingest = ingest_start(say_ok, NULL);
	struct bed *bed = bed_batch(ingest, "wait: 1s", "");

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bed_expect_start(bed_ask(bed, rows[i]), "2.0");
		cr_expect_str_eq(ingest_get(ingest, i)->path, "/b0");
		cr_expect(strstr(ingest_get(ingest, i)->head, "\r\nDevice-Id: "));
	}
	cr_expect_eq(bed_stat(bed, UP_STAT_batched), 0);
	bed_expect_start(bed_ask(bed, "POST path=b0 65001=01 |{}"), "4.02"); // critical, not known
	bed_end(bed);
	ingest_stop(ingest);
}

// ---- answers

static const char *say_arg(struct ingest *ingest, const struct ingest_request *r, unsigned number)
{
	return ingest_arg(ingest);
}

// The answers of devices 1 to 3, by the device, as far as they go.
static void expect_each(const char *format, const char *answer, const char *const want[3])
{
	char reply[2048], batch[128];

	snprintf(reply, sizeof(reply), "%s", answer);
	struct ingest *ingest = ingest_start(say_arg, reply);
	snprintf(batch, sizeof(batch), "max: 3, wait: 5s, format: %s", format);
	struct bed *bed = bed_batch(ingest, batch, "");
	push_all(bed, 3);
	for (unsigned i = 0; i < 3; i++) {
		const char *got = bed_pull(bed, NULL);
		const char *start = want[bed->context - 1];

		cr_expect_eq(strncmp(got, start, strlen(start)), 0, "%s: device %u: %s not %s",
			answer, bed->context, got, start);
	}
	bed_end(bed);
	ingest_stop(ingest);
}

#define ALL(code)                \
	(const char *const[3])   \
	{                        \
		code, code, code \
	}

Test(upstream_batch, results)
{
	const char *const each[] = {"2.01", "4.22", "5.03 max-age="};
	const char *const missing[] = {"5.02 max-age=0 |no result", "2.04", "4.00"};

	expect_each("cloudevents",
		ingest_reply(200, JSON,
			"{\"items\":[{\"status\":201},{\"status\":422},{\"status\":503}]}"),
		each);
	expect_each("ndjson",
		ingest_reply(207, "Content-Type: application/vnd.x+json; v=1\r\n",
			"{\"results\":[{\"id\":\"0000000000abcdef-3\",\"status\":400},"
			"{\"id\":\"0000000000abcdef-2\",\"status\":200}]}"),
		missing);
	// Whose is whose?
	expect_each(
		"ndjson", ingest_reply(200, JSON, "{\"items\":[{\"status\":201}]}"), ALL("5.02"));
	expect_each("ndjson", ingest_reply(200, JSON, "{\"items\":[{\"status\":201}"), ALL("5.02"));
	// Nothing is said of any.
	expect_each("cbor-seq", ingest_reply(200, JSON, "{\"ok\":true}"), ALL("2.04"));
	expect_each("cbor-seq", ingest_reply(200, "Content-Type: text/plain\r\n", "{\"items\":"),
		ALL("2.04"));
	expect_each("cbor-seq", ingest_reply(201, "", ""), ALL("2.01"));
	expect_each("cbor-seq", INGEST_OK, ALL("2.04"));
}

// Elasticsearch always says it, and a repetition is a success there.
Test(upstream_batch, results_of_es_bulk)
{
	const char *const each[] = {"2.01", "2.04", "4.29 max-age="};

	expect_each("es-bulk",
		ingest_reply(200, JSON,
			"{\"took\":1,\"errors\":true,\"items\":[{\"create\":{\"status\":201}},"
			"{\"create\":{\"status\":409}},{\"create\":{\"status\":429}}]}"),
		each);
	expect_each("es-bulk", ingest_reply(200, "", ""), ALL("5.02"));
	expect_each("es-bulk", ingest_reply(200, JSON, "{\"took\":1}"), ALL("5.02"));
}

Test(upstream_batch, statuses_of_all)
{
	expect_each("ndjson", ingest_reply(500, "", "what happened"), ALL("5.00 max-age=0"));
	expect_each("ndjson", ingest_reply(502, "", ""), ALL("5.02"));
	expect_each("ndjson", ingest_reply(504, "", ""), ALL("5.04"));
	expect_each("ndjson", ingest_reply(302, "Location: /x\r\n", ""), ALL("5.02"));
	expect_each("ndjson", ingest_reply(404, "", ""), ALL("5.02 max-age=0 |backend refuses"));
	expect_each("ndjson", ingest_reply(401, "", ""), ALL("5.02 max-age=0 |backend refuses"));
	// Lines of InfluxDB are a partial write: never cut.
	expect_each("ndjson", "rubbish\r\n\r\n", ALL("5.02"));
}

// A route's own codes are for each record, too.
Test(upstream_batch, codes_of_the_route)
{
	expect_each("ndjson}, status: {422: 4.00, 503: 5.04",
		ingest_reply(200, JSON,
			"{\"items\":[{\"status\":201},{\"status\":422},{\"status\":503}]}"),
		(const char *const[3]){"2.01", "4.00", "5.04"});
}

// What a PUT made is created.
Test(upstream_batch, put)
{
	struct ingest *ingest = ingest_start(
		say_arg, (void *)(uintptr_t) "HTTP/1.1 201 X\r\nContent-Length: 0\r\n\r\n");
	struct bed *bed = bed_batch(ingest, "max: 2, wait: 5s", "");

	bed_push(bed, "PUT path=b0 |x");
	bed_push(bed, "POST path=b0 |y");
	expect_all(bed, 2, "2.01");
	cr_expect(strstr(ingest_get(ingest, 0)->body, "\"type\":\"coap.put\""));
	bed_end(bed);
	ingest_stop(ingest);
}

// An answer that is too large says nothing of anyone; its bound grows with the records.
Test(upstream_batch, answer_bounds)
{
	char *body = calloc(1, 8192);

	for (unsigned i = 0; i < 2; i++) {
		size_t len = i ? 1500 : 6000; // within and beyond 512 B x 3

		snprintf(body, 8192,
			"{\"x\":\"%0*u\",\"items\":[{\"status\":201},{\"status\":201},{\"status\":"
			"201}]}",
			(int)len - 80, 0);
		struct ingest *ingest =
			ingest_start(say_arg, (void *)(uintptr_t)ingest_reply(200, JSON, body));
		struct bed *bed = bed_batch(ingest, "max: 3, wait: 5s", "max_body: 100B");
		push_all(bed, 3);
		expect_all(bed, 3, i ? "2.01" : "5.02");
		bed_end(bed);
		ingest_stop(ingest);
	}
	free(body);
}

// A payload that the format cannot hold costs its own device only.
Test(upstream_batch, influx)
{
	struct ingest *ingest = ingest_start(
		say_arg, (void *)(uintptr_t) "HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n");
	struct bed *bed = bed_batch(ingest, "max: 2, wait: 5s, format: influx", "");

	bed_expect_start(bed_ask(bed, "POST path=b0 cf=60 |x"), "4.15");
	bed_expect_start(
		bed_ask(bed, "POST path=b0 cf=110 |[{\"n\":\"a\",\"vs\":\"x\\ny\"}]"), "4.00");
	cr_expect_eq(ingest_count(ingest), 0);
	// A partial write is never cut: 4.00 to all.
	bed_push(bed, "POST path=b0 cf=110 |[{\"n\":\"a\",\"v\":1}]");
	bed_push(bed, "POST path=b0 cf=110 |[{\"n\":\"b\",\"v\":2}]");
	expect_all(bed, 2, "4.00");
	cr_expect_eq(ingest_count(ingest), 1);
	bed_end(bed);
	ingest_stop(ingest);
}

// What is translated is translated first, each time.
Test(upstream_batch, translated)
{
	struct ingest *ingest = ingest_start(say_ok, NULL);

	snprintf(upstream_text, sizeof(upstream_text), "servers: [\"http://127.0.0.1:%u\"]",
		ingest_port(ingest));
	bed_routes = "- {path: /b0, to: up, translate: cbor-json, batch: {path: /i, max: 3, wait: "
		     "1s}}\n";
	struct bed *bed = bed_make(upstream_text);
	bed->device = 1;
	for (unsigned i = 0; i < 2; i++)
		bed_expect_start(bed_ask(bed, "POST path=b0 cf=60 |\xff"), "4.00 ");
	bed_push(bed, "POST path=b0 cf=60 |\xa1\x61v\x01");
	bed_push(bed, "POST path=b0 cf=60 |\xa1\x61v\x02");
	bed_expect_start(bed_ask(bed, "POST path=b0 cf=60 |\xa1\x61v\xf7"), "4.00 ");
	bed_push(bed, "POST path=b0 cf=50 |{\"v\":3}");
	expect_all(bed, 3, "2.04");
	const char *body = ingest_get(ingest, 0)->body;
	for (unsigned i = 1; i <= 3; i++) {
		char part[32];

		snprintf(part, sizeof(part), "\"data\":{\"v\":%u}", i);
		cr_expect(strstr(body, part), "%s", body);
	}
	cr_expect(!strstr(body, "application/cbor"));
	cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_bad_cbor), 3);
	bed_end(bed);
	ingest_stop(ingest);
}

// ---- those who do not wait

Test(upstream_batch, given_up_before_it_was_closed)
{
	struct ingest *ingest = ingest_start(say_ok, NULL);
	struct bed *bed = bed_batch(ingest, "max: 4, wait: 5s", "");

	push_all(bed, 1);
	bed->device = 2;
	dp_handle gone = bed_push(bed, "POST path=b0 |longer than the others are");
	bed_wait_stat(bed, UP_STAT_batched, 2);
	bed_abandon(bed, gone);
	push_all(bed, 2);
	unsigned answered = bed_answers_like(bed, 4, "2.04");
	cr_expect_eq(answered, 3);
	cr_expect_eq(ingest_get(ingest, 0)->records, 3);
	cr_expect(!strstr(ingest_get(ingest, 0)->body, "device-2.3\",\"subject\":\"/b0\",\"id\""));
	cr_expect_eq(bed_stat(bed, UP_STAT_abandoned), 1);
	cr_expect_eq(bed_stat(bed, UP_STAT_batch_left_out), 1);
	bed_end(bed);
	ingest_stop(ingest);
}

static const char *say_held(struct ingest *ingest, const struct ingest_request *r, unsigned number)
{
	ingest_hold(ingest);
	return INGEST_OK;
}

Test(upstream_batch, given_up_later)
{
	struct ingest *ingest = ingest_start(say_held, NULL);
	struct bed *bed = bed_batch(ingest, "max: 2, wait: 5s", "");

	dp_handle gone = bed_push(bed, "POST path=b0 |x");
	bed_push(bed, "POST path=b0 |y");
	ingest_wait(ingest, 1);
	bed_abandon(bed, gone);
	ingest_release(ingest);
	cr_expect_eq(bed_answers_like(bed, 2, "2.04"), 1);
	cr_expect_eq(ingest_get(ingest, 0)->records, 2);
	bed_end(bed);
	ingest_stop(ingest);
}

// When nobody waits any more, the request ends.
Test(upstream_batch, given_up_by_all)
{
	struct ingest *ingest = ingest_start(say_held, NULL);
	struct bed *bed = bed_batch(ingest, "max: 2, wait: 5s", "");

	dp_handle a = bed_push(bed, "POST path=b0 |x"), b = bed_push(bed, "POST path=b0 |y");
	ingest_wait(ingest, 1);
	bed_abandon(bed, a);
	bed_abandon(bed, b);
	EXPECT_ANSWER(bed_pull(bed, NULL), "");
	EXPECT_ANSWER(bed_pull(bed, NULL), "");
	bed_end(bed);
	ingest_stop(ingest);
}

// ---- places

// A batch waits for a place, as long as its oldest member may.
Test(upstream_batch, queue)
{
	struct ingest *ingest = ingest_start(say_held, NULL);
	struct bed *bed = bed_batch(ingest, "max: 2, wait: 5s", "max_inflight: 1, queue: 50ms");

	push_all(bed, 2);
	ingest_wait(ingest, 1);
	push_all(bed, 2);
	expect_all(bed, 2, "5.03 max-age=");
	cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_queue_timeout), 2);
	push_all(bed, 2);
	bed_wait_stat(bed, UP_STAT_queued, 2);
	push_all(bed, 2); // one waits, and so many may
	ingest_release(ingest);
	unsigned good = bed_answers_like(bed, 6, "2.04");
	cr_expect(good == 4 || good == 2, "%u", good);
	bed_end(bed);
	ingest_stop(ingest);
}

Test(upstream_batch, stopped)
{
	struct ingest *ingest = ingest_start(say_held, NULL);
	struct bed *bed = bed_batch(ingest, "max: 2, wait: 5s", "max_inflight: 1");

	push_all(bed, 5); // one is under way, one waits, one is open
	bed_wait_stat(bed, UP_STAT_waiting, 1);
	bed_wait_stat(bed, UP_STAT_batched, 5);
	ingest_wait(ingest, 1);
	up_loop_stop(bed->loop, 50);
	expect_all(bed, 5, "5.03");
	bed_end(bed);
	ingest_stop(ingest);
}

// The time of the oldest is the batch's.
Test(upstream_batch, deadline)
{
	struct ingest *ingest = ingest_start(say_held, NULL);
	struct bed *bed = bed_batch(ingest, "max: 2, wait: 5s", "");

	bed_push_deadline(bed, "POST path=b0 |x", 200);
	bed_push(bed, "POST path=b0 |y");
	expect_all(bed, 2, "5.04");
	bed_end(bed);
	ingest_stop(ingest);
}

// The access log says which batch a request went with.
Test(upstream_batch, access_log)
{
	char path[] = "/tmp/postern-test-XXXXXX", log[128], text[4096], part[256];
	int fd = mkstemp(path);
	struct ingest *ingest = ingest_start(say_ok, NULL);

	snprintf(log, sizeof(log), "log: {access: \"%s\"}\n", path);
	bed_log = log;
	struct bed *bed = bed_batch(ingest, "max: 2, wait: 5s", "");
	push_all(bed, 2);
	expect_all(bed, 2, "2.04");
	snprintf(part, sizeof(part), "\"batch\":\"%s\",\"batch_size\":2,\"trace\":\"",
		ingest_get(ingest, 0)->key);
	bed_end(bed);
	bed_log = "";
	FILE *file = fdopen(fd, "r");
	text[fread(text, 1, sizeof(text) - 1, file)] = 0;
	fclose(file);
	unlink(path);
	const char *first = strstr(text, part);
	cr_assert_not_null(first, "%s", text);
	cr_expect(strstr(first + 1, part), "%s", text);
	cr_expect(strstr(text, "\"status\":204,\"code\":\"2.04\""), "%s", text);
	ingest_stop(ingest);
}
