// SPDX-License-Identifier: BSD-3-Clause
// The HTTP/1.1 engine alone, in the test's thread and at times of the test's own, with a server
// that the test plays byte by byte.

#include "base/clock.h"
#include "gw/http/engine.h"
#include "tests/unit/gw/http/peer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LONG_MS 20000
#define BODY    100000

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"

// What sendmsg() fails with; 0: it does not.
static int send_errno;
static bool send_head; // the head of a request goes before

// Instead of the C library's.
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct msghdr some = *message;

	if (send_errno && !send_head) {
		errno = send_errno;
		return -1;
	}
	if (send_head)
		some.msg_iovlen = 1;
	send_head = false;
	return syscall(SYS_sendmsg, fd, &some, flags);
}

// OpenSSL's.
ssize_t write(int fd, const void *data, size_t len)
{
	if (!send_errno || fd <= STDERR_FILENO)
		return syscall(SYS_write, fd, data, len);
	errno = send_errno;
	return -1;
}

struct asker {
	struct http_transfer transfer;
	bool done;
	enum http_error error;
};

static void asker_done(struct http_transfer *transfer, enum http_error error)
{
	struct asker *asker = (struct asker *)transfer;

	asker->done = true;
	asker->error = error;
}

struct alone {
	struct conf *conf;
	int epoll;
	struct http_engine *engine;
	int listener;
	SSL_CTX *tls;        // of the server; NULL: none
	struct peer_pki pki; // of that
	uint64_t later_ms;   // than now is what the engine is told
	struct peer peer;    // the connection that was accepted last
};

static struct alone *alone_make(bool tls)
{
	struct alone *a = calloc(1, sizeof(*a));
	uint16_t port = 0;
	char text[1024];

	a->epoll = epoll_create1(EPOLL_CLOEXEC);
	a->listener = peer_bind_tcp(NULL, &port);
	cr_assert_eq(listen(a->listener, 8), 0);
	fcntl(a->listener, F_SETFL, O_NONBLOCK);
	if (tls) {
		a->pki = peer_pki_make();
		a->tls = peer_tls(a->pki.cert, a->pki.key);
	}
	snprintf(text, sizeof(text),
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		"upstreams: {up: {servers: [\"http%s://127.0.0.1:%u\"], tls: {verify: no}}}\n"
		"routes: [{path: /*, to: up}]\n",
		tls ? "s" : "", port);
	if (!tls)
		*strstr(text, ", tls") = 0, strcat(text, "}}\nroutes: [{path: /*, to: up}]\n");
	cr_assert_eq(conf_parse("test", text, strlen(text), &a->conf, stderr), 0);
	const struct http_engine_config config = {
		.upstream = &a->conf->upstreams[0], .epoll = a->epoll, .max_connections = 2};
	cr_assert_eq(http_engine_h1_create(&config, &a->engine), 0);
	return a;
}

static void alone_end(struct alone *a)
{
	a->engine->ops->free(a->engine);
	SSL_free(a->peer.tls);
	close(a->peer.fd);
	close(a->listener);
	close(a->epoll);
	conf_free(a->conf);
	if (a->tls) {
		SSL_CTX_free(a->tls);
		peer_pki_remove(&a->pki);
	}
	free(a);
}

// A turn of the loop. `mask`: what epoll is let tell.
static void alone_turn_masked(struct alone *a, uint32_t mask)
{
	struct epoll_event events[16];

	a->engine->ops->turn(a->engine, clock_ms() + a->later_ms);
	int n = epoll_wait(a->epoll, events, 16, 1);
	for (int i = 0; i < n; i++)
		a->engine->ops->ready(a->engine, events[i].data.u64, events[i].events & mask);
	a->engine->ops->turn(a->engine, clock_ms() + a->later_ms);
}

static void alone_turn(struct alone *a)
{
	alone_turn_masked(a, UINT32_MAX);
}

