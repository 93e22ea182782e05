// SPDX-License-Identifier: BSD-3-Clause
// The access log: what a line says, and that nothing of it holds the loop up.

#include "dataplane/coap/message.h"
#include "dataplane/state/exchange_pool.h"
#include "gw/os/log.h"
#include "gw/upstream/access_line.h"
#include "tests/unit/gw/http/h2_server.h"
#include "tests/unit/gw/map/text.h"
#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[96], log_text[256];

// `more`: keys beside access.
static void log_to(const char *to, const char *more)
{
	snprintf(log_text, sizeof(log_text), "log: {access: \"%s\"%s}\n", to, more);
	bed_log = log_text;
}

static void init(void)
{
	log_level_set(CONF_LOG_ERROR);
	snprintf(dir, sizeof(dir), "/tmp/postern-test-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/access", dir);
	log_to(path, "");
}

static void fini(void)
{
	unlink(path);
	rmdir(dir);
}

TestSuite(upstream_access, .init = init, .fini = fini);

static void wait_for(uint64_t (*counter)(const struct up_access_log *), struct bed *bed, uint64_t n)
{
	uint64_t until = bed_now_ms() + LONG_MS;

	while (counter(bed->access) < n) {
		cr_assert(bed_now_ms() < until, "never %u", (unsigned)n);
		usleep(500);
	}
}

static char *log_read(const char *from)
{
	static char text[65536];
	FILE *file = fopen(from, "r");

	cr_assert_not_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = 0;
	fclose(file);
	return text;
}

static unsigned lines_of(const char *text)
{
	unsigned lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

Test(upstream_access, a_line)
{
	static const uint8_t trace[MAP_TRACE_LEN] = {
		1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0xab, 0xcd, 0xef, 0xf0, 0x0f, 0x10};
	static const uint8_t credential[UP_CREDENTIAL_LEN] = {0x48, 0x54, 0xc0, 0x79};
	uint8_t body[TEXT_BODY_MAX], code;
	char line[UP_ACCESS_LINE_MAX];
	struct up_access_entry entry = {
		.unix_ms = UINT64_C(1767225600042),
		.credential = credential,
		.device = "a \"b\" \\ \x01 \xc3\xa9",
		.body = body,
		.body_len = text_request("POST path=t path=ki query=secret |payload", &code, body),
		.route = "/t/*",
		.upstream = "up",
		.server = "http://h:1",
		.status = 201,
		.code = COAP_CREATED,
		.out = 3,
		.queued_ms = 1,
		.connect_ms = 2,
		.total_ms = 40,
		.tries = 2,
		.trace = trace,
	};

	entry.method = code;
	entry.in = entry.body_len;
	line[up_access_line_write(&entry, line, sizeof(line) - 1)] = 0;
	cr_expect_str_eq(line,
		"{\"time\":\"2026-01-01T00:00:00.042Z\",\"device\":\"a \\\"b\\\" \\\\ \\u0001 "
		"\xc3\xa9\",\"credential\":\"4854c07900000000\","
		"\"method\":\"POST\",\"path\":\"/t/ki\",\"route\":\"/t/*\",\"upstream\":\"up\","
		"\"server\":\"http://h:1\",\"status\":201,\"code\":\"2.01\",\"in\":20,\"out\":3,"
		"\"queued_ms\":1,\"connect_ms\":2,\"total_ms\":40,\"batch\":null,\"batch_size\":0,"
		"\"trace\":\"01020304050607080900abcdeff00f10\","
		"\"tries\":2,\"reason\":\"--\","
		"\"error\":null}\n",
		"%s", line);

	entry = (struct up_access_entry){.device = "\xff", .method = 31};
	line[up_access_line_write(&entry, line, sizeof(line) - 1)] = 0;
	cr_expect(strstr(line,
			  "\"device\":\"\\u00ff\",\"credential\":null,\"method\":null,\"path\":\"/"
			  "\",\"route\":null"),
		"%s", line);
	cr_expect(strstr(line, "\"trace\":null,\"tries\":0,"), "%s", line);
	cr_expect_eq(up_access_line_write(&entry, line, 100), 0);
}

Test(upstream_access, the_trace_is_the_one_that_the_server_got)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "");
	char sent[2][33], logged[96];

	for (unsigned i = 0; i < 2; i++) {
		const char *at = strstr(bed_ask(bed, "GET path=echo"), "traceparent: 00-");

		cr_assert_not_null(at);
		cr_assert_eq(sscanf(at, "traceparent: 00-%32[0-9a-f]-", sent[i]), 1);
	}
	bed_end(bed);
	server_stop(server);
	const char *text = log_read(path);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(logged, sizeof(logged), "\"trace\":\"%s\"", sent[i]);
		text = strstr(text, logged);
		cr_assert_not_null(text, "%s", logged);
	}
}

