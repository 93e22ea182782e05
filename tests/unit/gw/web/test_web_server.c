// SPDX-License-Identifier: BSD-3-Clause
// The server: what it answers and what it refuses, over a UNIX socket and over TCP.

#include "gw/web/server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BODY    1000000 // bytes of the long page
#define IDLE_MS 1500
#define HOST    "Host: localhost\r\n"

static char folder[] = "/tmp/test_web_server.XXXXXX", path[64];
static char *hosts[] = {"gateway.example"};
static struct web *web;
static char answer[2 * BODY];
static unsigned turns, streams_freed;

static void short_page(void *arg, const char *accept, struct web_answer *to)
{
	to->len = (size_t)snprintf(to->text, sizeof(to->text), "<%s>", accept ? accept : "none");
}

static size_t long_read(void *state, char *buf, size_t room)
{
	size_t *left = state;
	size_t len = room < *left ? room : *left;

	memset(buf, 'x', len);
	*left -= len;
	return len;
}

static void long_done(void *state)
{
	free(state);
	__atomic_add_fetch(&streams_freed, 1, __ATOMIC_RELAXED);
}

static void long_page(void *arg, const char *accept, struct web_answer *to)
{
	size_t *left = malloc(sizeof(*left));

	*left = BODY;
	to->read = long_read;
	to->done = long_done;
	to->state = left;
}

static void bad_page(void *arg, const char *accept, struct web_answer *to)
{
	to->status = 503;
	to->len = 1;
	to->text[0] = '!';
}

static void turn(void *arg, uint64_t now_ms)
{
	__atomic_add_fetch(&turns, 1, __ATOMIC_RELAXED);
}

static void fixed_page(void *arg, const char *accept, struct web_answer *to)
{
	to->body = "<fixed>";
	to->body_len = strlen("<fixed>");
	to->policy = "script-src 'none'";
}

static const struct web_page pages[] = {
	{"/short", short_page}, {"/long", long_page}, {"/bad", bad_page}, {"/fixed", fixed_page}};
static struct web_conf conf = {.key = "metrics",
	.listen = path,
	.hosts = hosts,
	.host_count = 1,
	.pages = pages,
	.page_count = 4,
	.turn = turn};

static void set_up(void)
{
	struct error error;

	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/web.sock", folder);
	cr_assert_eq(web_create(&conf, &web, &error), 0, "%s", error.text);
	cr_assert_eq(web_start(web), 0);
}

static void tear_down(void)
{
	web_free(web);
	cr_expect_eq(access(path, F_OK), -1);
	cr_expect_eq(rmdir(folder), 0);
}

TestSuite(web_server, .init = set_up, .fini = tear_down, .timeout = 120);

