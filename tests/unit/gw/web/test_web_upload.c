// SPDX-License-Identifier: BSD-3-Clause
// The listener of what services push: what it takes and refuses, and what hostile clients can do to
// others, which is nothing.

#include "gw/web/server.h"
#include "gw/web/upload.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BODY_MAX 50000
#define IDLE_MS  1500
#define HOST     "Host: localhost\r\n"
#define CLOSE    "Connection: close\r\n\r\n"
#define TARGET   "/v1/resources/a"

static char folder[] = "/tmp/test_web_upload.XXXXXX", path[64];
static struct web *web;
static char answer[65536];

// What was taken last, copied.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned taken;
static char last_path[WEB_TARGET_MAX + 1], last_device[WEB_DEVICE_MAX + 1],
	last_type[WEB_UPLOAD_FIELD_MAX + 1], last_by[WEB_UPLOAD_BY_MAX];
static uint8_t last_body[BODY_MAX];
static size_t last_len;
static bool hold; // the next ones wait ..
static struct web_upload *held[64];
static unsigned held_count; // .. here

static void answered(struct web_upload *upload)
{
	upload->status = upload->is_delete ? 204 : 201;
	upload->says[0] = 0;
	if (!strcmp(upload->resource.path, "/no")) {
		upload->status = 409;
		snprintf(upload->says, sizeof(upload->says), "not \"here\"\n");
	}
	web_upload_answer(upload);
}

static void take(void *arg, struct web_upload *upload)
{
	pthread_mutex_lock(&lock);
	taken++;
	snprintf(last_path, sizeof(last_path), "%s", upload->resource.path);
	snprintf(last_device, sizeof(last_device), "%s", upload->resource.device);
	snprintf(last_type, sizeof(last_type), "%s", upload->type);
	snprintf(last_by, sizeof(last_by), "%s", upload->by);
	last_len = upload->len;
	if (upload->len)
		memcpy(last_body, upload->body, upload->len);
	bool holds = hold && held_count < 64;

	if (holds)
		held[held_count++] = upload;
	pthread_mutex_unlock(&lock);
	if (!holds)
		answered(upload);
}

static void release(void)
{
	pthread_mutex_lock(&lock);
	hold = false;
	while (held_count)
		answered(held[--held_count]);
	pthread_mutex_unlock(&lock);
}

static struct web_conf conf = {
	.key = "push", .listen = path, .take = take, .body_max = BODY_MAX, .idle_ms = IDLE_MS};

static void set_up(void)
{
	struct error error;

	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/push.sock", folder);
	cr_assert_eq(web_create(&conf, &web, &error), 0, "%s", error.text);
	cr_assert_eq(web_start(web), 0);
}

static void tear_down(void)
{
	release();
	web_free(web);
	cr_expect_eq(rmdir(folder), 0);
}

TestSuite(web_upload, .init = set_up, .fini = tear_down, .timeout = 120);

