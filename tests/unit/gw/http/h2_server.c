// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/http/h2_server.h"

#include "tests/unit/gw/http/h2_parts.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define ECHO_MAX 65536

static void count(struct h2_server *s, unsigned *what)
{
	pthread_mutex_lock(&s->lock);
	++*what;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

bool h2_server_is(struct h2_server *s, const bool *flag)
{
	pthread_mutex_lock(&s->lock);
	bool set = *flag;
	pthread_mutex_unlock(&s->lock);
	return set;
}

// ---- requests

static void stream_add(struct h2_request *s, const void *data, size_t len)
{
	len = len < ECHO_MAX - s->len ? len : ECHO_MAX - s->len;
	s->text = realloc(s->text, s->len + len + 1);
	memcpy(s->text + s->len, data, len);
	s->len += len;
}

static int on_begin(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_peer *c = arg;
	struct h2_request *s = calloc(1, sizeof(*s));

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
	struct h2_request *s = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);

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

static void request(struct h2_peer *c, struct h2_request *s)
{
	struct h2_server *server = c->server;
	unsigned most = server->config.requests;

	s->whole = true;
	c->requests++;
	if (c->last && s->id > c->last)
		return; // it was said that nobody looks at this one
	if (strcmp(s->path, "/healthz"))
		count(server, &server->requests);
	h2_answer_request(c, s);
	if (s->id > c->highest)
		c->highest = s->id;
	if (c->requests != most)
		return;
	c->last = c->highest;
	nghttp2_submit_goaway(c->ng, 0, c->last, NGHTTP2_NO_ERROR, NULL, 0);
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_request *s = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
	struct h2_peer *c = arg;

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
	struct h2_request *s = nghttp2_session_get_stream_user_data(ng, id);
	struct h2_peer *c = arg;

	if (!s)
		return 0;
	LIST_REMOVE(s, link);
	free(s->text);
	free(s);
	c->open--;
	return 0;
}

// ---- connections

// Writes what there is, as long as the client sends nothing.
static bool conn_flush(struct h2_peer *c)
{
	struct pollfd readable = {.fd = c->peer.fd, .events = POLLIN};
	const uint8_t *data;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(c->ng, &data)) > 0) {
		if (!peer_write(&c->peer, data, (size_t)n))
			return false;
		if (poll(&readable, 1, 0) > 0)
			return true;
	}
	return !n;
}