// A kilobyte of the path is there, and the longest line has room.
Test(upstream_access, the_longest_line)
{
	uint8_t body[TEXT_BODY_MAX], code;
	char line[UP_ACCESS_LINE_MAX], name[256], text[257], request[2048] = "GET";
	struct up_access_entry entry = {
		.device = name,
		.body = body,
		.route = text,
		.upstream = text,
		.server = text,
		.trace = (const uint8_t *)text,
		.tries = UINT32_MAX,
		.queued_ms = UINT64_MAX,
		.connect_ms = UINT64_MAX,
		.total_ms = UINT64_MAX,
	};

	memset(name, 1, sizeof(name) - 1);
	memset(text, 'x', sizeof(text) - 1);
	name[sizeof(name) - 1] = text[sizeof(text) - 1] = 0;
	for (unsigned i = 0; i < 6; i++)
		snprintf(request + strlen(request), sizeof(request) - strlen(request),
			" path=%.200s", text);
	entry.body_len = text_request(request, &code, body);
	size_t len = up_access_line_write(&entry, line, sizeof(line));
	cr_assert_gt(len, 0);
	line[len - 1] = 0;
	const char *path_at = strstr(line, "\"path\":\"");
	cr_assert_not_null(path_at);
	size_t path_len = strcspn(path_at + 8, "\"");
	cr_expect(path_len > 1000 && path_len <= 1024, "%zu", path_len);
}

Test(upstream_access, what_workers_answer_has_a_reason)
{
	static const struct {
		uint8_t code;
		const char *reason;
	} cases[] = {
		{COAP_CONTENT, "GB"},
		{COAP_CHANGED, "GB"},
		{COAP_BAD_REQUEST, "DR"},
		{COAP_BAD_OPTION, "DR"},
		{COAP_NOT_FOUND, "DN"},
		{COAP_METHOD_NOT_ALLOWED, "DN"},
		{COAP_REQUEST_ENTITY_TOO_LARGE, "DR"},
		{COAP_PROXYING_NOT_SUPPORTED, "DR"},
		{COAP_SERVICE_UNAVAILABLE, "GO"},
		{COAP_TOO_MANY_REQUESTS, "DO"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct up_access_entry entry = {.own = true, .code = cases[i].code};

		cr_expect_str_eq(up_access_reason(&entry), cases[i].reason);
	}
}

// Each way to end has its reason.
Test(upstream_access, every_error_has_a_reason)
{
	for (unsigned e = 0; e < HTTP_ERROR_COUNT; e++) {
		struct up_access_entry entry = {.error = e};

		cr_expect_eq(strlen(up_access_reason(&entry)), 2, "%s", http_error_name(e));
	}
}

Test(upstream_access, reasons_as_they_happen)
{
	static const struct {
		const char *line, *says;
	} rows[] = {
		{"GET path=ok", "\"status\":200,\"code\":\"2.05\",\"in\":3,"},
		{"GET path=ok", "\"tries\":1,\"reason\":\"--\",\"error\":null}"},
		{"GET path=status path=404", "\"status\":404,\"code\":\"4.04\","},
		{"GET path=reset", "\"reason\":\"SB\",\"error\":\"reset\"}"},
		{"POST path=vanish |x", "\"reason\":\"SH\",\"error\":\"reset\"}"},
		{"GET path=rubbish", "\"reason\":\"SA\",\"error\":\"bad_reply\"}"},
		{"GET path=status path=302", "\"reason\":\"GA\",\"error\":\"redirect\"}"},
		{"GET path=..", "\"server\":null,\"status\":0,\"code\":\"4.00\","},
		{"GET path=..", "\"tries\":0,\"reason\":\"DR\",\"error\":\"bad_path\"}"},
		{"GET path=none", "\"upstream\":null,"},
		{"PUT path=ok query=hidden |secret", "\"method\":\"PUT\",\"path\":\"/ok\","},
	};
	size_t count = sizeof(rows) / sizeof(rows[0]),
	       lines = count + 1; // with the ok before vanish
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "");

	for (size_t i = 0; i < count; i++) {
		if (strstr(rows[i].line, "vanish")) // on a connection that stands
			bed_ask(bed, "GET path=ok");
		bed_ask(bed, rows[i].line);
	}
	bed_push_deadline(bed, "GET path=hang", 150);
	bed_pull(bed, NULL);
	lines++;
	// Until its deadline is late enough for the head of the answer.
	for (uint32_t ms = 150; ms < LONG_MS; ms *= 2) {
		bed_push_deadline(bed, "GET path=drip", ms);
		bed_pull(bed, NULL);
		wait_for(up_access_log_written, bed, ++lines);
		if (strstr(log_read(path), "\"reason\":\"TB\""))
			break;
	}
	unsigned before = server_requests(server);
	dp_handle handle = bed_push(bed, "GET path=hang");
	server_wait_requests(server, before + 1);
	__atomic_store_n(
		&dp_shared_get(bed->up->port[0].pool, handle)->abandoned, 1, __ATOMIC_RELAXED);
	bed_pull(bed, NULL);
	lines++;
	bed_end(bed);
	server_stop(server);

	char *text = log_read(path);
	cr_expect_eq(lines_of(text), lines, "%s", text);
	cr_expect_not(strstr(text, "secret") || strstr(text, "hidden"), "%s", text);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		cr_expect(!strncmp(line, "{\"time\":\"20", 11) && line[strlen(line) - 1] == '}',
			"%s", line);
		cr_expect(strstr(line, "\"device\":\"device-7.3\",\"crede"), "%s", line);
	}
	text = log_read(path);
	const char *from = text;
	for (size_t i = 0; i < count; i++) {
		const char *found = strstr(from, rows[i].says);

		cr_expect(found, "%s: no %s in\n%s", rows[i].line, rows[i].says, from);
		if (found)
			from = strchr(found, '\n') + 1;
	}
	cr_expect(strstr(text, "\"reason\":\"TH\",\"error\":\"timeout\"}"), "%s", text);
	cr_expect(strstr(text, "\"reason\":\"TB\",\"error\":\"timeout\"}"), "%s", text);
	cr_expect(strstr(text, "\"code\":null,\"in\":5,\"out\":0,"), "%s", text);
	cr_expect(strstr(text, "\"reason\":\"DH\",\"error\":null}"), "%s", text);
}

