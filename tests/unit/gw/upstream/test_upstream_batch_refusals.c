// SPDX-License-Identifier: BSD-3-Clause
// Batches that are refused, lost, or answered late: who is told what, and what is sent again.

#include "tests/unit/gw/http/ingest.h"
#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char routes[512], upstream_text[1024];

// b0 of this batch, and b1 the same with a service that heeds Idempotency-Key.
static struct bed *bed_with(
	struct ingest *const *ingest, unsigned count, const char *batch, const char *more)
{
	size_t len = 0;

	snprintf(routes, sizeof(routes),
		"- {path: /b0, to: up, timeout: 10s, batch: {path: /ingest, %s}}\n"
		"- {path: /b1, to: up, timeout: 10s, idempotency: honoured, batch: {path: /ingest, "
		"%s}}\n",
		batch, batch);
	for (unsigned i = 0; i < count; i++)
		len += (size_t)snprintf(upstream_text + len, sizeof(upstream_text) - len,
			"%s\"http://127.0.0.1:%u\"", i ? ", " : "servers: [",
			ingest_port(ingest[i]));
	snprintf(
		upstream_text + len, sizeof(upstream_text) - len, "]%s%s", *more ? ", " : "", more);
	bed_routes = routes;
	return bed_make(upstream_text);
}

static void push(struct bed *bed, unsigned device, const char *route, const char *payload)
{
	char line[128];

	bed->device = device;
	snprintf(line, sizeof(line), "POST path=%s |%s", route, payload);
	bed_push(bed, line);
}

// A bad record is one with data_base64 "YmFk", which is "bad".
static bool is_bad(const char *body)
{
	return strstr(body, "\"YmFk\"");
}

static unsigned bad_status = 400;

static const char *say_no_to_bad(struct ingest *ingest, const struct ingest_request *r, unsigned n)
{
	return is_bad(r->body) ? ingest_reply((int)bad_status, "", "") : INGEST_OK;
}

// Pushes so many readings, of which these are bad, and expects that only these devices are told.
static void expect_poison(struct bed *bed, unsigned count, uint64_t bad, const char *code)
{
	for (unsigned i = 0; i < count; i++)
		push(bed, i + 1, "b0", bad >> i & 1 ? "bad" : "good");
	for (unsigned i = 0; i < count; i++) {
		const char *answer = bed_pull(bed, NULL);
		bool is = bad >> (bed->context - 1) & 1;

		cr_expect_eq(strncmp(answer, is ? code : "2.04", 4), 0, "device %u: %s",
			bed->context, answer);
	}
}

static bool keys_differ(struct ingest *ingest)
{
	for (unsigned i = 0; i < ingest_count(ingest); i++)
		for (unsigned j = 0; j < i; j++)
			if (!strcmp(ingest_get(ingest, i)->key, ingest_get(ingest, j)->key))
				return false;
	return true;
}

Test(upstream_batch_refusals, poison)
{
	static const struct {
		unsigned status;
		const char *code;
	} rows[] = {{400, "4.00"}, {413, "4.13"}, {422, "4.22"}};

	for (unsigned i = 0; i < 3; i++) {
		struct ingest *ingest = ingest_start(say_no_to_bad, NULL);
		struct bed *bed = bed_with(&ingest, 1, "max: 16, wait: 5s", "");

		bad_status = rows[i].status;
		expect_poison(bed, 16, 1 << 5, rows[i].code);
		cr_expect_eq(ingest_count(ingest), 9); // 1 + 2 a level
		cr_expect_eq(bed_stat(bed, UP_STAT_batch_cuts), 4);
		cr_expect(keys_differ(ingest));
		bed_end(bed);
		ingest_stop(ingest);
	}
	bad_status = 400;
}

// However many are bad, there are at most two requests a record.
Test(upstream_batch_refusals, all_are_bad)
{
	struct ingest *ingest = ingest_start(say_no_to_bad, NULL);
	struct bed *bed = bed_with(&ingest, 1, "max: 32, wait: 5s", "");

	expect_poison(bed, 32, UINT32_MAX, "4.00");
	cr_expect_leq(ingest_count(ingest), 64);
	cr_expect(keys_differ(ingest));
	bed_end(bed);
	ingest_stop(ingest);
}

