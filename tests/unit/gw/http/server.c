// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/http/server.h"

#include "tests/unit/gw/http/peer.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX     65536
#define CONNECTIONS_MAX 1024 // at a time

struct connection {
	struct server *server;
	unsigned place;
	struct peer peer;
};

struct server {
	struct server_config config;
	SSL_CTX *tls;
	int fd;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned connections; // accepted so far
	unsigned open;        // now
	unsigned requests;
	unsigned checks;
	unsigned late; // answers that nobody asked for
	bool released, stopping, sick, immortal, shut;
	struct connection *connection[CONNECTIONS_MAX]; // NULL: a free place
};

static bool conn_say(struct connection *c, const char *text)
{
	return peer_write(&c->peer, text, strlen(text));
}

static bool conn_answer(struct connection *c, int status, const char *body)
{
	char head[256];

	snprintf(head, sizeof(head),
		"HTTP/1.1 %d Whatever\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
		status, strlen(body));
	return conn_say(c, head) && conn_say(c, body);
}

static void conn_wait_gone(struct connection *c)
{
	char byte;

	while (peer_read(&c->peer, &byte, 1) > 0)
		;
}

static bool conn_repeat(struct connection *c, const char *text)
{
	while (conn_say(c, text))
		;
	return false;
}

static bool answer_status(struct connection *c, int status)
{
	char head[128];

	if (status != 204 && status != 304)
		return conn_answer(c, status, "said");
	// A body that must not be there.
	snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nContent-Length: 5\r\n\r\nbody!", status);
	return conn_say(c, head);
}

static bool answer_hold(struct connection *c)
{
	struct server *s = c->server;

	pthread_mutex_lock(&s->lock);
	while (!s->released && !s->stopping)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	return conn_answer(c, 200, "held");
}

// Says this, byte by byte, without end.
static bool conn_drip(struct connection *c, const char *head)
{
	bool there = conn_say(c, head);

	while (there && !__atomic_load_n(&c->server->stopping, __ATOMIC_RELAXED)) {
		there = conn_say(c, "x");
		usleep(100000);
	}
	return false;
}

static bool answer_health(struct connection *c)
{
	struct server *s = c->server;

	pthread_mutex_lock(&s->lock);
	bool sick = s->sick;
	pthread_mutex_unlock(&s->lock);
	return conn_answer(c, sick ? 500 : 200, "");
}

static bool answer_big(struct connection *c)
{
	static char body[100001];

	memset(body, 'x', sizeof(body) - 1);
	return conn_answer(c, 200, body);
}

static bool answer_reset(struct connection *c)
{
	struct linger hard = {1, 0};

	conn_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
	setsockopt(c->peer.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	return false;
}

#define LATE \
	"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nof nobody now"

static bool answer_late(struct connection *c, const char *kind)
{
	static const struct {
		const char *kind, *first, *late;
	} rows[] = {
		{"204", "HTTP/1.1 204 No Content\r\n\r\n", LATE},
		{"empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", LATE},
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst", LATE},
		{"chunk",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			"5\r\nfirst\r\n0\r\n\r\n",
			LATE},
		{"408", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
			"Content-Length: 0\r\n\r\n"},
	};
	struct server *s = c->server;
	bool there = false;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(kind, rows[i].kind))
			continue;
		conn_say(c, rows[i].first);
		usleep(50000);
		there = conn_say(c, rows[i].late) && strcmp(kind, "408");
	}
	pthread_mutex_lock(&s->lock);
	s->late++;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	return there;
}

