// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/http/h2_server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define ECHO_MAX        65536

struct stream {
	LIST_ENTRY(stream) link;
	int32_t id;
	char path[1024];
	char *text; // what came, for /echo
	size_t len;
	bool whole, held;
	const char *body; // of the answer
	size_t body_len;
	const char *trailer; // NULL: none
	bool endless, cut;
};

LIST_HEAD(stream_list, stream);

struct connection {
	struct h2_server *server;
	pthread_t thread;
	int fd, wake;
	SSL *tls;
	nghttp2_session *ng;
	struct stream_list streams;
	unsigned requests, open;
	int32_t highest; // request that was looked at: one with a body is whole later than its id
			 // says
	int32_t last;    // of which requests are looked at, after a GOAWAY
	bool closing;
};

struct h2_server {
	struct h2_server_config config;
	SSL_CTX *tls;
	int fd;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned connections, requests, most, left, cancelled, odd; // odd: /..-once came
	uint64_t received;                                          // atomic
	bool released, stopping;
	struct connection *connection[CONNECTIONS_MAX];
};

static char big[100000], padding[20001];

static void check(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static void count(struct h2_server *s, unsigned *what)
{
	pthread_mutex_lock(&s->lock);
	++*what;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static bool is_set(struct h2_server *s, const bool *what)
{
	pthread_mutex_lock(&s->lock);
	bool set = *what;
	pthread_mutex_unlock(&s->lock);
	return set;
}

// ---- answers

static nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
		strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static ssize_t body_read(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t room,
	uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct stream *s = source->ptr;

	if (s->endless) {
		memset(buf, 'x', room);
		return (ssize_t)room;
	}
	size_t n = s->body_len < room ? s->body_len : room;
	memcpy(buf, s->body, n);
	s->body += n;
	s->body_len -= n;
	if (s->body_len)
		return (ssize_t)n;
	if (s->cut) {
		s->cut = false;
		nghttp2_submit_rst_stream(ng, 0, id, NGHTTP2_INTERNAL_ERROR);
		return n ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (s->trailer) {
		nghttp2_nv trailer = nv("x-trailer", s->trailer);

		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		nghttp2_submit_trailer(ng, id, &trailer, 1);
	}
	return (ssize_t)n;
}

// One more field, or NULL.
static void answer_with(struct connection *c, struct stream *s, int status, const char *name,
	const char *value, const char *body, size_t len)
{
	nghttp2_data_provider provider = {.source.ptr = s, .read_callback = body_read};
	nghttp2_nv fields[4];
	char code[8];
	size_t n = 0;

	snprintf(code, sizeof(code), "%03d", status);
	fields[n++] = nv(":status", code);
	if (body)
		fields[n++] = nv("content-type", "text/plain");
	if (name)
		fields[n++] = nv(name, value);
	s->body = body;
	s->body_len = len;
	check(!nghttp2_submit_response(c->ng, s->id, fields, n, body ? &provider : NULL),
		"nghttp2_submit_response");
}

static void answer(struct connection *c, struct stream *s, int status, const char *body)
{
	answer_with(c, s, status, NULL, NULL, body, body ? strlen(body) : 0);
}

static void early(struct connection *c, struct stream *s)
{
	nghttp2_nv fields[] = {nv(":status", "103"), nv("etag", "\"early\"")};

	nghttp2_submit_headers(c->ng, 0, s->id, NULL, fields, 2, NULL);
}

static bool first_odd(struct h2_server *s)
{
	pthread_mutex_lock(&s->lock);
	bool first = !s->odd++;
	pthread_mutex_unlock(&s->lock);
	return first;
}

static void serve(struct connection *c, struct stream *s)
{
	const char *path = s->path, *name = c->server->config.name;

	path += *path == '/';
	if (!strncmp(path, "status/", 7)) {
		int status = atoi(path + 7);

		answer(c, s, status, status == 204 || status == 304 ? NULL : "said");
	} else if (!strcmp(path, "echo")) {
		answer_with(c, s, 200, NULL, NULL, s->text, s->len);
	} else if (!strcmp(path, "hold")) {
		s->held = !is_set(c->server, &c->server->released);
		if (!s->held)
			answer(c, s, 200, "held");
	} else if (!strcmp(path, "hang")) {
		return;
	} else if (!strcmp(path, "reset")) {
		nghttp2_submit_rst_stream(c->ng, 0, s->id, NGHTTP2_INTERNAL_ERROR);
	} else if (!strcmp(path, "refuse") ||
		(!strcmp(path, "refuse-once") && first_odd(c->server)) ||
		(!strcmp(path, "refuse-some") && h2_server_requests(c->server) <= 8)) {
		nghttp2_submit_rst_stream(c->ng, 0, s->id, NGHTTP2_REFUSED_STREAM);
	} else if (!strcmp(path, "lose")) {
		c->closing = first_odd(c->server);
		if (!c->closing)
			nghttp2_submit_rst_stream(c->ng, 0, s->id, NGHTTP2_REFUSED_STREAM);
	} else if (!strcmp(path, "cut")) {
		s->cut = true;
		answer(c, s, 200, "half");
	} else if (!strcmp(path, "close") ||
		(!strcmp(path, "close-once") && first_odd(c->server))) {
		c->closing = true;
	} else if (!strcmp(path, "leave")) {
		nghttp2_submit_goaway(
			c->ng, 0, s->id > 1 ? s->id - 2 : 0, NGHTTP2_NO_ERROR, NULL, 0);
	} else if (!strcmp(path, "big")) {
		answer_with(c, s, 200, NULL, NULL, big, sizeof(big));
	} else if (!strcmp(path, "endless")) {
		s->endless = true;
		answer(c, s, 200, "x");
	} else if (!strcmp(path, "short")) {
		answer_with(c, s, 200, "content-length", "10", "half", 4);
	} else if (!strcmp(path, "huge-length")) {
		s->endless = false;
		answer_with(c, s, 200, "content-length", "4611686018427387904", "x", 1);
	} else if (!strcmp(path, "bighead")) {
		answer_with(c, s, 200, "x-padding", padding, "x", 1);
	} else if (!strcmp(path, "early")) {
		early(c, s);
		answer(c, s, 200, name);
	} else if (!strcmp(path, "many-early")) {
		for (unsigned i = 0; i < 1000; i++)
			early(c, s);
	} else if (!strcmp(path, "trailer") || !strcmp(path, "big-trailer")) {
		s->trailer = *path == 'b' ? padding : "yes";
		answer(c, s, 200, name);
	} else if (!strcmp(path, "connection")) {
		answer_with(c, s, 200, "connection", "close", "x", 1);
	} else if (!strcmp(path, "control")) {
		answer_with(c, s, 200, "x-control", "a\x01z", "x", 1);
	} else if (!strcmp(path, "no-status")) {
		nghttp2_nv field = nv("etag", "\"x\"");

		nghttp2_submit_headers(c->ng, 0, s->id, NULL, &field, 1, NULL);
	} else {
		answer(c, s, 200, name);
	}
}

// ---- requests

static void stream_add(struct stream *s, const void *data, size_t len)
{
	len = len < ECHO_MAX - s->len ? len : ECHO_MAX - s->len;
	s->text = realloc(s->text, s->len + len + 1);
	memcpy(s->text + s->len, data, len);
	s->len += len;
}

static int on_begin(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct connection *c = arg;
	struct stream *s = calloc(1, sizeof(*s));

	s->id = frame->hd.stream_id;
	stream_add(s, "", 0);
	LIST_INSERT_HEAD(&c->streams, s, link);
	nghttp2_session_set_stream_user_data(ng, s->id, s);
	pthread_mutex_lock(&c->server->lock);
	if (++c->open > c->server->most)
		c->server->most = c->open;
	pthread_mutex_unlock(&c->server->lock);
	return 0;
}

static int on_field(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	struct stream *s = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);

	if (name_len == 5 && !memcmp(name, ":path", 5))
		snprintf(s->path, sizeof(s->path), "%.*s", (int)strcspn((const char *)value, "?"),
			(const char *)value);
	stream_add(s, name, name_len);
	stream_add(s, ": ", 2);
	stream_add(s, value, value_len);
	stream_add(s, "\n", 1);
	return 0;
}

static int on_data(
	nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *arg)
{
	stream_add(nghttp2_session_get_stream_user_data(ng, id), data, len);
	return 0;
}

static void request(struct connection *c, struct stream *s)
{
	struct h2_server *server = c->server;
	unsigned most = server->config.requests;

	s->whole = true;
	c->requests++;
	if (c->last && s->id > c->last)
		return; // it was said that nobody looks at this one
	if (strcmp(s->path, "/healthz"))
		count(server, &server->requests);
	serve(c, s);
	if (s->id > c->highest)
		c->highest = s->id;
	if (c->requests != most)
		return;
	c->last = c->highest;
	nghttp2_submit_goaway(c->ng, 0, c->last, NGHTTP2_NO_ERROR, NULL, 0);
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct stream *s = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
	struct connection *c = arg;

	if (frame->hd.type == NGHTTP2_GOAWAY)
		count(c->server, &c->server->left);
	if (frame->hd.type == NGHTTP2_RST_STREAM)
		count(c->server, &c->server->cancelled);
	if (!s || s->whole)
		return 0;
	if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
		frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
		request(c, s);
	else if (frame->hd.type == NGHTTP2_HEADERS && !strcmp(s->path, "/early-answer"))
		request(c, s);
	return 0;
}

static int on_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
	struct stream *s = nghttp2_session_get_stream_user_data(ng, id);
	struct connection *c = arg;

	if (!s)
		return 0;
	LIST_REMOVE(s, link);
	free(s->text);
	free(s);
	c->open--;
	return 0;
}

// ---- connections

static ssize_t conn_read(struct connection *c, void *buf, size_t room)
{
	return c->tls ? SSL_read(c->tls, buf, (int)room) : read(c->fd, buf, room);
}

// false if the client is gone.
static bool conn_write(struct connection *c, const void *data, size_t len)
{
	for (const char *at = data; len;) {
		ssize_t n = c->tls ? SSL_write(c->tls, at, (int)len)
				   : send(c->fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

// Writes what there is, as long as the client sends nothing.
static bool conn_flush(struct connection *c)
{
	struct pollfd readable = {.fd = c->fd, .events = POLLIN};
	const uint8_t *data;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(c->ng, &data)) > 0) {
		if (!conn_write(c, data, (size_t)n))
			return false;
		if (poll(&readable, 1, 0) > 0)
			return true;
	}
	return !n;
}

static void session_start(struct connection *c)
{
	const struct h2_server_config *config = &c->server->config;
	nghttp2_session_callbacks *calls;
	nghttp2_settings_entry settings[3];
	nghttp2_option *option;
	size_t n = 0;

	check(!nghttp2_session_callbacks_new(&calls) && !nghttp2_option_new(&option), "nghttp2");
	nghttp2_option_set_no_http_messaging(option, 1); // it may send what it likes
	nghttp2_session_callbacks_set_on_begin_headers_callback(calls, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(calls, on_field);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
	check(!nghttp2_session_server_new2(&c->ng, calls, c, option),
		"nghttp2_session_server_new2");
	nghttp2_session_callbacks_del(calls);
	nghttp2_option_del(option);
	if (config->limited)
		settings[n++] = (nghttp2_settings_entry){
			NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, config->streams};
	if (config->no_window)
		settings[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
	check(!nghttp2_submit_settings(c->ng, 0, settings, n), "nghttp2_submit_settings");
}

// A socket that is closed with something unread is reset, and then what was written and waits for
// room in the network is lost. So the client closes first, as with any server that cares.
static void conn_linger(struct connection *c, void *buf, size_t room)
{
	struct pollfd fds[] = {{.fd = c->fd, .events = POLLIN}, {.fd = c->wake, .events = POLLIN}};

	shutdown(c->fd, SHUT_WR);
	while (poll(fds, 2, -1) > 0 && !fds[1].revents && read(c->fd, buf, room) > 0)
		;
}

static void conn_speak(struct connection *c)
{
	uint8_t *buf = malloc(65536);
	struct pollfd fds[] = {{.fd = c->fd, .events = POLLIN}, {.fd = c->wake, .events = POLLIN}};
	struct stream *s, *next;
	uint64_t value;

	session_start(c);
	while (!c->closing && conn_flush(c) && !c->closing &&
		(nghttp2_session_want_read(c->ng) || nghttp2_session_want_write(c->ng))) {
		if (!c->tls || !SSL_pending(c->tls))
			poll(fds, 2, -1);
		if (fds[1].revents) {
			check(read(c->wake, &value, 8) == 8, "eventfd");
			if (is_set(c->server, &c->server->stopping))
				break;
			for (s = LIST_FIRST(&c->streams); s; s = next) {
				next = LIST_NEXT(s, link);
				if (s->held)
					answer(c, s, 200, "held");
				s->held = false;
			}
		}
		if (!fds[0].revents && (!c->tls || !SSL_pending(c->tls)))
			continue;
		ssize_t n = conn_read(c, buf, 65536);
		if (n <= 0 || nghttp2_session_mem_recv(c->ng, buf, (size_t)n) < 0)
			break;
	}
	if (!nghttp2_session_want_read(c->ng) && !nghttp2_session_want_write(c->ng))
		conn_linger(c, buf, 65536);
	for (s = LIST_FIRST(&c->streams); s; s = next) {
		next = LIST_NEXT(s, link);
		free(s->text);
		free(s);
	}
	nghttp2_session_del(c->ng);
	free(buf);
}

static void wait_released(struct connection *c)
{
	struct h2_server *s = c->server;

	pthread_mutex_lock(&s->lock);
	while (s->config.unread && !s->released && !s->stopping)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static void conn_speak_raw(struct connection *c)
{
	const struct h2_server_config *config = &c->server->config;
	char buf[4096];
	bool there =
		conn_read(c, buf, sizeof(buf)) > 0 && conn_write(c, config->raw, config->raw_len);

	if (there && config->late)
		there = conn_read(c, buf, sizeof(buf)) > 0 &&
			conn_write(c, config->late, config->late_len);
	while (there && config->repeat)
		there = conn_write(c, config->repeat, config->repeat_len);
	wait_released(c);
	while (there) {
		ssize_t n = conn_read(c, buf, sizeof(buf));

		there = n > 0;
		__atomic_add_fetch(&c->server->received, there ? n : 0, __ATOMIC_RELAXED);
	}
}

static void *conn_run(void *arg)
{
	struct connection *c = arg;

	if (!c->tls || SSL_accept(c->tls) == 1) {
		if (c->server->config.raw)
			conn_speak_raw(c);
		else
			conn_speak(c);
	}
	SSL_free(c->tls);
	c->tls = NULL;
	pthread_mutex_lock(&c->server->lock);
	close(c->fd);
	c->fd = -1;
	pthread_mutex_unlock(&c->server->lock);
	return NULL;
}

static void *accept_run(void *arg)
{
	struct h2_server *s = arg;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		struct connection *c = calloc(1, sizeof(*c));
		int yes = 1;

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		c->server = s;
		c->fd = fd;
		c->wake = eventfd(0, EFD_CLOEXEC);
		if (s->tls) {
			c->tls = SSL_new(s->tls);
			SSL_set_fd(c->tls, fd);
		}
		pthread_mutex_lock(&s->lock);
		check(s->connections < CONNECTIONS_MAX, "too many connections for the test");
		s->connection[s->connections++] = c;
		check(!pthread_create(&c->thread, NULL, conn_run, c), "pthread_create");
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

// ---- the server

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
	const unsigned char *in, unsigned in_len, void *arg)
{
	struct h2_server *s = arg;
	const char *want = s->config.alpn ? s->config.alpn : "h2";

	for (unsigned i = 0; i < in_len; i += in[i] + 1u) {
		if (in[i] != strlen(want) || memcmp(in + i + 1, want, in[i]))
			continue;
		*out = in + i + 1;
		*out_len = in[i];
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_NOACK;
}

static void listen_tcp(struct h2_server *s)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int little = 65536;

	address.sin_port = htons(s->config.port);
	if (s->config.address)
		inet_pton(AF_INET, s->config.address, &address.sin_addr);

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->config.unread)
		setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
	check(!bind(s->fd, (struct sockaddr *)&address, len), "bind");
	check(!getsockname(s->fd, (struct sockaddr *)&address, &len), "getsockname");
	s->port = ntohs(address.sin_port);
}

static void listen_unix(struct h2_server *s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", s->config.unix_path);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(!bind(s->fd, (struct sockaddr *)&address, sizeof(address)), "bind");
}

struct h2_server *h2_server_start(const struct h2_server_config *config)
{
	struct h2_server *s = calloc(1, sizeof(*s));

	signal(SIGPIPE, SIG_IGN);
	memset(big, 'x', sizeof(big));
	memset(padding, 'x', sizeof(padding) - 1);
	s->config = *config;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	if (config->cert) {
		s->tls = SSL_CTX_new(TLS_server_method());
		SSL_CTX_set_alpn_select_cb(s->tls, on_alpn, s);
		check(SSL_CTX_use_certificate_file(s->tls, config->cert, SSL_FILETYPE_PEM) == 1,
			"certificate");
		check(SSL_CTX_use_PrivateKey_file(s->tls, config->key, SSL_FILETYPE_PEM) == 1,
			"key");
	}
	if (config->unix_path)
		listen_unix(s);
	else
		listen_tcp(s);
	check(!listen(s->fd, 128), "listen");
	check(!pthread_create(&s->thread, NULL, accept_run, s), "pthread_create");
	return s;
}

static void wake_all(struct h2_server *s)
{
	uint64_t one = 1;

	for (unsigned i = 0; i < s->connections; i++)
		check(write(s->connection[i]->wake, &one, 8) == 8, "eventfd");
	pthread_cond_broadcast(&s->changed);
}

void h2_server_stop(struct h2_server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	wake_all(s);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < s->connections; i++) {
		struct connection *c = s->connection[i];

		pthread_mutex_lock(&s->lock);
		if (c->fd >= 0)
			shutdown(c->fd, SHUT_RDWR);
		pthread_mutex_unlock(&s->lock);
		pthread_join(c->thread, NULL);
		close(c->wake);
		free(c);
	}
	SSL_CTX_free(s->tls);
	free(s);
}

uint16_t h2_server_port(const struct h2_server *s)
{
	return s->port;
}

static unsigned locked(const struct h2_server *s, const unsigned *value)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&s->lock;

	pthread_mutex_lock(lock);
	unsigned now = *value;
	pthread_mutex_unlock(lock);
	return now;
}

unsigned h2_server_connections(const struct h2_server *s)
{
	return locked(s, &s->connections);
}

unsigned h2_server_requests(const struct h2_server *s)
{
	return locked(s, &s->requests);
}

unsigned h2_server_most(const struct h2_server *s)
{
	return locked(s, &s->most);
}

unsigned h2_server_left(const struct h2_server *s)
{
	return locked(s, &s->left);
}

unsigned h2_server_cancelled(const struct h2_server *s)
{
	return locked(s, &s->cancelled);
}

uint64_t h2_server_received(const struct h2_server *s)
{
	return __atomic_load_n(&s->received, __ATOMIC_RELAXED);
}

void h2_server_wait_requests(struct h2_server *s, unsigned wanted)
{
	pthread_mutex_lock(&s->lock);
	while (s->requests < wanted)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void h2_server_release(struct h2_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->released = true;
	wake_all(s);
	pthread_mutex_unlock(&s->lock);
}