static void asker_start(struct alone *a, struct asker *asker, const char *method)
{
	static uint8_t body[BODY];
	bool get = !strcmp(method, "GET");

	*asker = (struct asker){.transfer = {
					.done = asker_done,
					.request = {.method = method,
						.idempotent = get,
						.has_body = !get,
						.body = body,
						.body_len = BODY,
						.path = "/",
						.query = ""},
					.server = &a->conf->upstreams[0].servers[0],
					.host = "host",
					.timeout_ms = LONG_MS,
					.body_keep = 1000,
					.body_max = 1000000,
				}};
	cr_assert_eq(a->engine->ops->start(a->engine, &asker->transfer), 0);
}

static enum http_error asker_wait(struct alone *a, const struct asker *asker)
{
	uint64_t until = clock_ms() + LONG_MS;

	while (!asker->done) {
		cr_assert(clock_ms() < until, "no end");
		alone_turn(a);
	}
	return asker->error;
}

// Takes a new connection.
static void server_accept(struct alone *a)
{
	uint64_t until = clock_ms() + LONG_MS;
	int fd, room = 400000;

	while ((fd = accept4(a->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) < 0) {
		cr_assert(clock_ms() < until, "no connection");
		alone_turn(a);
	}
	SSL_free(a->peer.tls);
	if (a->peer.fd)
		close(a->peer.fd);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	peer_open(&a->peer, fd, a->tls);
	while (a->tls && SSL_accept(a->peer.tls) != 1) {
		cr_assert(clock_ms() < until, "no handshake");
		alone_turn(a);
	}
}

static bool server_is_asked(struct alone *a)
{
	return accept4(a->listener, NULL, NULL, SOCK_CLOEXEC) >= 0;
}

// Reads until the end of a head, or this many bytes if it is not 0. false: the connection ended.
static bool server_read(struct alone *a, size_t len)
{
	uint64_t until = clock_ms() + LONG_MS;
	char last[4] = "", byte[65536];
	size_t got = 0;

	while (len ? got < len : memcmp(last, "\r\n\r\n", 4) != 0) {
		ssize_t n = peer_read(&a->peer, byte, len ? sizeof(byte) : 1);

		cr_assert(clock_ms() < until, "no request");
		ERR_clear_error();
		if (n > 0) {
			got += (size_t)n;
			memmove(last, last + 1, 3);
			last[3] = byte[n - 1];
		} else if (!n || (!a->tls && errno != EAGAIN)) {
			return false;
		} else {
			alone_turn(a);
		}
	}
	return true;
}

static void server_say(struct alone *a, const char *text)
{
	cr_assert(peer_write(&a->peer, text, strlen(text)));
}

static void server_close(struct alone *a)
{
	SSL_free(a->peer.tls);
	close(a->peer.fd);
	a->peer = (struct peer){0};
}

// A first request and its answer, behind which the connection is kept.
static void first(struct alone *a, const char *answer)
{
	struct asker asker;

	asker_start(a, &asker, "GET");
	server_accept(a);
	cr_assert(server_read(a, 0));
	server_say(a, answer);
	cr_assert_eq(asker_wait(a, &asker), HTTP_ERR_none);
	cr_assert_eq(asker.transfer.reply.status, 200);
}

#define KEPT ANSWER "ok"

// Whether the next request comes on the connection that there was.
static bool second_is_on_it(struct alone *a)
{
	struct asker asker;

	asker_start(a, &asker, "GET");
	bool kept = server_read(a, 0);
	if (!kept) {
		server_accept(a);
		cr_assert(server_read(a, 0));
	}
	server_say(a, KEPT);
	cr_assert_eq(asker_wait(a, &asker), HTTP_ERR_none);
	cr_assert_eq(asker.transfer.reply.status, 200);
	return kept;
}

// ---- what is kept

Test(http_h1_engine, a_connection_is_kept)
{
	for (unsigned tls = 0; tls < 2; tls++) {
		struct alone *a = alone_make(tls);

		first(a, KEPT);
		cr_expect(second_is_on_it(a));
		cr_expect_eq(a->engine->ops->connections(a->engine), 1);
		alone_end(a);
	}
}

// What comes behind an answer is seen in the same read, and nothing of it stays to be found.
Test(http_h1_engine, bytes_behind_an_answer_end_the_connection)
{
	for (unsigned tls = 0; tls < 2; tls++) {
		struct alone *a = alone_make(tls);

		first(a, KEPT "HTTP/1.1 404 Of nobody\r\nContent-Length: 0\r\n\r\n");
		cr_expect_not(second_is_on_it(a));
		alone_end(a);
	}
}

// The end of one answer and a whole one more in a record that comes when nothing is asked.
Test(http_h1_engine, bytes_of_nobody_end_the_connection)
{
	for (unsigned tls = 0; tls < 2; tls++) {
		struct alone *a = alone_make(tls);

		first(a, KEPT);
		server_say(a, "H");
		cr_expect_not(second_is_on_it(a));
		alone_end(a);
	}
}

// Tickets and key updates are TLS's own.
Test(http_h1_engine, what_tls_says_to_itself_is_no_answer)
{
	for (unsigned i = 0; i < 3; i++) {
		struct alone *a = alone_make(true);

		first(a, KEPT);
		if (i == 0)
			cr_assert_eq(SSL_new_session_ticket(a->peer.tls), 1);
		else
			cr_assert_eq(SSL_key_update(a->peer.tls,
					     i == 1 ? SSL_KEY_UPDATE_NOT_REQUESTED
						    : SSL_KEY_UPDATE_REQUESTED),
				1);
		cr_assert_eq(SSL_do_handshake(a->peer.tls), 1);
		for (unsigned turns = 0; turns < 3; turns++)
			alone_turn(a);
		cr_expect(second_is_on_it(a), "%u", i);
		alone_end(a);
	}
}

// A server that asks for other keys is told no, and the connection ends at once, not in time.
Test(http_h1_engine, renegotiation_is_refused)
{
	struct alone *a = alone_make(true);
	struct asker asker;

	SSL_CTX_set_max_proto_version(a->tls, TLS1_2_VERSION);
	first(a, KEPT);
	asker_start(a, &asker, "POST");
	cr_assert(server_read(a, 0));
	cr_assert_eq(SSL_renegotiate(a->peer.tls), 1);
	SSL_do_handshake(a->peer.tls);
	uint64_t until = clock_ms() + LONG_MS;
	char byte[4096];
	int n;
	while ((n = SSL_read(a->peer.tls, byte, sizeof(byte))) > 0 ||
		SSL_get_error(a->peer.tls, n) == SSL_ERROR_WANT_READ) {
		cr_assert(clock_ms() < until, "neither refused nor ended");
		alone_turn(a);
	}
	server_close(a);
	cr_expect_eq(asker_wait(a, &asker), HTTP_ERR_reset);
	alone_end(a);
}

// As long as the server says, less a second, else as long as the configuration does; also where one
// answer says less than that before.
Test(http_h1_engine, idle_connections_end_in_time)
{
	static const struct {
		const char *answer;
		uint64_t kept_ms, ended_ms;
	} rows[] = {
		{KEPT, 3900, 4000},
		{"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 0\r\n\r\n", 900,
			1000},
		{"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=9\r\nContent-Length: 0\r\n\r\n", 7900,
			8000},
		{"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n", 0, 0},
	};
	char byte;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct alone *a = alone_make(false);

		first(a, rows[2].answer);
		struct asker asker;
		asker_start(a, &asker, "GET");
		cr_assert(server_read(a, 0));
		server_say(a, rows[i].answer);
		cr_assert_eq(asker_wait(a, &asker), HTTP_ERR_none);
		uint64_t before = clock_ms();
		a->later_ms = rows[i].kept_ms > 100 ? rows[i].kept_ms - 100 : 0;
		alone_turn(a);
		// On a machine that was stopped for a while this says nothing.
		if (rows[i].kept_ms && clock_ms() - before < 100)
			cr_expect_lt(recv(a->peer.fd, &byte, 1, MSG_DONTWAIT), 0, "row %zu", i);
		a->later_ms = rows[i].ended_ms;
		alone_turn(a);
		cr_expect_eq(recv(a->peer.fd, &byte, 1, MSG_DONTWAIT), 0, "row %zu", i);
		alone_end(a);
	}
}