// Answers that are always the same. What is repeated goes out until the client is gone.
static const struct {
	const char *path;
	const char *say;    // NULL: nothing
	const char *repeat; // NULL: nothing
	bool close;         // afterwards
} fixed[] = {
	{"/short", .say = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", .close = true},
	{"/long", .say = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmorethan4"},
	{"/endless", .say = "HTTP/1.1 200 OK\r\n\r\n", .repeat = "xxxxxxxxxxxxxxx"},
	{"/chunked",
		.say = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		       "3\r\none\r\n3\r\ntwo\r\n0\r\nX-Trailer: yes\r\n\r\n"},
	{"/both",
		.say = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
		       "Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n"},
	{"/bad-chunk", .say = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\none\r\n"},
	{"/huge-chunk",
		.say = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		       "fffffffffffffffffffff\r\none\r\n"},
	{"/half-chunk", .say = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\none",
		.close = true},
	{"/long-trailer", .say = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
		.repeat = "X-Trailer: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"},
	{"/wide-trailer", .say = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
		.repeat = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
	{"/status-trailer",
		.say = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		       "3\r\none\r\n0\r\nHTTP/1.1 404 X: y\r\n\r\n",
		.close = true},
	{"/continue-line", .say = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ",
		.repeat = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
	{"/two-lengths",
		.say = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nfour"},
	{"/minus-length", .say = "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx"},
	{"/huge-length", .say = "HTTP/1.1 200 OK\r\nContent-Length: 4611686018427387904\r\n\r\n"},
	{"/folded", .say = "HTTP/1.1 200 OK\r\nX-A: b\r\n c: d\r\nContent-Length: 1\r\n\r\nx"},
	{"/folded-first", .say = "HTTP/1.1 200 OK\r\n X-A: b\r\nContent-Length: 1\r\n\r\nx"},
	{"/half-head", .say = "HTTP/1.1 200 OK\r\nX-A: ", .close = true},
	{"/long-line", .say = "HTTP/1.1 200 OK\r\nX-Padding: ", .repeat = "xxxxxxxx"},
	{"/bighead", .say = "HTTP/1.1 200 OK\r\n",
		.repeat = "X-Padding: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n"},
	{"/many-continue", .repeat = "HTTP/1.1 100 Continue\r\nX: y\r\n\r\n"},
	{"/bare-continue", .repeat = "HTTP/1.1 100 Continue\r\n\r\n"},
	{"/rubbish", .say = "\x01\x02\x03 rubbish\r\n\r\n", .close = true},
	{"/http09", .say = "<html>hello</html>", .close = true},
	{"/switch", .say = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nnews"},
	{"/vanish", .close = true},
};

// Gives the fixed answer of a row. false: the connection is to be closed.
static bool answer_fixed(struct connection *c, size_t row)
{
	if (fixed[row].say && !conn_say(c, fixed[row].say))
		return false;
	if (fixed[row].repeat)
		return conn_repeat(c, fixed[row].repeat);
	return !fixed[row].close;
}

// Answers one request. false: the connection is to be closed.
static bool conn_serve(struct connection *c, const char *path, const char *request)
{
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (!strcmp(path, fixed[i].path))
			return answer_fixed(c, i);
	if (!strncmp(path, "/status/", 8))
		return answer_status(c, atoi(path + 8));
	if (!strcmp(path, "/echo"))
		return conn_answer(c, 200, request);
	if (!strcmp(path, "/hold"))
		return answer_hold(c);
	if (!strcmp(path, "/hang")) {
		conn_wait_gone(c);
		return false;
	}
	if (!strcmp(path, "/reset"))
		return answer_reset(c);
	if (!strcmp(path, "/big"))
		return answer_big(c);
	if (!strcmp(path, "/drip"))
		return conn_drip(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	if (!strcmp(path, "/drip-head"))
		return conn_drip(c, "HTTP/1.1 200 OK\r\nX-Drip: ");
	if (!strcmp(path, "/healthz"))
		return answer_health(c);
	if (!strncmp(path, "/late/", 6))
		return answer_late(c, path + 6);
	if (!strcmp(path, "/die") && !c->server->immortal) {
		shutdown(c->server->fd, SHUT_RDWR);
		return false;
	}
	return conn_answer(c, 200, c->server->config.name);
}

// Reads one request, head and body. Its length, or 0 if the client is gone.
static size_t conn_request(struct connection *c, char *buf)
{
	size_t len = 0, want = SIZE_MAX;

	while (len < want) {
		ssize_t n = peer_read(&c->peer, buf + len, REQUEST_MAX - 1 - len);

		if (n <= 0)
			return 0;
		len += (size_t)n;
		buf[len] = 0;
		const char *end = strstr(buf, "\r\n\r\n");
		if (end) {
			const char *length = strcasestr(buf, "\r\nContent-Length: ");
			want = (size_t)(end + 4 - buf) +
				(length && length < end ? (size_t)atol(length + 18) : 0);
		}
	}
	return len;
}

static void *conn_run(void *arg)
{
	struct connection *c = arg;
	struct server *s = c->server;
	char *buf = malloc(REQUEST_MAX), path[1024];
	bool go_on = true;

	if (c->peer.tls && SSL_accept(c->peer.tls) != 1)
		go_on = false;
	while (go_on && conn_request(c, buf)) {
		if (sscanf(buf, "%*s %1023s", path) != 1)
			break;
		path[strcspn(path, "?")] = 0;
		pthread_mutex_lock(&s->lock);
		if (!strcmp(path, "/healthz"))
			s->checks++;
		else
			s->requests++;
		pthread_cond_broadcast(&s->changed);
		pthread_mutex_unlock(&s->lock);
		go_on = conn_serve(c, path, buf);
	}
	free(buf);
	if (c->peer.tls) {
		if (go_on)
			SSL_shutdown(c->peer.tls);
		SSL_free(c->peer.tls);
		c->peer.tls = NULL;
	}
	pthread_mutex_lock(&s->lock);
	close(c->peer.fd);
	s->connection[c->place] = NULL;
	s->open--;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	free(c);
	return NULL;
}

static void *accept_run(void *arg)
{
	struct server *s = arg;
	int fd;

	pthread_mutex_lock(&s->lock);
	while (s->shut && !s->stopping)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		struct connection *c = calloc(1, sizeof(*c));
		pthread_t thread;

		c->server = s;
		peer_open(&c->peer, fd, s->tls);
		pthread_mutex_lock(&s->lock);
		peer_check(s->open < CONNECTIONS_MAX, "too many connections for the test");
		while (s->connection[c->place])
			c->place++;
		s->connection[c->place] = c;
		s->connections++;
		s->open++;
		peer_check(!pthread_create(&thread, NULL, conn_run, c), "pthread_create");
		pthread_detach(thread);
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

struct server *server_start(const struct server_config *config)
{
	struct server *s = calloc(1, sizeof(*s));

	signal(SIGPIPE, SIG_IGN);
	s->config = *config;
	s->shut = config->shut;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	if (config->cert)
		s->tls = peer_tls(config->cert, config->key);
	s->fd = config->unix_path ? peer_bind_unix(config->unix_path)
				  : peer_bind_tcp(NULL, &s->port);
	peer_check(!listen(s->fd, config->shut ? 1 : 128), "listen");
	peer_check(!pthread_create(&s->thread, NULL, accept_run, s), "pthread_create");
	return s;
}

void server_stop(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		if (s->connection[i])
			shutdown(s->connection[i]->peer.fd, SHUT_RDWR);
	while (s->open)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	SSL_CTX_free(s->tls);
	free(s);
}

uint16_t server_port(const struct server *s)
{
	return s->port;
}

unsigned server_connections(const struct server *s)
{
	return peer_count(&s->lock, &s->connections);
}

unsigned server_requests(const struct server *s)
{
	return peer_count(&s->lock, &s->requests);
}

unsigned server_checks(const struct server *s)
{
	return peer_count(&s->lock, &s->checks);
}

void server_kill(struct server *s)
{
	struct linger hard = {1, 0};

	shutdown(s->fd, SHUT_RDWR);
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++) {
		if (!s->connection[i])
			continue;
		setsockopt(s->connection[i]->peer.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		shutdown(s->connection[i]->peer.fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&s->lock);
}

void server_immortal(struct server *s)
{
	s->immortal = true; // no requests yet
}

void server_open(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	s->shut = false;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

void server_healthy(struct server *s, bool healthy)
{
	pthread_mutex_lock(&s->lock);
	s->sick = !healthy;
	pthread_mutex_unlock(&s->lock);
}

void server_wait_requests(struct server *s, unsigned count)
{
	pthread_mutex_lock(&s->lock);
	while (s->requests < count)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void server_wait_late(struct server *s, unsigned count)
{
	pthread_mutex_lock(&s->lock);
	while (s->late < count)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void server_release(struct server *s)
{
	pthread_mutex_lock(&s->lock);
	s->released = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}