static int connected(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(to.sun_path, path, sizeof(path));
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void say(int fd, const char *words)
{
	cr_assert_eq(send(fd, words, strlen(words), MSG_NOSIGNAL), (ssize_t)strlen(words));
}

// Reads until the server closes.
static const char *heard(int fd)
{
	size_t len = 0;
	ssize_t got;

	while ((got = read(fd, answer + len, sizeof(answer) - 1 - len)) > 0)
		len += (size_t)got;
	answer[len] = 0;
	close(fd);
	return answer;
}

static const char *asked(const char *request)
{
	int fd = connected();

	say(fd, request);
	return heard(fd);
}

static unsigned status_of(const char *words)
{
	return strncmp(words, "HTTP/1.1 ", 9) ? 0 : (unsigned)atoi(words + 9);
}

#define CLOSE "Connection: close\r\n\r\n"

Test(web_server, pages_are_answered)
{
	const char *got = asked("GET /short HTTP/1.1\r\n" HOST "Accept: a/b\r\n" CLOSE);

	cr_expect_eq(status_of(got), 200, "%s", got);
	cr_expect_not_null(strstr(got, "\r\n\r\n<a/b>"), "%s", got);
	cr_expect_not_null(strstr(got, "X-Content-Type-Options: nosniff\r\n"), "%s", got);
	cr_expect_not_null(strstr(got, "Cache-Control: no-store\r\n"), "%s", got);
	cr_expect_not_null(
		strstr(got,
			"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; "),
		"%s", got);
	cr_expect_not_null(strstr(got, "Cross-Origin-Resource-Policy: same-origin\r\n"), "%s", got);
	cr_expect_null(strcasestr(got, "access-control"), "%s", got);
	got = asked("GET /fixed HTTP/1.1\r\n" HOST CLOSE);
	cr_expect_not_null(strstr(got, "\r\n\r\n<fixed>"), "%s", got);
	cr_expect_not_null(
		strstr(got, "Content-Security-Policy: script-src 'none'\r\n"), "%s", got);
	got = asked("GET /short?x=1 HTTP/1.1\r\n" HOST CLOSE);
	cr_expect_not_null(strstr(got, "<none>"), "%s", got);
	got = asked("GET /bad HTTP/1.1\r\n" HOST CLOSE);
	cr_expect_eq(status_of(got), 503, "%s", got);
}

Test(web_server, head_has_no_body)
{
	const char *got = asked("HEAD /short HTTP/1.1\r\n" HOST CLOSE);

	cr_expect_eq(status_of(got), 200, "%s", got);
	cr_expect_null(strchr(got, '<'), "%s", got);
	got = asked("HEAD /long HTTP/1.1\r\n" HOST CLOSE);
	cr_expect_eq(status_of(got), 200, "%s", got);
	cr_expect_null(strstr(got, "xxx"));
}

Test(web_server, long_bodies_come_whole)
{
	const char *got = asked("GET /long HTTP/1.0\r\n" HOST "\r\n"),
		   *body = strstr(got, "\r\n\r\n");

	cr_assert_not_null(body);
	cr_expect_eq(strlen(body + 4), BODY);
	got = asked("GET /long HTTP/1.1\r\n" HOST CLOSE);
	cr_expect_gt(strlen(got), BODY);
	cr_expect_eq(strcmp(got + strlen(got) - 5, "0\r\n\r\n"), 0);
	web_free(web);
	web = NULL;
	cr_expect_eq(streams_freed, 2);
}

Test(web_server, a_reader_that_leaves_frees_its_body)
{
	int fd = connected();

	say(fd, "GET /long HTTP/1.1\r\n" HOST "\r\n");
	cr_assert_gt(read(fd, answer, 100), 0);
	close(fd);
	web_free(web);
	web = NULL;
	cr_expect_eq(streams_freed, 1);
}

Test(web_server, what_is_not_asked_properly_is_refused)
{
	static const struct {
		const char *request;
		unsigned status;
	} requests[] = {
		{"GET /nothing HTTP/1.1\r\n" HOST CLOSE, 404},
		{"GET / HTTP/1.1\r\n" HOST CLOSE, 404},
		{"GET /short/ HTTP/1.1\r\n" HOST CLOSE, 404},
		{"GET http://localhost/short HTTP/1.1\r\n" HOST CLOSE, 404},
		{"POST /short HTTP/1.1\r\n" HOST "Content-Length: 3\r\n" CLOSE "abc", 405},
		{"PUT /short HTTP/1.1\r\n" HOST CLOSE, 405},
		{"OPTIONS /short HTTP/1.1\r\n" HOST "Origin: http://evil.example\r\n" CLOSE, 405},
		{"get /short HTTP/1.1\r\n" HOST CLOSE, 405},
		{"GET /short HTTP/1.1\r\n" HOST "Content-Length: 3\r\n" CLOSE "abc", 400},
		{"GET /short HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n" CLOSE, 400},
		{"GET /short HTTP/1.1\r\n" HOST "X : y\r\n" CLOSE, 400},
		{"GET /short HTTP/1.1\r\nHost: evil.example\r\n" CLOSE, 421},
		{"GET /short HTTP/1.1\r\n" HOST "Host: evil.example\r\n" CLOSE, 421},
		{"GET /short HTTP/1.1\r\nHost: evil.example\r\n" HOST CLOSE, 421},
		{"POST /short HTTP/1.1\r\nHost: evil.example\r\n" CLOSE, 421},
		{"GET /short HTTP/1.0\r\n\r\n", 421},
		{"GET /short HTTP/1.1\r\nHost: gateway.example:9683\r\n" CLOSE, 200},
		{"GET /short HTTP/1.1\r\nHost: [::1]:9683\r\n" CLOSE, 200},
	};
	struct web_stats stats;
	size_t count = sizeof(requests) / sizeof(requests[0]);

	for (size_t i = 0; i < count; i++) {
		const char *got = asked(requests[i].request);

		cr_expect_eq(
			status_of(got), requests[i].status, "%s: %s", requests[i].request, got);
	}
	web_get_stats(web, &stats);
	cr_expect_eq(stats.requests, count);
	cr_expect_eq(stats.refused, count - 2);
}

Test(web_server, connections_are_kept)
{
	int fd = connected();
	struct web_stats stats;

	for (int i = 0; i < 3; i++) {
		ssize_t got;

		say(fd, "GET /short HTTP/1.1\r\n" HOST "\r\n");
		got = read(fd, answer, sizeof(answer) - 1);
		cr_assert_gt(got, 0);
		answer[got] = 0;
		cr_expect_eq(status_of(answer), 200);
	}
	web_get_stats(web, &stats);
	cr_expect_eq(stats.clients, 1);
	close(fd);
}

// Who holds connections open, or asks and reads nothing, keeps nobody out.
Test(web_server, connections_keep_nobody_out)
{
	for (unsigned asks = 0; asks < 2; asks++) {
		int fds[3 * WEB_CONNECTIONS_MAX];
		struct web_stats stats;

		for (unsigned i = 0; i < 3 * WEB_CONNECTIONS_MAX; i++) {
			fds[i] = connected();
			if (asks)
				(void)!send(fds[i], "GET /long HTTP/1.1\r\n" HOST "\r\n", 26,
					MSG_NOSIGNAL);
			if (i % 8 == 0)
				cr_expect_eq(status_of(asked("GET /short HTTP/1.1\r\n" HOST CLOSE)),
					200);
		}
		web_get_stats(web, &stats);
		cr_expect_leq(stats.clients, WEB_CONNECTIONS_MAX);
		cr_expect_geq(stats.cut, WEB_CONNECTIONS_MAX);
		for (unsigned i = 0; i < 3 * WEB_CONNECTIONS_MAX; i++)
			close(fds[i]);
	}
}

// A connection that is kept, and asks now and then, is not the first to go.
Test(web_server, who_is_silent_goes_first)
{
	int kept = connected();

	for (unsigned i = 0; i < 3 * WEB_CONNECTIONS_MAX; i++) {
		say(kept, "GET /short HTTP/1.1\r\n" HOST "\r\n");
		cr_assert_gt(read(kept, answer, sizeof(answer)), 0, "%u", i);
		(void)connected();
		usleep(2000); // its age
	}
	close(kept);
}

// Makes it a server that waits less long.
static void wait_less(void)
{
	struct error error;

	web_free(web);
	conf.idle_ms = IDLE_MS;
	cr_assert_eq(web_create(&conf, &web, &error), 0, "%s", error.text);
	cr_assert_eq(web_start(web), 0);
}

static uint64_t cut(void)
{
	struct web_stats stats;

	web_get_stats(web, &stats);
	return stats.cut;
}

// One that goes on sending is no better than one that is silent: the time is of a whole request.
Test(web_server, a_request_byte_by_byte_is_cut)
{
	wait_less();
	int slow = connected(), silent = connected();
	unsigned sent = 0;

	say(slow, "GET /short HTTP/1.1\r\n" HOST "X: ");
	while (!cut() && sent < 1000) {
		if (send(slow, "x", 1, MSG_NOSIGNAL) < 0)
			break;
		sent++;
		poll(NULL, 0, 20);
	}
	cr_expect_gt(sent, 10);
	cr_expect_lt(sent, 1000);
	cr_expect_eq(status_of(heard(slow)), 0);
	cr_expect_eq(status_of(heard(silent)), 0);
	cr_expect_eq(status_of(asked("GET /short HTTP/1.1\r\n" HOST CLOSE)), 200);
}

// So is who asks and never reads, and who reads a byte now and then.
Test(web_server, an_answer_that_is_not_read_is_cut)
{
	wait_less();
	int deaf = connected(), slow = connected();
	unsigned got = 0;

	say(deaf, "GET /long HTTP/1.1\r\n" HOST "\r\n");
	say(slow, "GET /long HTTP/1.1\r\n" HOST "\r\n");
	while (cut() < 2 && got < 1000) {
		if (read(slow, answer, 1) <= 0)
			break;
		got++;
		poll(NULL, 0, 20);
	}
	cr_expect_eq(cut(), 2);
	cr_expect_lt(got, 1000);
	close(deaf);
	close(slow);
	for (int i = 0; i < 500 && __atomic_load_n(&streams_freed, __ATOMIC_RELAXED) < 2; i++)
		poll(NULL, 0, 10);
	cr_expect_eq(streams_freed, 2);
}

// One that asks again and again stays.
Test(web_server, a_connection_that_is_used_stays)
{
	wait_less();
	int fd = connected();

	for (unsigned i = 0; i < 3 * IDLE_MS / 100; i++) {
		say(fd, "GET /short HTTP/1.1\r\n" HOST "\r\n");
		cr_assert_gt(read(fd, answer, sizeof(answer)), 0, "after %u", i);
		poll(NULL, 0, 100);
	}
	cr_expect_eq(cut(), 0);
	close(fd);
}

Test(web_server, heads_are_bounded)
{
	int fd = connected();
	char filler[4096];

	say(fd, "GET /short HTTP/1.1\r\n" HOST "X: ");
	memset(filler, 'x', sizeof(filler));
	for (int i = 0; i < 32; i++)
		if (send(fd, filler, sizeof(filler), MSG_NOSIGNAL) < 0)
			break;
	shutdown(fd, SHUT_WR);
	cr_expect_neq(status_of(heard(fd)), 200);
	cr_expect_eq(status_of(asked("GET /short HTTP/1.1\r\n" HOST CLOSE)), 200);
}

Test(web_server, the_socket_is_one_servers)
{
	struct web *second = NULL;
	struct error error;
	struct stat st;

	cr_expect_eq(web_create(&conf, &second, &error), -EADDRINUSE);
	cr_expect_not_null(strstr(error.text, "another process listens there"), "%s", error.text);
	cr_expect_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0660);
	cr_expect_eq(status_of(asked("GET /short HTTP/1.1\r\n" HOST CLOSE)), 200);
}