// How many lines end with this.
static void expect_lines(const char *text, const char *end, unsigned count)
{
	char want[96];
	unsigned found = 0;

	snprintf(want, sizeof(want), "%s}\n", end);
	for (const char *at = text; (at = strstr(at, want)); at++)
		found++;
	cr_expect_eq(found, count, "%u lines with %s in\n%s", found, end, text);
}

// What ends a request before a server has it, or because of the gateway.
Test(upstream_access, reasons_without_a_server)
{
	struct server *server = bed_server("one"), *quick = bed_server("two");
	struct bed *bed = bed_for(quick, "max_inflight: 1, queue: 100ms");

	bed_push(bed, "GET path=hold");
	server_wait_requests(quick, 1);
	bed_ask(bed, "GET path=ok"); // GQ: it waits for too long
	server_release(quick);
	bed_pull(bed, NULL);
	bed_end(bed);
	server_stop(quick);

	bed = bed_for(server, "max_inflight: 1, queue: 20s");
	bed_push(bed, "GET path=hold");
	server_wait_requests(server, 1);
	dp_handle given_up = bed_push_deadline(bed, "GET path=ok", LONG_MS);
	__atomic_store_n(
		&dp_shared_get(bed->up->port[0].pool, given_up)->abandoned, 1, __ATOMIC_RELAXED);
	bed_pull(bed, NULL);          // DQ
	bed_push(bed, "GET path=ok"); // it waits
	bed_push(bed, "GET path=ok"); // GF: the only place to wait is taken
	cr_expect_eq(bed_answers_like(bed, 1, "5.03"), 1);
	server_release(server);
	cr_expect_eq(bed_answers_like(bed, 2, "2.05"), 2);
	bed_push_deadline(bed, "GET path=ok", 0); // TQ
	bed_pull(bed, NULL);
	bed->no_name = true;
	bed_ask(bed, "GET path=ok"); // GR
	bed->no_name = false;
	unsigned before = server_requests(server);
	bed_push(bed, "GET path=hang"); // GS
	server_wait_requests(server, before + 1);
	up_loop_stop(bed->loop, 0);
	bed_pull(bed, NULL);
	bed_end(bed);

	bed = bed_for(server, "check: {path: /status/500, interval: 20ms, timeout: 20s}");
	bed_wait_up(bed, 0);
	bed_ask(bed, "GET path=ok"); // GD
	bed_end(bed);
	server_stop(server);

	char *text = log_read(path);
	expect_lines(text, "\"tries\":0,\"reason\":\"DQ\",\"error\":null", 1);
	expect_lines(text, "\"tries\":0,\"reason\":\"GQ\",\"error\":\"queue_timeout\"", 1);
	expect_lines(text, "\"tries\":0,\"reason\":\"GF\",\"error\":\"queue_full\"", 1);
	expect_lines(text, "\"tries\":0,\"reason\":\"TQ\",\"error\":\"timeout\"", 1);
	expect_lines(text, "\"tries\":0,\"reason\":\"GR\",\"error\":\"device_gone\"", 1);
	expect_lines(text, "\"tries\":1,\"reason\":\"GS\",\"error\":\"stopping\"", 1);
	expect_lines(text, "\"tries\":0,\"reason\":\"GD\",\"error\":\"no_server\"", 1);
	cr_expect_str_eq(
		up_access_reason(&(struct up_access_entry){.error = HTTP_ERR_no_memory}), "GM");
}