// ---- what is sent again

// The server goes away when it has the request, and says this before.
static enum http_error lost_under_it(
	struct alone *a, const char *method, const char *says, struct asker *asker)
{
	asker_start(a, asker, method);
	cr_assert(server_read(a, 0));
	server_say(a, says);
	server_close(a);
	for (unsigned i = 0; i < 5 && !asker->done; i++)
		alone_turn(a);
	return asker->done ? asker->error : HTTP_ERR_none;
}

Test(http_h1_engine, what_is_idempotent_is_sent_once_more)
{
	struct alone *a = alone_make(false);
	struct asker asker;

	first(a, KEPT);
	lost_under_it(a, "GET", "", &asker);
	cr_assert_not(asker.done);
	server_accept(a);
	cr_assert(server_read(a, 0));
	server_close(a); // and that was all
	cr_expect_eq(asker_wait(a, &asker), HTTP_ERR_reset);
	cr_expect(asker.transfer.sent);
	cr_expect_not(server_is_asked(a));
	alone_end(a);
}

Test(http_h1_engine, what_is_not_idempotent_is_not)
{
	struct alone *a = alone_make(false);
	struct asker asker;

	first(a, KEPT);
	cr_expect_eq(lost_under_it(a, "POST", "", &asker), HTTP_ERR_reset);
	cr_expect(asker.transfer.sent);
	cr_expect_not(server_is_asked(a));
	alone_end(a);
}

