// SPDX-License-Identifier: BSD-3-Clause
// Hostile servers: each step one of them does one thing.

#include "tests/model/h1_pool_answer.h"
#include "tests/unit/gw/http/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 8192

// The server's end of a connection.
struct side {
	int fd; // -1: free
	SSL *ssl;
	enum pool_server server;
	bool open;          // handshakes are over
	bool shut;          // it says no more
	bool doomed;        // something was said that must end the connection:
	uint32_t doomed_at; // no later request than this one comes on it
	uint16_t port;      // of the client, over TCP
	unsigned requests;
	uint64_t opened_ms;
	// The request that is being read, or was last.
	uint32_t id; // 0: not known yet
	bool in_body, whole, answered;
	size_t body_at;
	uint32_t last_id;      // that was answered before
	uint32_t last_kept_ms; // for how long the connection could be used then
	char head[HEAD_MAX];
	size_t head_len;
	struct pool_answer answer; // that is being written
	size_t out_at, tls_len;
	bool has_answer;
};

struct pool_counts pool_counts;

static struct side sides[POOL_SIDES_MAX];
static int listeners[POOL_SERVERS];
static SSL_CTX *contexts[POOL_SERVERS];
static char text[512], unix_path[96];

// ---- opening

static SSL_CTX *context(const char *cert, const char *key, int version)
{
	SSL_CTX *tls = peer_tls(cert, key);

	SSL_CTX_set_max_proto_version(tls, version);
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return tls;
}

void pool_servers_open(const char *dir, const char *cert, const char *key, unsigned backlog)
{
	uint16_t port[POOL_SERVERS] = {0};

	for (unsigned i = 0; i < POOL_SIDES_MAX; i++)
		sides[i].fd = -1;
	snprintf(unix_path, sizeof(unix_path), "%s/http", dir);
	for (unsigned i = 0; i < POOL_DEAD; i++) {
		listeners[i] =
			i == POOL_UNIX ? peer_bind_unix(unix_path) : peer_bind_tcp(NULL, &port[i]);
		peer_check(!listen(listeners[i], i == POOL_UNIX ? (int)backlog : 128), "listen");
		fcntl(listeners[i], F_SETFL, O_NONBLOCK);
	}
	contexts[POOL_TLS12] = context(cert, key, TLS1_2_VERSION);
	contexts[POOL_TLS13] = context(cert, key, TLS1_3_VERSION);
	snprintf(text, sizeof(text),
		"servers: [\"http://127.0.0.1:%u\", \"http+unix:%s\", \"https://127.0.0.1:%u\", "
		"\"https://127.0.0.1:%u\", \"http://127.0.0.1:1\"], "
		"tls: {ca: %s, server_name: postern.test}, keepalive: 4s",
		port[POOL_TCP], unix_path, port[POOL_TLS12], port[POOL_TLS13], cert);
}

const char *pool_servers_text(void)
{
	return text;
}

static void side_drop(struct side *p)
{
	free(p->answer.bytes);
	SSL_free(p->ssl);
	close(p->fd);
	memset(p, 0, sizeof(*p));
	p->fd = -1;
}

void pool_servers_close(void)
{
	for (unsigned i = 0; i < POOL_SIDES_MAX; i++)
		if (sides[i].fd >= 0)
			side_drop(&sides[i]);
	for (unsigned i = 0; i < POOL_DEAD; i++) {
		close(listeners[i]);
		SSL_CTX_free(contexts[i]);
		contexts[i] = NULL;
	}
	unlink(unix_path);
}