// A server that is not reached, and one that takes no connection in time: its queue of them is
// full.
Test(upstream_access, reasons_of_connecting)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), waiting[4];
	char upstream[64];

	cr_assert_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	snprintf(upstream, sizeof(upstream), "servers: [\"http://127.0.0.1:%u\"]",
		ntohs(address.sin_port));
	struct bed *bed = bed_make(upstream);
	bed_ask(bed, "GET path=ok"); // SC
	cr_assert_eq(listen(fd, 0), 0);
	for (unsigned i = 0; i < 4; i++) {
		waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (connect(waiting[i], (struct sockaddr *)&address, len)) {
			// In progress, for as long as nobody accepts.
		}
	}
	bed_push_deadline(bed, "GET path=ok", 300); // TC
	bed_pull(bed, NULL);
	dp_handle given_up = bed_push(bed, "GET path=ok"); // DC
	bed_wait_stat(bed, UP_STAT_attempts, 3);
	__atomic_store_n(
		&dp_shared_get(bed->up->port[0].pool, given_up)->abandoned, 1, __ATOMIC_RELAXED);
	bed_pull(bed, NULL);
	bed_end(bed);
	for (unsigned i = 0; i < 4; i++)
		close(waiting[i]);
	close(fd);

	char *text = log_read(path);
	expect_lines(text, "\"tries\":1,\"reason\":\"SC\",\"error\":\"connect\"", 1);
	expect_lines(text, "\"tries\":1,\"reason\":\"TC\",\"error\":\"timeout\"", 1);
	expect_lines(text, "\"tries\":1,\"reason\":\"DC\",\"error\":null", 1);
}

// What the last server said, not one that was asked before: here the first cuts its answer off, and
// the second, which never reads, is given up by the device.
Test(upstream_access, status_of_the_last_server)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct server *server = bed_server("one");
	char upstream[128];

	cr_assert_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	cr_assert_eq(listen(fd, 8), 0);
	snprintf(upstream, sizeof(upstream),
		"servers: [\"http://127.0.0.1:%u\", \"http://127.0.0.1:%u\"]", server_port(server),
		ntohs(address.sin_port));
	struct bed *bed = bed_make(upstream);
	dp_handle given_up = bed_push(bed, "PUT path=reset |x");
	bed_wait_stat(bed, UP_STAT_retries, 1);
	int second = accept(fd, NULL, NULL);
	char byte;
	cr_assert_eq(recv(second, &byte, 1, 0), 1); // the request is there
	__atomic_store_n(
		&dp_shared_get(bed->up->port[0].pool, given_up)->abandoned, 1, __ATOMIC_RELAXED);
	EXPECT_ANSWER(bed_pull(bed, NULL), "");
	bed_end(bed);
	server_stop(server);
	close(second);
	close(fd);
	expect_lines(log_read(path), "\"tries\":2,\"reason\":\"DH\",\"error\":null", 1);
	cr_expect(strstr(log_read(path), "\"status\":0,"), "%s", log_read(path));
}