Test(web_server, a_stale_socket_is_replaced_and_a_file_is_not)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct error error;

	web_free(web);
	web = NULL;
	memcpy(at.sun_path, path, sizeof(path));
	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
	cr_expect_eq(web_create(&conf, &web, &error), 0, "%s", error.text);
	web_free(web);
	web = NULL;
	fclose(fopen(path, "w"));
	cr_expect_eq(web_create(&conf, &web, &error), -EEXIST);
	cr_expect_eq(access(path, F_OK), 0);
	unlink(path);
}

Test(web_server, a_port_in_use_and_an_address_of_others_are_told)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(at);
	char where[32];
	struct web_conf there = conf;
	struct web *second = NULL;
	struct error error;

	there.listen = where;
	cr_assert_eq(bind(fd, (struct sockaddr *)&at, len), 0);
	cr_assert_eq(listen(fd, 1), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(where, sizeof(where), "127.0.0.1:%u", ntohs(at.sin_port));
	cr_expect_eq(web_create(&there, &second, &error), -EADDRINUSE);
	cr_expect_not_null(strstr(error.text, where), "%s", error.text);
	snprintf(where, sizeof(where), "192.0.2.77:9683");
	cr_expect_eq(web_create(&there, &second, &error), -EADDRNOTAVAIL);
	cr_expect_not_null(strstr(error.text, "does not have the address"), "%s", error.text);
	close(fd);
}

Test(web_server, it_takes_turns)
{
	for (int i = 0; i < 5000 && !__atomic_load_n(&turns, __ATOMIC_RELAXED); i++)
		poll(NULL, 0, 10);
	cr_expect_gt(__atomic_load_n(&turns, __ATOMIC_RELAXED), 0);
}
