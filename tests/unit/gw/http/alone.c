// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/http/alone.h"

#include "base/clock.h"

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

int alone_send_errno;
bool alone_send_head;

// Instead of the C library's.
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct msghdr some = *message;

	if (alone_send_errno && !alone_send_head) {
		errno = alone_send_errno;
		return -1;
	}
	if (alone_send_head)
		some.msg_iovlen = 1;
	alone_send_head = false;
	return syscall(SYS_sendmsg, fd, &some, flags);
}

// OpenSSL's.
ssize_t write(int fd, const void *data, size_t len)
{
	if (!alone_send_errno || fd <= STDERR_FILENO)
		return syscall(SYS_write, fd, data, len);
	errno = alone_send_errno;
	return -1;
}

bool alone_no_memory;

static void *tls_malloc(size_t len, const char *file, int line)
{
	(void)file;
	(void)line;
	return alone_no_memory ? NULL : malloc(len);
}

static void *tls_realloc(void *old, size_t len, const char *file, int line)
{
	(void)file;
	(void)line;
	return alone_no_memory ? NULL : realloc(old, len);
}

static void tls_free(void *data, const char *file, int line)
{
	(void)file;
	(void)line;
	free(data);
}

// Before OpenSSL allocates anything.
__attribute__((constructor)) static void memory_may_lack(void)
{
	if (!CRYPTO_set_mem_functions(tls_malloc, tls_realloc, tls_free))
		abort();
}

static void asker_done(struct http_transfer *transfer, enum http_error error)
{
	struct asker *asker = (struct asker *)transfer;

	asker->done = true;
	asker->error = error;
}

struct alone *alone_make(bool tls)
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

void alone_end(struct alone *a)
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

void alone_turn_masked(struct alone *a, uint32_t mask)
{
	struct epoll_event events[16];

	a->engine->ops->turn(a->engine, clock_ms() + a->later_ms);
	int n = epoll_wait(a->epoll, events, 16, 1);
	for (int i = 0; i < n; i++)
		a->engine->ops->ready(a->engine, events[i].data.u64, events[i].events & mask);
	a->engine->ops->turn(a->engine, clock_ms() + a->later_ms);
}

void alone_turn(struct alone *a)
{
	alone_turn_masked(a, UINT32_MAX);
}

void alone_ask(struct alone *a, struct asker *asker, const char *method)
{
	static uint8_t body[ALONE_BODY];
	bool get = !strcmp(method, "GET");

	*asker = (struct asker){.transfer = {
					.done = asker_done,
					.request = {.method = method,
						.idempotent = get,
						.has_body = !get,
						.body = body,
						.body_len = ALONE_BODY,
						.path = "/",
						.query = ""},
					.server = &a->conf->upstreams[0].servers[0],
					.host = "host",
					.timeout_ms = ALONE_LONG_MS,
					.body_keep = 1000,
					.body_max = 1000000,
				}};
	cr_assert_eq(a->engine->ops->start(a->engine, &asker->transfer), 0);
}

enum http_error alone_wait(struct alone *a, const struct asker *asker)
{
	uint64_t until = clock_ms() + ALONE_LONG_MS;

	while (!asker->done) {
		cr_assert(clock_ms() < until, "no end");
		alone_turn(a);
	}
	return asker->error;
}

void alone_accept(struct alone *a)
{
	uint64_t until = clock_ms() + ALONE_LONG_MS;
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

bool alone_is_asked(struct alone *a)
{
	return accept4(a->listener, NULL, NULL, SOCK_CLOEXEC) >= 0;
}

bool alone_read(struct alone *a, size_t len)
{
	uint64_t until = clock_ms() + ALONE_LONG_MS;
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

void alone_say(struct alone *a, const char *text)
{
	cr_assert(peer_write(&a->peer, text, strlen(text)));
}

void alone_close(struct alone *a)
{
	SSL_free(a->peer.tls);
	close(a->peer.fd);
	a->peer = (struct peer){0};
}

void alone_first(struct alone *a, const char *answer)
{
	struct asker asker;

	alone_ask(a, &asker, "GET");
	alone_accept(a);
	cr_assert(alone_read(a, 0));
	alone_say(a, answer);
	cr_assert_eq(alone_wait(a, &asker), HTTP_ERR_none);
	cr_assert_eq(asker.transfer.reply.status, 200);
}

bool alone_second_is_on_it(struct alone *a)
{
	struct asker asker;

	alone_ask(a, &asker, "GET");
	bool kept = alone_read(a, 0);
	if (!kept) {
		alone_accept(a);
		cr_assert(alone_read(a, 0));
	}
	alone_say(a, KEPT);
	cr_assert_eq(alone_wait(a, &asker), HTTP_ERR_none);
	cr_assert_eq(asker.transfer.reply.status, 200);
	return kept;
}