// A device whose record was refused goes alone for a while, so that its next one costs nobody.
Test(upstream_batch_refusals, suspects_go_alone)
{
	struct ingest *ingest = ingest_start(say_no_to_bad, NULL);
	struct bed *bed = bed_with(&ingest, 1, "max: 8, wait: 200ms", "");

	expect_poison(bed, 8, 1 << 2, "4.00");
	unsigned before = ingest_count(ingest);
	push(bed, 1, "b0", "good");
	push(bed, 3, "b0", "bad");
	push(bed, 4, "b0", "good");
	cr_expect_eq(bed_answers_like(bed, 3, "2.04"), 2);
	cr_expect_eq(bed_stat(bed, UP_STAT_batch_alone), 1);
	cr_expect_eq(ingest_count(ingest) - before, 2); // it does not send the others off early
	for (unsigned i = before; i < ingest_count(ingest); i++)
		if (is_bad(ingest_get(ingest, i)->body))
			cr_expect_eq(ingest_get(ingest, i)->records, 1);
	bed_end(bed);
	ingest_stop(ingest);
}

// Without a budget nothing is cut: all come back later. They go alone then, once, so that who is at
// fault is known and the others get through.
Test(upstream_batch_refusals, no_budget)
{
	struct ingest *ingest = ingest_start(say_no_to_bad, NULL);
	struct bed *bed = bed_with(&ingest, 1, "max: 4, wait: 5s", "retries: {budget: 0%}");

	for (unsigned i = 0; i < 4; i++)
		push(bed, i + 1, "b0", i ? "good" : "bad");
	cr_expect_eq(bed_answers_like(bed, 4, "5.03 max-age="), 4);
	cr_expect_eq(ingest_count(ingest), 1);
	cr_expect_eq(bed_stat(bed, UP_STAT_retries_refused), 1);
	expect_poison(bed, 4, 1 << 0, "4.00");
	cr_expect_eq(ingest_count(ingest), 5);
	cr_expect_eq(bed_stat(bed, UP_STAT_batch_alone), 4);
	push(bed, 2, "b0", "good"); // no suspects any more
	push(bed, 3, "b0", "good");
	push(bed, 1, "b0", "bad"); // is one still
	push(bed, 4, "b0", "good");
	push(bed, 5, "b0", "good");
	cr_expect_eq(bed_answers_like(bed, 5, "2.04"), 4);
	cr_expect_eq(ingest_count(ingest), 7);
	bed_end(bed);
	ingest_stop(ingest);
}

// Halves have the records of the whole, each once, in their order, and are whole bodies.
Test(upstream_batch_refusals, halves)
{
	static const char *const formats[] = {"cloudevents", "ndjson", "cbor-seq"};

	for (unsigned f = 0; f < 3; f++) {
		char batch[64];
		struct ingest *ingest = ingest_start(say_no_to_bad, NULL);

		snprintf(batch, sizeof(batch), "max: 5, wait: 5s, format: %s", formats[f]);
		struct bed *bed = bed_with(&ingest, 1, batch, "");
		for (unsigned i = 1; i <= 5; i++)
			push(bed, i, "b0", i == 4 ? "bad" : "good");
		cr_expect_eq(bed_answers_like(bed, 5, "2.04"), f == 2 ? 5 : 4);
		for (unsigned n = 0; n < ingest_count(ingest); n++) {
			const struct ingest_request *r = ingest_get(ingest, n);
			const char *before = r->body;

			cr_expect(f || (*r->body == '[' && r->body[r->body_len - 1] == ']'), "%s",
				r->body);
			cr_expect(f != 1 ||
					(*r->body == '{' &&
						!strcmp(r->body + r->body_len - 2, "}\n")),
				"%s", r->body);
			for (unsigned i = 1; i <= 5; i++) {
				char name[32];
				const char *at;

				snprintf(name, sizeof(name), "device-%u.3", i);
				at = strstr(r->body, name);
				cr_expect(!at || at > before);
				before = at ? at : before;
			}
		}
		bed_end(bed);
		ingest_stop(ingest);
	}
}

// A server that refuses by the head, and reads nothing of a body that does not fit its socket.
struct curt {
	int fd;
	uint16_t port;
	pthread_t thread;
	unsigned asked;
};

static void *curt_run(void *arg)
{
	static const char no[] =
		"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
	struct curt *curt = arg;
	struct peer peer;
	char buf[1024];

	for (int fd; (fd = accept(curt->fd, NULL, NULL)) >= 0; close(fd)) {
		peer_open(&peer, fd, NULL);
		if (peer_read(&peer, buf, sizeof(buf)) <= 0 ||
			!peer_write(&peer, no, sizeof(no) - 1))
			continue;
		curt->asked++;
		shutdown(fd, SHUT_WR);
		while (peer_read(&peer, buf, sizeof(buf)) > 0)
			;
	}
	return NULL;
}