static void server_accept(enum pool_server server)
{
	struct sockaddr_storage from = {0};
	socklen_t len = sizeof(from);
	struct side *p = NULL;

	for (unsigned i = 0; i < POOL_SIDES_MAX; i++)
		if (sides[i].fd < 0)
			p = &sides[i];
	if (!p)
		return;
	int fd = accept4(
		listeners[server], (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	p->fd = fd;
	p->server = server;
	p->opened_ms = pool_now_ms;
	if (server != POOL_UNIX) {
		int yes = 1;

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		p->port = ntohs(((struct sockaddr_in *)&from)->sin_port);
	}
	if (contexts[server]) {
		p->ssl = SSL_new(contexts[server]);
		SSL_set_fd(p->ssl, fd);
	}
	p->open = !p->ssl;
	pool_counts.accepted++;
}

static void side_doom(struct side *p)
{
	if (!p->doomed)
		p->doomed_at = pool_request_last();
	p->doomed = true;
}

// ---- reading

static bool is_in_use(const struct side *p)
{
	return p->fd >= 0 && p->open;
}

bool pool_servers_have(uint32_t id)
{
	for (unsigned i = 0; i < POOL_SIDES_MAX; i++)
		if (is_in_use(&sides[i]) && sides[i].id == id && !sides[i].shut)
			return true;
	return false;
}

// The first bytes of a request were read, its id among them.
static void request_seen(struct side *p, uint32_t id)
{
	struct pool_request *r = pool_request(id);
	const struct http_transfer *t = pool_running(id);

	POOL_CHECK(r && r->server == p->server, "request %u for server %u came to %u", id,
		r ? r->server : POOL_SERVERS, p->server);
	POOL_CHECK(
		r->over ? r->sent : t->sent, "request %u was sent, and is told as never sent", id);
	r->seen++;
	POOL_CHECK(r->seen <= (r->idempotent ? 2 : 1), "request %u was sent %u times", id, r->seen);
	POOL_CHECK(!p->doomed || id <= p->doomed_at,
		"request %u on a connection that had to be closed", id);
	POOL_CHECK(!r->fresh || !p->requests, "request %u on a connection that was used", id);
	if (p->requests) {
		const struct pool_request *last = pool_request(p->last_id);

		POOL_CHECK(p->answered, "request %u before the answer to %u", id, p->last_id);
		POOL_CHECK(!last->fresh, "request %u behind a check", id);
		POOL_CHECK(!last->over || r->started_ms < last->over_ms + p->last_kept_ms,
			"request %u on a connection that was idle for too long", id);
		POOL_CHECK(r->started_ms < p->opened_ms + POOL_AGE_MS,
			"request %u on an old connection", id);
		pool_counts.used_again++;
	}
	pool_counts.sent_again += r->seen > 1;
	p->requests++;
	p->id = id;
	p->whole = false;
	p->answered = false;
}

static void head_whole(struct side *p)
{
	const struct pool_request *r = pool_request(p->id);
	bool has_body = strstr(p->head, "\r\nContent-Length: ") != NULL;
	bool closes = strstr(p->head, "\r\nConnection: close\r\n") != NULL;

	POOL_CHECK(has_body == (r->body_len > 0) && closes == r->fresh, "request %u: %s", p->id,
		p->head);
	if (has_body)
		POOL_CHECK(strtoul(strstr(p->head, "Length: ") + 8, NULL, 10) == r->body_len,
			"request %u: %s", p->id, p->head);
	p->in_body = true;
	p->body_at = 0;
	p->head_len = 0;
}

static void take_byte(struct side *p, uint8_t byte)
{
	unsigned id;

	if (p->in_body) {
		POOL_CHECK(byte == pool_body_byte(p->id, p->body_at), "byte %zu of request %u",
			p->body_at, p->id);
		p->body_at++;
	} else {
		if (!p->head_len) {
			p->last_id = p->id;
			p->id = 0;
		}
		POOL_CHECK(p->head_len < HEAD_MAX - 1, "no end of a head");
		p->head[p->head_len++] = (char)byte;
		p->head[p->head_len] = 0;
		if (!p->id && byte == ' ' && sscanf(p->head, "%*s /%8x ", &id) == 1)
			request_seen(p, id);
		if (p->head_len > 4 && !memcmp(p->head + p->head_len - 4, "\r\n\r\n", 4))
			head_whole(p);
	}
	if (p->in_body && p->body_at == pool_request(p->id)->body_len) {
		p->in_body = false;
		p->whole = true;
	}
}

static void side_read(struct side *p)
{
	static uint8_t bytes[65536];
	size_t room = pool_one_in(3) ? 1 + pool_below(200) : 1 + pool_below(sizeof(bytes) - 1);
	ssize_t n = p->ssl ? SSL_read(p->ssl, bytes, (int)room)
			   : recv(p->fd, bytes, room, MSG_DONTWAIT);

	for (ssize_t i = 0; i < n; i++)
		take_byte(p, bytes[i]);
	int error = p->ssl ? SSL_get_error(p->ssl, (int)n) : 0;
	bool waits = p->ssl ? error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE
			    : n < 0 && errno == EAGAIN;
	if (n <= 0 && !waits && (n < 0 || p->ssl || pool_one_in(2)))
		side_drop(p); // the client is gone
}

// ---- writing

// Waits until the client's socket has so many bytes more.
static void wait_delivered(const struct side *p, int before, ssize_t n)
{
	int fd = p->port ? pool_socket_of(p->port) : -1, now = 0;

	for (unsigned i = 0; fd >= 0 && i < 1000; i++) {
		if (ioctl(fd, FIONREAD, &now) || now >= before + n)
			return;
		usleep(1000);
	}
}

static int bytes_waiting(const struct side *p)
{
	int fd = p->port ? pool_socket_of(p->port) : -1, now = 0;

	if (fd >= 0 && ioctl(fd, FIONREAD, &now))
		now = 0;
	return now;
}

static ssize_t write_some(struct side *p, size_t len)
{
	const uint8_t *at = p->answer.bytes + p->out_at;

	if (p->ssl)
		return SSL_write(p->ssl, at, (int)len);
	return send(p->fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// So much of an answer is out that it may be taken for whole.
static void answer_moved(struct side *p)
{
	struct pool_request *r = pool_request(p->id);
	const struct pool_answer *a = &p->answer;

	if (a->head_end && p->out_at > a->head_end + POOL_KEEP + POOL_REST)
		r->large = true;
	if (p->out_at != a->end || a->to_end)
		return;
	r->whole = true;
	p->answered = true;
	p->last_kept_ms = a->keep_ms;
	if (a->closes)
		side_doom(p);
	pool_counts.early += !p->whole;
}

static void side_write(struct side *p)
{
	const struct pool_answer *a = &p->answer;
	size_t left = a->len - p->out_at;
	size_t len = pool_one_in(3) ? 1 + pool_below(16) : 1 + pool_below((uint32_t)left);
	bool nobodys = p->out_at >= a->end;

	len = pool_one_in(3) || len > left ? left : len;
	if (!nobodys && p->out_at + len > a->end && pool_one_in(2))
		len = a->end - p->out_at;
	// It could meet the next request, and no client could tell.
	if (nobodys && (p->head_len || (p->requests && !p->answered) || pool_window(p->server))) {
		p->answer.len = p->out_at;
		p->has_answer = p->doomed;
		return;
	}
	len = p->tls_len ? p->tls_len : len;
	int before = bytes_waiting(p);
	ssize_t n = write_some(p, len);
	p->tls_len = p->ssl && n <= 0 ? len : 0; // OpenSSL wants the same again
	ERR_clear_error();
	if (n <= 0)
		return;
	if (p->out_at + (size_t)n > a->end) {
		wait_delivered(p, before, n);
		side_doom(p);
		pool_counts.surplus++;
	}
	size_t to = p->out_at + (size_t)n;
	if (!nobodys && to >= a->end) {
		p->out_at = a->end;
		answer_moved(p);
	}
	p->out_at = to;
	if (!nobodys && to < a->end)
		answer_moved(p);
}

static void side_answer(struct side *p, bool honest)
{
	enum pool_style style = (enum pool_style)pool_below(POOL_HONEST);

	if (!honest && pool_one_in(2))
		style = (enum pool_style)pool_below(POOL_STYLES);
	pool_answer_make(&p->answer, p->id, style);
	pool_counts.rubbish += p->answer.end == SIZE_MAX;
	p->out_at = p->tls_len = 0;
	p->has_answer = true;
}

// ---- ending, and what TLS says to itself

static void side_end(struct side *p)
{
	struct pool_request *r =
		p->has_answer && p->id && !p->answered ? pool_request(p->id) : NULL;
	bool notify = p->ssl && pool_one_in(2), half = pool_one_in(3), hard = pool_one_in(3);
	const struct linger linger = {1, 0};

	// Bytes of the client that were not read make a reset of it, or not.
	if (r && p->answer.to_end && p->out_at >= p->answer.head_end &&
		(p->ssl ? notify : (half || !hard || p->server == POOL_UNIX)))
		r->prefix = true;
	if (notify)
		SSL_shutdown(p->ssl);
	ERR_clear_error();
	p->shut = true;
	if (half) {
		if (!p->ssl || pool_one_in(2))
			shutdown(p->fd, SHUT_WR);
		return;
	}
	if (hard)
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	side_drop(p);
}

static void side_chat(struct side *p)
{
	if (p->server == POOL_TLS12)
		SSL_renegotiate(p->ssl);
	else if (pool_one_in(2))
		SSL_new_session_ticket(p->ssl);
	else
		SSL_key_update(p->ssl,
			pool_one_in(2) ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
	SSL_do_handshake(p->ssl);
	ERR_clear_error();
	pool_counts.tickets++;
}

// ---- a step

// Says something unasked, while nothing is asked.
static void side_interrupt(struct side *p)
{
	if ((p->requests && !p->answered) || p->head_len || pool_window(p->server))
		return;
	pool_answer_make_surplus(&p->answer);
	p->out_at = p->tls_len = 0;
	p->has_answer = true;
}

static void side_step(struct side *p, bool honest)
{
	if (!p->open) {
		if (SSL_accept(p->ssl) == 1)
			p->open = true;
		else if (pool_one_in(honest ? 1000 : 20))
			side_end(p);
		ERR_clear_error();
		return;
	}
	bool writes = p->has_answer && p->out_at < p->answer.len;
	if (p->has_answer && !writes && (p->answer.closes || p->doomed) && pool_one_in(3)) {
		side_end(p);
	} else if (!honest && pool_one_in(60)) {
		side_end(p);
	} else if (!honest && p->ssl && !p->shut && pool_one_in(20)) {
		side_chat(p);
	} else if (p->shut) {
		pool_one_in(4) ? side_drop(p) : side_read(p);
	} else if (writes && pool_below(3)) {
		side_write(p);
		ERR_clear_error();
		if (p->out_at == p->answer.len && p->answered)
			p->has_answer = p->doomed;
	} else if (!writes && p->id && !p->answered && !p->has_answer &&
		(p->whole || pool_one_in(honest ? 100 : 10))) {
		if (!honest && p->requests > 1 && pool_one_in(4))
			side_end(p);
		else
			side_answer(p, honest);
	} else if (!honest && !writes && !p->doomed && pool_one_in(20)) {
		side_interrupt(p);
	} else {
		ERR_clear_error();
		side_read(p);
		ERR_clear_error();
	}
}

void pool_servers_step(bool honest)
{
	unsigned first = pool_below(POOL_SIDES_MAX), left = 8;

	if (pool_one_in(4))
		server_accept((enum pool_server)pool_below(POOL_DEAD));
	for (unsigned i = 0; i < POOL_SIDES_MAX && left; i++) {
		struct side *p = &sides[(first + i) % POOL_SIDES_MAX];

		if (p->fd < 0)
			continue;
		side_step(p, honest);
		left--;
	}
}