// An interim answer is none: neither its status nor its head count.
Test(upstream_access, interim_answers)
{
	struct h2_server *server =
		h2_server_start(&(struct h2_server_config){.raw = "\0\0\0\4\0\0\0\0\0",
			.raw_len = 9,
			.late = "\0\0\5\1\4\0\0\0\1\x08\3"
				"103"                         // :status: 103 on stream 1
				"\0\0\4\3\0\0\0\0\1\0\0\0\2", // INTERNAL_ERROR
			.late_len = 14 + 13});
	char upstream[64];

	snprintf(upstream, sizeof(upstream), "servers: [\"h2c://127.0.0.1:%u\"]",
		h2_server_port(server));
	struct bed *bed = bed_make(upstream);
	EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), "5.02 max-age=0 |backend hung up");
	bed_end(bed);
	h2_server_stop(server);
	expect_lines(log_read(path), "\"tries\":1,\"reason\":\"SH\",\"error\":\"reset\"", 1);
	cr_expect(strstr(log_read(path), "\"status\":0,"));
}

// A request that its server had when it went away was lost, though no new connection to it came
// about: it is not said that nobody saw it.
Test(upstream_access, reason_of_one_that_was_sent)
{
	static const char *const lines[] = {"GET path=die", "POST path=die |x"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct server *server = bed_server("one");
		struct bed *bed = bed_for(server, "");

		bed_ask(bed, "GET path=ok"); // the connection is kept
		EXPECT_ANSWER(bed_ask(bed, lines[i]), "5.02 max-age=0 |backend hung up");
		cr_expect_eq(server_requests(server), 2);
		bed_end(bed);
		server_stop(server);
		expect_lines(log_read(path), "\"tries\":1,\"reason\":\"SH\",\"error\":\"reset\"",
			(unsigned)i + 1);
	}
}

// Answers go on whatever becomes of the lines.
static void ask_many(struct bed *bed, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const char *answer = bed_ask(bed, "GET path=ok");

		cr_assert(!strncmp(answer, "2.05", 4), "%s", answer);
	}
}

Test(upstream_access, rate_and_sample)
{
	struct server *server = bed_server("one");

	log_to(path, ", rate: 1");
	struct bed *bed = bed_for(server, "");
	uint64_t start = bed_now_ms();
	ask_many(bed, 50);
	uint64_t dropped = up_access_log_dropped(bed->access);
	bed_end(bed);
	cr_expect_geq(dropped, 50 - 1 - (bed_now_ms() - start + 999) / 1000);
	cr_expect_eq(lines_of(log_read(path)) + dropped, 50);

	unlink(path);
	log_to(path, ", sample: 50%");
	bed = bed_for(server, "");
	ask_many(bed, 200);
	bed_end(bed);
	unsigned lines = lines_of(log_read(path));
	cr_expect(lines > 50 && lines < 150, "%u lines", lines); // by chance: once in 10^12

	unlink(path);
	log_to(path, ", sample: 0%");
	bed = bed_for(server, "");
	ask_many(bed, 10);
	bed_end(bed);
	cr_expect_eq(lines_of(log_read(path)), 0);
	server_stop(server);
}

Test(upstream_access, disk_full)
{
	struct server *server = bed_server("one");

	log_to("/dev/full", "");
	struct bed *bed = bed_for(server, "");
	ask_many(bed, 50);
	wait_for(up_access_log_failed, bed, 50);
	cr_expect_eq(up_access_log_written(bed->access), 0);
	bed_end(bed);
	server_stop(server);
}

// A pipe that nobody reads.
Test(upstream_access, reader_that_hangs)
{
	struct server *server = bed_server("one");

	cr_assert_eq(mkfifo(path, 0600), 0);
	int fd = open(path, O_RDWR | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	log_to(path, ", rate: 1000000");
	struct bed *bed = bed_for(server, "");
	ask_many(bed, 400); // more than the pipe takes
	cr_expect_lt(up_access_log_written(bed->access), 400);
	bed_end(bed);
	close(fd);
	server_stop(server);
}

Test(upstream_access, file_moved_away)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "");
	char old[128];

	ask_many(bed, 3);
	wait_for(up_access_log_written, bed, 3);
	snprintf(old, sizeof(old), "%s.1", path);
	cr_assert_eq(rename(path, old), 0);
	uint64_t until = bed_now_ms() + LONG_MS;
	while (access(path, F_OK)) { // within a second or two
		cr_assert(bed_now_ms() < until, "not made anew");
		ask_many(bed, 1);
		usleep(20000);
	}
	ask_many(bed, 3);
	bed_end(bed);
	cr_expect_geq(lines_of(log_read(path)), 3);
	cr_expect_geq(lines_of(log_read(old)), 3);
	unlink(old);
	server_stop(server);
}