// Nothing of the body is read any more when its batch, or a half of it, is gone.
Test(upstream_batch_refusals, refused_before_it_was_read)
{
	struct curt curt = {.port = 0};
	int small = 4096;

	curt.fd = peer_bind_tcp(NULL, &curt.port);
	setsockopt(curt.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	peer_check(!listen(curt.fd, 64), "listen");
	peer_check(!pthread_create(&curt.thread, NULL, curt_run, &curt), "thread");
	bed_routes = "- {path: /b0, to: up, timeout: 20s, batch: {path: /i, max: 1024, bytes: 1MB, "
		     "wait: 1s}}\n";
	bed_exchanges = 1024;
	snprintf(upstream_text, sizeof(upstream_text),
		"servers: [\"http://127.0.0.1:%u\"], eject: {errors: 0}", curt.port);
	struct bed *bed = bed_make(upstream_text);
	for (unsigned i = 0; i < 1024; i++) {
		char line[700];

		bed->device = i + 1;
		bed_push(bed, (snprintf(line, sizeof(line), "POST path=b0 |%0600u", i), line));
	}
	for (unsigned i = 0; i < 1024; i++) { // 5.03: the budget ended before
		const char *answer = bed_pull(bed, NULL);

		cr_expect(!strncmp(answer, "4.13", 4) || !strncmp(answer, "5.03", 4), "%s", answer);
	}
	bed_end(bed);
	shutdown(curt.fd, SHUT_RDWR);
	pthread_join(curt.thread, NULL);
	close(curt.fd);
	cr_expect_geq(curt.asked, 11);
}

// ---- pauses

static const char *say_busy_once(struct ingest *ingest, const struct ingest_request *r, unsigned n)
{
	return n ? INGEST_OK : ingest_reply(429, "Retry-After: 1\r\n", "");
}

Test(upstream_batch_refusals, paused)
{
	struct ingest *ingest = ingest_start(say_busy_once, NULL);
	struct bed *bed = bed_with(&ingest, 1, "max: 2, wait: 20ms", "");

	push(bed, 1, "b0", "x");
	push(bed, 2, "b0", "y");
	cr_expect_eq(bed_answers_like(bed, 2, "5.03 max-age="), 2);
	// At once, without a request.
	bed_expect_start(bed_ask(bed, "POST path=b0 |z"), "5.03 max-age=");
	cr_expect_eq(ingest_count(ingest), 1);
	cr_expect_eq(bed_stat(bed, UP_STAT_batch_pauses), 1);
	uint64_t until = bed_now_ms() + LONG_MS;
	while (strncmp(bed_ask(bed, "POST path=b0 |z"), "2.04", 4))
		cr_assert(bed_now_ms() < until);
	cr_expect_eq(ingest_count(ingest), 2);
	bed_end(bed);
	ingest_stop(ingest);
}

// Devices come back at times that are spread.
static const char *say_busy(struct ingest *ingest, const struct ingest_request *r, unsigned n)
{
	return ingest_reply(503, "Retry-After: 100\r\n", "");
}

Test(upstream_batch_refusals, pauses_are_spread)
{
	struct ingest *ingest = ingest_start(say_busy, NULL);
	struct bed *bed = bed_with(&ingest, 1, "max: 32, wait: 5s", "");
	bool differ = false;
	int first = 0;

	for (unsigned i = 0; i < 32; i++)
		push(bed, i + 1, "b0", "x");
	for (unsigned i = 0; i < 32; i++) {
		const char *answer = bed_pull(bed, NULL);

		bed_expect_start(answer, "5.03 max-age=");
		int age = atoi(answer + 13);
		cr_expect(age >= 100 && age <= 130, "%s", answer);
		first = i ? first : age;
		differ |= age != first;
	}
	cr_expect(differ);
	bed_end(bed);
	ingest_stop(ingest);
}

static const char *say_tomorrow(struct ingest *ingest, const struct ingest_request *r, unsigned n)
{
	return ingest_reply(503, "Retry-After: 86400\r\n", "");
}

// One answer stops a whole route, and a mistake in it must not stop it for a day.
Test(upstream_batch_refusals, no_pause_is_longer_than_five_minutes)
{
	struct ingest *ingest = ingest_start(say_tomorrow, NULL);
	struct bed *bed = bed_with(&ingest, 1, "max: 1, wait: 5s", "");

	for (unsigned i = 0; i < 2; i++) {
		const char *answer = bed_ask(bed, "POST path=b0 |x");

		bed_expect_start(answer, "5.03 max-age=");
		int age = atoi(answer + 13);
		cr_expect(age > 290 && age <= 390, "%s", answer);
	}
	bed_end(bed);
	ingest_stop(ingest);
}

// A refusal of the whole raises what main makes an alarm of; a success ends it.
static const char *say_missing_once(
	struct ingest *ingest, const struct ingest_request *r, unsigned n)
{
	return n ? INGEST_OK : ingest_reply(404, "", "");
}

Test(upstream_batch_refusals, refused_as_a_whole)
{
	struct ingest *ingest = ingest_start(say_missing_once, NULL);
	struct bed *bed = bed_with(&ingest, 1, "max: 2, wait: 5s", "");

	for (unsigned i = 0; i < 2; i++) {
		push(bed, 1, "b0", "x");
		push(bed, 2, "b0", "y");
		cr_expect_eq(bed_answers_like(bed, 2, i ? "2.04" : "5.02"), 2);
		cr_expect_eq(bed_stat(bed, UP_STAT_batch_refusing), !i);
	}
	cr_expect_eq(ingest_count(ingest), 2);
	bed_end(bed);
	ingest_stop(ingest);
}

// ---- connections

static const char *say_nothing(struct ingest *ingest, const struct ingest_request *r, unsigned n)
{
	return NULL;
}

static const char *say_ok(struct ingest *ingest, const struct ingest_request *r, unsigned n)
{
	return INGEST_OK;
}

// What a server may have seen is not sent again, unless it heeds the key; then with the same bytes.
Test(upstream_batch_refusals, lost)
{
	struct ingest *ingest[2] = {ingest_start(say_nothing, NULL), ingest_start(say_ok, NULL)};
	struct bed *bed = bed_with(ingest, 2, "max: 2, wait: 5s", "eject: {errors: 0}");

	push(bed, 1, "b0", "x");
	push(bed, 2, "b0", "y");
	cr_expect_eq(bed_answers_like(bed, 2, "5.02"), 2);
	cr_expect_eq(ingest_count(ingest[0]) + ingest_count(ingest[1]), 1);
	for (unsigned i = 0; i < 2; i++) { // in turn: the first or the second time it is lost
		push(bed, 1, "b1", "x");
		push(bed, 2, "b1", "y");
		cr_expect_eq(bed_answers_like(bed, 2, "2.04"), 2);
	}
	unsigned again = 0;
	for (unsigned i = 1; i < ingest_count(ingest[0]); i++) {
		const struct ingest_request *a = ingest_get(ingest[0], i);

		for (unsigned j = 0; j < ingest_count(ingest[1]); j++) {
			const struct ingest_request *b = ingest_get(ingest[1], j);

			again += !strcmp(a->key, b->key) && a->body_len == b->body_len &&
				!memcmp(a->body, b->body, a->body_len);
		}
	}
	cr_expect_geq(again, 1);
	bed_end(bed);
	ingest_stop(ingest[0]);
	ingest_stop(ingest[1]);
}

// What no server can have seen goes to another one.
Test(upstream_batch_refusals, never_written)
{
	struct ingest *ingest = ingest_start(say_ok, NULL);

	snprintf(upstream_text, sizeof(upstream_text),
		"servers: [\"http://127.0.0.1:%u\", \"http://127.0.0.1:%u\"]", peer_free_port(),
		ingest_port(ingest));
	bed_routes = "- {path: /b0, to: up, batch: {path: /i, max: 2, wait: 1s}}\n";
	struct bed *bed = bed_make(upstream_text);
	for (unsigned i = 0; i < 2; i++) {
		push(bed, 1, "b0", "x");
		push(bed, 2, "b0", "y");
		cr_expect_eq(bed_answers_like(bed, 2, "2.04"), 2);
	}
	bed_end(bed);
	ingest_stop(ingest);
}

static const char *say_refused(struct ingest *ingest, const struct ingest_request *r, unsigned n)
{
	return ingest_reply(400, "", "");
}

// A server that was asked before may have taken them: no halves then.
Test(upstream_batch_refusals, no_cut_after_an_unknown_outcome)
{
	struct ingest *ingest[2] = {
		ingest_start(say_nothing, NULL), ingest_start(say_refused, NULL)};
	struct bed *bed = bed_with(ingest, 2, "max: 4, wait: 5s", "eject: {errors: 0}");

	// The server that answers nothing is asked first.
	for (unsigned i = 0; i < 4; i++)
		push(bed, i + 1, "b1", "x");
	cr_expect_eq(bed_answers_like(bed, 4, "5.02"), 4);
	cr_expect_eq(ingest_count(ingest[0]), 1);
	cr_expect_eq(ingest_count(ingest[1]), 1);
	cr_expect_eq(bed_stat(bed, UP_STAT_batch_cuts), 0);
	bed_end(bed);
	ingest_stop(ingest[0]);
	ingest_stop(ingest[1]);
}

// ---- many

#define DEVICES 10000
#define OUT     2000 // under way at a time

// What a service remembers of each device's reading: how often it was taken.
struct count {
	unsigned taken[DEVICES + 1];
	uint64_t random;
};

static unsigned next(struct count *c)
{
	c->random = c->random * 6364136223846793005 + 1442695040888963407;
	return (unsigned)(c->random >> 33);
}

static void take_all(struct count *c, const char *body)
{
	for (const char *at = body; (at = strstr(at, "/devices/device-")); at++)
		c->taken[atoi(at + 16)]++;
}

// Takes, refuses, forgets to answer, says results: by chance.
static const char *say_by_chance(struct ingest *ingest, const struct ingest_request *r, unsigned n)
{
	struct count *c = ingest_arg(ingest);
	static char results[1 << 16];
	unsigned chance = next(c) % 20;
	size_t len;

	if (is_bad(r->body))
		return ingest_reply(400, "", "");
	if (chance == 0)
		return NULL; // not taken
	if (chance == 1) {
		take_all(c, r->body);
		return NULL; // taken, and nobody hears of it
	}
	if (chance == 2)
		return ingest_reply(500, "", "");
	if (chance < 10) {
		take_all(c, r->body);
		return INGEST_OK;
	}
	// By id: one in eight is refused.
	len = (size_t)sprintf(results, "{\"results\":[");
	for (const char *at = r->body; (at = strstr(at, "/devices/device-")); at++) {
		unsigned device = (unsigned)atoi(at + 16);
		const char *id = strstr(at, "\"id\":\"") + 6;
		bool good = next(c) % 8;

		c->taken[device] += good;
		len += (size_t)sprintf(results + len, "%s{\"id\":\"%.*s\",\"status\":%d}",
			results[len - 1] == '[' ? "" : ",", (int)strcspn(id, "\""), id,
			good ? 201 : 409);
	}
	strcpy(results + len, "]}");
	return ingest_reply(200, "Content-Type: application/json\r\n", results);
}

// Each device is told what became of its reading: 2.xx only if it was taken, once; and each gets an
// answer.
Test(upstream_batch_refusals, ten_thousand_devices)
{
	struct count *c = calloc(1, sizeof(*c));
	unsigned good = 0, told = 0, sent = 0, back = 0;

	c->random = 1;
	bed_exchanges = OUT;
	struct ingest *ingest = ingest_start(say_by_chance, c);
	struct bed *bed = bed_with(&ingest, 1, "max: 100, wait: 2ms",
		"queue: 5s, eject: {errors: 0}, retries: {budget: 100%}");
	while (back < DEVICES) {
		while (sent < DEVICES && sent - back < OUT) {
			sent++;
			push(bed, sent, "b0", sent % 997 ? "good" : "bad");
		}
		const char *answer = bed_pull(bed, NULL);
		unsigned device = bed->context, taken = c->taken[device];

		back++;
		cr_assert_neq(*answer, 0);
		if (*answer == '2') {
			good++;
			cr_assert_eq(
				taken, 1, "device %u: %s, taken %u times", device, answer, taken);
		} else {
			told++;
			cr_assert_leq(taken, 1, "device %u: %s", device, answer);
			if (!strncmp(answer, "4.", 2))
				cr_assert_eq(taken, 0, "device %u: %s", device, answer);
		}
		if (device % 997 == 0)
			cr_assert_eq(strncmp(answer, "2.", 2) && taken == 0, 1, "%s", answer);
	}
	cr_expect(good > DEVICES / 2 && told > 100, "%u good, %u told", good, told);
	bed_end(bed);
	ingest_stop(ingest);
	free(c);
}