static void session_start(struct h2_peer *c)
{
	const struct h2_server_config *config = &c->server->config;
	nghttp2_session_callbacks *calls;
	nghttp2_settings_entry settings[3];
	nghttp2_option *option = NULL;
	size_t n = 0;

	peer_check(
		!nghttp2_session_callbacks_new(&calls) && !nghttp2_option_new(&option), "nghttp2");
	nghttp2_option_set_no_http_messaging(option, 1); // it may send what it likes
	nghttp2_session_callbacks_set_on_begin_headers_callback(calls, on_begin);
	nghttp2_session_callbacks_set_on_header_callback(calls, on_field);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
	peer_check(!nghttp2_session_server_new2(&c->ng, calls, c, option),
		"nghttp2_session_server_new2");
	nghttp2_session_callbacks_del(calls);
	nghttp2_option_del(option);
	if (config->limited)
		settings[n++] = (nghttp2_settings_entry){
			NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, config->streams};
	if (config->no_window)
		settings[n++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
	peer_check(!nghttp2_submit_settings(c->ng, 0, settings, n), "nghttp2_submit_settings");
}

// A socket that is closed with something unread is reset, and then what was written and waits for
// room in the network is lost. So the client closes first, as with any server that cares.
static void conn_linger(struct h2_peer *c, void *buf, size_t room)
{
	struct pollfd fds[] = {
		{.fd = c->peer.fd, .events = POLLIN}, {.fd = c->wake, .events = POLLIN}};

	shutdown(c->peer.fd, SHUT_WR);
	while (poll(fds, 2, -1) > 0 && !fds[1].revents && read(c->peer.fd, buf, room) > 0)
		;
}

static void conn_speak(struct h2_peer *c)
{
	uint8_t *buf = malloc(65536);
	struct pollfd fds[] = {
		{.fd = c->peer.fd, .events = POLLIN}, {.fd = c->wake, .events = POLLIN}};
	struct h2_request *s, *next;
	uint64_t value;

	session_start(c);
	while (!c->closing && conn_flush(c) && !c->closing &&
		(nghttp2_session_want_read(c->ng) || nghttp2_session_want_write(c->ng))) {
		if (!c->peer.tls || !SSL_pending(c->peer.tls))
			poll(fds, 2, -1);
		if (fds[1].revents) {
			peer_check(read(c->wake, &value, 8) == 8, "eventfd");
			if (h2_server_is(c->server, &c->server->stopping))
				break;
			for (s = LIST_FIRST(&c->streams); s; s = next) {
				next = LIST_NEXT(s, link);
				if (s->held)
					h2_answer(c, s, 200, "held");
				s->held = false;
			}
		}
		if (!fds[0].revents && (!c->peer.tls || !SSL_pending(c->peer.tls)))
			continue;
		ssize_t n = peer_read(&c->peer, buf, 65536);
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

static void wait_released(struct h2_peer *c)
{
	struct h2_server *s = c->server;

	pthread_mutex_lock(&s->lock);
	while (s->config.unread && !s->released && !s->stopping)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

static void conn_speak_raw(struct h2_peer *c)
{
	const struct h2_server_config *config = &c->server->config;
	char buf[4096];
	bool there = peer_read(&c->peer, buf, sizeof(buf)) > 0 &&
		peer_write(&c->peer, config->raw, config->raw_len);

	if (there && config->late)
		there = peer_read(&c->peer, buf, sizeof(buf)) > 0 &&
			peer_write(&c->peer, config->late, config->late_len);
	while (there && config->repeat)
		there = peer_write(&c->peer, config->repeat, config->repeat_len);
	wait_released(c);
	while (there) {
		ssize_t n = peer_read(&c->peer, buf, sizeof(buf));

		there = n > 0;
		__atomic_add_fetch(&c->server->received, there ? n : 0, __ATOMIC_RELAXED);
	}
}

static void *conn_run(void *arg)
{
	struct h2_peer *c = arg;

	if (!c->peer.tls || SSL_accept(c->peer.tls) == 1) {
		if (c->server->config.raw)
			conn_speak_raw(c);
		else
			conn_speak(c);
	}
	SSL_free(c->peer.tls);
	c->peer.tls = NULL;
	pthread_mutex_lock(&c->server->lock);
	close(c->peer.fd);
	c->peer.fd = -1;
	pthread_mutex_unlock(&c->server->lock);
	return NULL;
}

static void *accept_run(void *arg)
{
	struct h2_server *s = arg;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		struct h2_peer *c = calloc(1, sizeof(*c));

		c->server = s;
		c->wake = eventfd(0, EFD_CLOEXEC);
		peer_open(&c->peer, fd, s->tls);
		pthread_mutex_lock(&s->lock);
		peer_check(
			s->connections < H2_CONNECTIONS_MAX, "too many connections for the test");
		s->connection[s->connections++] = c;
		peer_check(!pthread_create(&c->thread, NULL, conn_run, c), "pthread_create");
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

struct h2_server *h2_server_start(const struct h2_server_config *config)
{
	struct h2_server *s = calloc(1, sizeof(*s));
	int little = 65536; // bytes

	signal(SIGPIPE, SIG_IGN);
	h2_answers_init();
	s->config = *config;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	if (config->cert) {
		s->tls = peer_tls(config->cert, config->key);
		SSL_CTX_set_alpn_select_cb(s->tls, on_alpn, s);
	}
	s->port = config->port;
	s->fd = config->unix_path ? peer_bind_unix(config->unix_path)
				  : peer_bind_tcp(config->address, &s->port);
	if (config->unread)
		setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
	peer_check(!listen(s->fd, 128), "listen");
	peer_check(!pthread_create(&s->thread, NULL, accept_run, s), "pthread_create");
	return s;
}

static void wake_all(struct h2_server *s)
{
	uint64_t one = 1;

	for (unsigned i = 0; i < s->connections; i++)
		peer_check(write(s->connection[i]->wake, &one, 8) == 8, "eventfd");
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
		struct h2_peer *c = s->connection[i];

		pthread_mutex_lock(&s->lock);
		if (c->peer.fd >= 0)
			shutdown(c->peer.fd, SHUT_RDWR);
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

unsigned h2_server_connections(const struct h2_server *s)
{
	return peer_count(&s->lock, &s->connections);
}

unsigned h2_server_requests(const struct h2_server *s)
{
	return peer_count(&s->lock, &s->requests);
}

unsigned h2_server_most(const struct h2_server *s)
{
	return peer_count(&s->lock, &s->most);
}

unsigned h2_server_left(const struct h2_server *s)
{
	return peer_count(&s->lock, &s->left);
}

unsigned h2_server_cancelled(const struct h2_server *s)
{
	return peer_count(&s->lock, &s->cancelled);
}

uint64_t h2_server_received(const struct h2_server *s)
{
	return __atomic_load_n(&s->received, __ATOMIC_RELAXED);
}

static void wait_count(struct h2_server *s, const unsigned *value, unsigned wanted)
{
	pthread_mutex_lock(&s->lock);
	while (*value < wanted)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void h2_server_wait_requests(struct h2_server *s, unsigned wanted)
{
	wait_count(s, &s->requests, wanted);
}

void h2_server_wait_left(struct h2_server *s, unsigned wanted)
{
	wait_count(s, &s->left, wanted);
}

void h2_server_release(struct h2_server *s)
{
	pthread_mutex_lock(&s->lock);
	s->released = true;
	wake_all(s);
	pthread_mutex_unlock(&s->lock);
}