Test(http_h1_engine, nor_what_has_an_answer_that_began)
{
	struct alone *a = alone_make(false);
	struct asker asker;

	first(a, KEPT);
	cr_expect_eq(lost_under_it(a, "GET", "H", &asker), HTTP_ERR_reset);
	cr_expect_not(server_is_asked(a));
	alone_end(a);
}

// No new connection comes about: the server had the request all the same.
Test(http_h1_engine, what_was_sent_stays_sent)
{
	struct alone *a = alone_make(false);
	struct asker asker;

	first(a, KEPT);
	asker_start(a, &asker, "GET");
	cr_assert(server_read(a, 0));
	close(a->listener);
	server_close(a);
	cr_expect_eq(asker_wait(a, &asker), HTTP_ERR_connect);
	cr_expect(asker.transfer.sent);
	a->listener = -1;
	alone_end(a);
}

// The request waits for room on a connection that was quiet, and then is not any more: it goes to
// another one, though it may not be repeated.
Test(http_h1_engine, bytes_before_the_first_of_a_request_are_no_answer)
{
	struct alone *a = alone_make(false);
	struct asker asker;

	first(a, KEPT);
	send_errno = EAGAIN;
	asker_start(a, &asker, "POST");
	server_say(a, KEPT);
	send_errno = 0;
	alone_turn_masked(a, EPOLLOUT);
	cr_expect_not(asker.done || asker.transfer.sent);
	server_accept(a);
	cr_assert(server_read(a, BODY));
	server_say(a, KEPT);
	cr_expect_eq(asker_wait(a, &asker), HTTP_ERR_none);
	alone_end(a);
}

// ---- ends

// An answer that only the end of its connection ends.
static enum http_error to_end(struct alone *a, bool notify)
{
	struct asker asker;