static int connected(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(to.sun_path, path, sizeof(path));
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static bool say(int fd, const void *words, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = send(fd, (const char *)words + at, len - at, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

// Reads until the server closes.
static const char *heard(int fd)
{
	size_t len = 0;
	ssize_t got;

	while (len < sizeof(answer) - 1 &&
		(got = read(fd, answer + len, sizeof(answer) - 1 - len)) > 0)
		len += (size_t)got;
	answer[len] = 0;
	close(fd);
	return answer;
}

static unsigned status_of(const char *text)
{
	return strlen(text) > 12 ? (unsigned)atoi(text + 9) : 0;
}

static unsigned asked(const char *words)
{
	int fd = connected();

	say(fd, words, strlen(words));
	return status_of(heard(fd));
}

static unsigned put_large(size_t len, bool chunked)
{
	static char text[4 * BODY_MAX + 1024];
	char *to = text;
	int fd = connected();

	to += sprintf(to, "PUT " TARGET " HTTP/1.1\r\n" HOST "Connection: close\r\n");
	if (chunked)
		to += sprintf(to, "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", len);
	else
		to += sprintf(to, "Content-Length: %zu\r\n\r\n", len);
	memset(to, 'x', len);
	to += len;
	if (chunked)
		to += sprintf(to, "\r\n0\r\n\r\n");
	say(fd, text, (size_t)(to - text));
	return status_of(heard(fd));
}

Test(web_upload, what_is_put_is_taken)
{
	cr_expect_eq(asked("PUT /v1/resources/a/b?device=pump HTTP/1.1\r\n" HOST
			   "Content-Type: text/plain\r\nContent-Length: 5\r\n"
			   "Connection: close\r\n\r\nhello"),
		201);
	cr_expect_eq(taken, 1);
	cr_expect_str_eq(last_path, "/a/b");
	cr_expect_str_eq(last_device, "pump");
	cr_expect_str_eq(last_type, "text/plain");
	cr_expect_eq(last_len, 5);
	cr_expect_eq(memcmp(last_body, "hello", 5), 0);
	char by[32];

	snprintf(by, sizeof(by), "uid %u", geteuid());
	cr_expect_str_eq(last_by, by);
	cr_expect_eq(asked("DELETE " TARGET " HTTP/1.1\r\n" HOST CLOSE), 204);
	cr_expect_eq(taken, 2);
	cr_expect_eq(asked("PUT " TARGET " HTTP/1.1\r\n" HOST "Content-Length: 0\r\n" CLOSE), 201);
	cr_expect_eq(last_len, 0);
	cr_expect_eq(put_large(BODY_MAX, false), 201);
	cr_expect_eq(last_len, BODY_MAX);
	cr_expect_eq(put_large(BODY_MAX, true), 201);
	cr_expect_eq(last_len, BODY_MAX);
	// A target is not decoded: a slash in a segment stays one.
	cr_expect_eq(asked("DELETE /v1/resources/a%2fb HTTP/1.1\r\n" HOST CLOSE), 204);
	cr_expect_str_eq(last_path, "/a%2fb");
}

Test(web_upload, many_on_one_connection)
{
	static const char put[] = "PUT " TARGET " HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx";
	int fd = connected();

	for (unsigned i = 0; i < 100; i++) {
		ssize_t n;

		cr_assert(say(fd, put, strlen(put)));
		n = read(fd, answer, sizeof(answer) - 1);
		cr_assert_gt(n, 0);
		answer[n] = 0;
		cr_assert_eq(status_of(answer), 201, "%s", answer);
	}
	close(fd);
	cr_expect_eq(taken, 100);
}

Test(web_upload, what_is_refused)
{
	static const struct {
		unsigned status;
		const char *request;
	} rows[] = {
		{405, "GET " TARGET " HTTP/1.1\r\n" HOST CLOSE},
		{405, "POST " TARGET " HTTP/1.1\r\n" HOST "Content-Length: 0\r\n" CLOSE},
		{405, "OPTIONS " TARGET " HTTP/1.1\r\n" HOST CLOSE},
		{404, "PUT /metrics HTTP/1.1\r\n" HOST "Content-Length: 0\r\n" CLOSE},
		{400, "PUT " TARGET "?x=y HTTP/1.1\r\n" HOST "Content-Length: 0\r\n" CLOSE},
		{400, "DELETE " TARGET " HTTP/1.1\r\n" HOST "Content-Length: 1\r\n" CLOSE "x"},
		{400,
			"PUT " TARGET " HTTP/1.1\r\n" HOST
			"If-None-Match: *\r\nContent-Length: 0\r\n" CLOSE},
		{400,
			"PUT " TARGET " HTTP/1.1\r\n" HOST
			"Cache-Control: max-age=x\r\nContent-Length: 0\r\n" CLOSE},
		{400, "PUT " TARGET " HTTP/1.1\r\n" HOST "Content-Length: -1\r\n" CLOSE},
		// What a proxy in front could understand differently.
		{400,
			"PUT " TARGET " HTTP/1.1\r\n" HOST
			"Content-Length: 5\r\nContent-Length: 1\r\n" CLOSE "x"},
		{400,
			"PUT " TARGET " HTTP/1.1\r\n" HOST
			"Content-Length: 11\r\nTransfer-Encoding: chunked\r\n" CLOSE
			"1\r\nx\r\n0\r\n\r\n"},
		{400,
			"PUT " TARGET " HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n" CLOSE
			"1\r\nx\r\n0\r\n\r\n"},
		// That the end of the connection would be the end of the body.
		{400,
			"PUT " TARGET " HTTP/1.1\r\n" HOST
			"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"},
		{400, "PUT " TARGET " HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\nx"},
		{400,
			"PUT " TARGET " HTTP/1.1\r\n" HOST
			"Content-Type: text/plain\r\nContent-Type: a/b\r\n"
			"Content-Length: 1\r\n" CLOSE "x"},
		{400, "PUT " TARGET " HTTP/1.1\r\n" HOST "X : y\r\nContent-Length: 0\r\n" CLOSE},
		{400, "PUT " TARGET " HTTP/1.1\r\n" HOST "X: a\rb\r\nContent-Length: 0\r\n" CLOSE},
		{413, "PUT " TARGET " HTTP/1.1\r\n" HOST "Content-Length: 50001\r\n" CLOSE},
		{413,
			"PUT " TARGET " HTTP/1.1\r\n" HOST
			"Content-Length: 99999999999999999\r\n" CLOSE},
		{421,
			"PUT " TARGET
			" HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n" CLOSE},
		{409, "PUT /v1/resources/no HTTP/1.1\r\n" HOST "Content-Length: 0\r\n" CLOSE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned status = asked(rows[i].request);

		cr_expect_eq(status, rows[i].status, "%s\n%s", rows[i].request, answer);
	}
	cr_expect_eq(taken, 1);
	cr_expect_not_null(
		strstr(answer, "{\"status\":409,\"error\":\"not \\u0022here\\u0022\\u000a\"}"),
		"%s", answer);
	cr_expect_eq(put_large(BODY_MAX + 1, true), 413);
	cr_expect_eq(put_large(3 * BODY_MAX, true), 0, "it is not read to its end");
	cr_expect_eq(taken, 1);
}

Test(web_upload, who_knows_the_token)
{
#define PUT_WITH(header) \
	"PUT " TARGET " HTTP/1.1\r\n" HOST header "Content-Length: 0\r\nConnection: close\r\n\r\n"
	web_token_set(web, "secret");
	cr_expect_eq(asked(PUT_WITH("")), 401);
	cr_expect_not_null(strstr(answer, "WWW-Authenticate: Bearer\r\n"));
	cr_expect_eq(asked(PUT_WITH("Authorization: Bearer\r\n")), 401);
	cr_expect_eq(asked(PUT_WITH("Authorization: Bearer secre\r\n")), 401);
	cr_expect_eq(asked(PUT_WITH("Authorization: Bearer secret1\r\n")), 401);
	cr_expect_eq(asked(PUT_WITH("Authorization: Basic secret\r\n")), 401);
	cr_expect_eq(asked(PUT_WITH("Authorization: Bearer secret\r\n"
				    "Authorization: Bearer secret\r\n")),
		401);
	cr_expect_eq(taken, 0);
	cr_expect_eq(asked(PUT_WITH("Authorization: Bearer secret\r\n")), 201);
	cr_expect_eq(asked(PUT_WITH("authorization: bearer secret\r\n")), 201);
	web_token_set(web, "other");
	cr_expect_eq(asked(PUT_WITH("Authorization: Bearer secret\r\n")), 401);
	web_token_set(web, NULL);
	cr_expect_eq(asked(PUT_WITH("")), 201);
}

// Waits until so many requests wait for their answers.
static void await_held(unsigned wanted)
{
	for (unsigned n = 0; n < wanted;) {
		pthread_mutex_lock(&lock);
		n = held_count;
		pthread_mutex_unlock(&lock);
		usleep(200);
	}
}

// While some wait for their answers, others get theirs; the order of answers is free.
Test(web_upload, one_that_waits_holds_up_nobody)
{
	static const char put[] =
		"PUT " TARGET " HTTP/1.1\r\n" HOST "Content-Length: 1\r\n" CLOSE "x";
	int fd[8];

	hold = true;
	for (unsigned i = 0; i < 8; i++) {
		fd[i] = connected();
		cr_assert(say(fd[i], put, strlen(put)));
	}
	await_held(8);
	pthread_mutex_lock(&lock);
	hold = false;
	pthread_mutex_unlock(&lock);
	cr_expect_eq(asked(put), 201);
	release();
	for (unsigned i = 0; i < 8; i++)
		cr_expect_eq(status_of(heard(fd[i])), 201, "%u", i);
}

// A client that is gone when its answer comes.
Test(web_upload, one_that_does_not_wait)
{
	static const char put[] = "PUT " TARGET " HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx";

	hold = true;
	for (unsigned i = 0; i < 8; i++) {
		int fd = connected();

		cr_assert(say(fd, put, strlen(put)));
		await_held(i + 1);
		close(fd);
	}
	release();
	cr_expect_eq(asked("DELETE " TARGET " HTTP/1.1\r\n" HOST CLOSE), 204);
}

// Connections that say nothing, or half of something, keep nobody out.
Test(web_upload, connections_keep_nobody_out)
{
	static const char half[] =
		"PUT " TARGET " HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\nxx";
	static int fd[200];

	for (unsigned i = 0; i < 200; i++) {
		fd[i] = connected();
		if (i % 2)
			say(fd[i], half, strlen(half));
		if (i % 50 == 49)
			cr_expect_eq(asked("PUT " TARGET " HTTP/1.1\r\n" HOST
					   "Content-Length: 1\r\n" CLOSE "x"),
				201, "%u", i);
	}
	struct web_stats stats;

	web_get_stats(web, &stats);
	cr_expect_leq(stats.clients, WEB_CONNECTIONS_MAX + 1);
	cr_expect_gt(stats.cut, 150);
	for (unsigned i = 0; i < 200; i++)
		close(fd[i]);
}

// A body byte by byte is cut when its time is over.
Test(web_upload, a_body_byte_by_byte_is_cut)
{
	static const char head[] =
		"PUT " TARGET " HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n";
	int fd = connected();
	unsigned bytes = 0;

	cr_assert(say(fd, head, strlen(head)));
	while (bytes < 1000 && say(fd, "x", 1)) {
		bytes++;
		usleep(50000);
	}
	cr_expect_lt(bytes, 200);
	cr_expect_eq(taken, 0);
	close(fd);
}

// The server ends while answers are on their way.
Test(web_upload, it_ends_among_them)
{
	static const char put[] = "PUT " TARGET " HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx";
	struct error error;
	int fd[8];

	hold = true;
	for (unsigned i = 0; i < 8; i++) {
		fd[i] = connected();
		cr_assert(say(fd[i], put, strlen(put)));
	}
	await_held(8);
	release();
	web_free(web);
	for (unsigned i = 0; i < 8; i++)
		close(fd[i]);
	cr_assert_eq(web_create(&conf, &web, &error), 0, "%s", error.text);
}