	asker_start(a, &asker, "GET");
	server_accept(a);
	cr_assert(server_read(a, 0));
	server_say(a, "HTTP/1.1 200 OK\r\n\r\nhalf");
	if (notify)
		SSL_shutdown(a->peer.tls);
	server_close(a);
	return asker_wait(a, &asker);
}

Test(http_h1_engine, without_close_notify_an_answer_may_be_cut_off)
{
	struct alone *a = alone_make(true);

	cr_expect_eq(to_end(a, true), HTTP_ERR_none);
	cr_expect_eq(to_end(a, false), HTTP_ERR_reset);
	alone_end(a);
}

// The server answers early, and the next write fails like this.
static enum http_error early(const char *head, size_t body, int error)
{
	struct alone *a = alone_make(false);
	struct asker asker;
	char *text = calloc(1, body + 1);

	asker_start(a, &asker, "POST");
	send_errno = EAGAIN;
	send_head = true;
	server_accept(a);
	cr_assert(server_read(a, 0));
	memset(text, 'x', body);
	server_say(a, head);
	server_say(a, text);
	server_close(a);
	send_errno = error;
	alone_turn_masked(a, EPOLLOUT);
	enum http_error got = asker_wait(a, &asker);
	send_errno = 0;
	alone_end(a);
	free(text);
	return got;
}

// All of an early answer is read, however long it is; and a connection that was reset has no end.
Test(http_h1_engine, an_early_answer_is_read_before_it_is_judged)
{
	cr_expect_eq(early("HTTP/1.1 413 No\r\nContent-Length: 200000\r\n\r\n", 200000, EPIPE),
		HTTP_ERR_none);
	cr_expect_eq(
		early("HTTP/1.1 413 No\r\nContent-Length: 9\r\n\r\n", 8, EPIPE), HTTP_ERR_reset);
	cr_expect_eq(early("HTTP/1.1 413 No\r\n\r\n", 9, ECONNRESET), HTTP_ERR_reset);
}

// ---- what this machine lacks

// A request that waits for memory until its time is up, and one over TLS, which cannot wait.
Test(http_h1_engine, no_server_is_blamed_for_want_of_memory)
{
	struct alone *a = alone_make(false);
	struct asker asker;

	first(a, KEPT);
	send_errno = ENOBUFS;
	asker_start(a, &asker, "POST");
	for (unsigned i = 0; i < 3; i++)
		alone_turn(a);
	cr_expect_not(asker.done);
	a->later_ms = LONG_MS;
	cr_expect_eq(asker_wait(a, &asker), HTTP_ERR_local);
	cr_expect_eq(asker.transfer.local_errno, ENOBUFS);
	a->later_ms = 0;
	send_errno = 0;
	asker_start(a, &asker, "POST");
	server_accept(a);
	send_errno = ENOMEM;
	alone_turn(a);
	send_errno = 0;
	cr_assert(server_read(a, BODY)); // it goes on
	server_say(a, KEPT);
	cr_expect_eq(asker_wait(a, &asker), HTTP_ERR_none);
	alone_end(a);
}

// OpenSSL cannot go on then, in a handshake or behind it.
Test(http_h1_engine, no_server_is_blamed_for_want_of_memory_over_tls)
{
	struct alone *a = alone_make(true);
	struct asker asker;

	send_errno = ENOBUFS;
	asker_start(a, &asker, "POST");
	cr_expect_eq(asker_wait(a, &asker), HTTP_ERR_local);
	cr_expect_eq(asker.transfer.local_errno, ENOBUFS);
	send_errno = 0;
	int dead = accept(a->listener, NULL, NULL);
	first(a, KEPT);
	send_errno = ENOMEM;
	asker_start(a, &asker, "POST");
	cr_expect_eq(asker_wait(a, &asker), HTTP_ERR_local);
	cr_expect_eq(asker.transfer.local_errno, ENOMEM);
	cr_expect_not(asker.transfer.sent);
	send_errno = 0;
	close(dead);
	alone_end(a);
}
