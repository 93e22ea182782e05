// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/http/origin.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX        8192
#define CONNECTIONS_MAX 4096

struct origin {
	int fd;
	uint16_t port;
	pthread_t acceptor;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	// All below under the lock.
	bool stopping, hold, vanish;
	int status;
	char fields[1024], *body, etag[128], last[HEAD_MAX], shown[HEAD_MAX];
	unsigned requests, valid, connections, ended;
	int connection[CONNECTIONS_MAX];
	int stream_status, stream_fd;
	const char *stream_type;
	char stream_head[HEAD_MAX];
	unsigned streams, streams_ended;
};

struct connection {
	struct origin *origin;
	int fd;
};

// Reads a request's head, and its body, if Content-Length says one. false: the connection is over.
static bool request_read(int fd, char head[HEAD_MAX])
{
	size_t len = 0, whole = 0;

	while (!whole || len < whole) {
		ssize_t n = len < HEAD_MAX - 1 ? read(fd, head + len, HEAD_MAX - 1 - len) : 0;

		if (n <= 0)
			return false;
		len += (size_t)n;
		head[len] = 0;
		const char *end = strstr(head, "\r\n\r\n"), *length;

		if (!end)
			continue;
		length = strstr(head, "Content-Length: ");
		whole = (size_t)(end + 4 - head) +
			(length && length < end ? (size_t)atoi(length + 16) : 0);
	}
	return true;
}

// Writes what is said now. The lock is held.
static bool answer_write(struct origin *o, int fd, const char *head)
{
	char text[16384];
	const char *validator = strstr(head, "If-None-Match: ");
	bool valid = o->etag[0] && validator &&
		!strncmp(validator + strlen("If-None-Match: "), o->etag, strlen(o->etag));
	const char *since = strstr(head, "If-Modified-Since: ");

	valid |= o->etag[0] && since && !validator &&
		!strncmp(since + strlen("If-Modified-Since: "), o->etag, strlen(o->etag));
	o->valid += valid;
	int n = valid
		? snprintf(text, sizeof(text), "HTTP/1.1 304 Not Modified\r\n%s\r\n", o->fields)
		: snprintf(text, sizeof(text), "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s",
			  o->status, o->fields, strlen(o->body), o->body);

	return n < (int)sizeof(text) && send(fd, text, (size_t)n, MSG_NOSIGNAL) == n;
}

static bool write_all(int fd, const char *text)
{
	return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

// Answers a request for a stream, and waits until the client ends it.
static void stream_serve(struct origin *o, int fd, const char *head)
{
	char text[256], rest[64];

	pthread_mutex_lock(&o->lock);
	o->streams++;
	o->stream_fd = fd;
	strcpy(o->stream_head, head);
	snprintf(text, sizeof(text),
		"HTTP/1.1 %d X\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n",
		o->stream_status, o->stream_type);
	write_all(fd, text);
	pthread_cond_broadcast(&o->changed);
	pthread_mutex_unlock(&o->lock);
	while (read(fd, rest, sizeof(rest)) > 0)
		;
	pthread_mutex_lock(&o->lock);
	o->streams_ended++;
	if (o->stream_fd == fd)
		o->stream_fd = -1;
	pthread_cond_broadcast(&o->changed);
	pthread_mutex_unlock(&o->lock);
}

static void *serve(void *arg)
{
	struct connection *c = arg;
	struct origin *o = c->origin;
	char *head = malloc(HEAD_MAX);
	bool more = head;

	while (more && request_read(c->fd, head)) {
		if (strstr(head, "\r\nAccept: text/event-stream\r\n")) {
			stream_serve(o, c->fd, head);
			break;
		}
		pthread_mutex_lock(&o->lock);
		o->requests++;
		strcpy(o->last, head);
		pthread_cond_broadcast(&o->changed);
		while (o->hold && !o->stopping)
			pthread_cond_wait(&o->changed, &o->lock);
		more = !o->stopping && !o->vanish && answer_write(o, c->fd, head);
		pthread_mutex_unlock(&o->lock);
	}
	shutdown(c->fd, SHUT_RDWR);
	pthread_mutex_lock(&o->lock);
	o->ended++;
	pthread_cond_broadcast(&o->changed);
	pthread_mutex_unlock(&o->lock);
	free(head);
	free(c);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct origin *o = arg;
	pthread_t thread;
	int fd;

	while ((fd = accept(o->fd, NULL, NULL)) >= 0) {
		struct connection *c = malloc(sizeof(*c));

		*c = (struct connection){.origin = o, .fd = fd};
		pthread_mutex_lock(&o->lock);
		bool room = o->connections < CONNECTIONS_MAX && !o->stopping;

		if (room)
			o->connection[o->connections++] = fd;
		pthread_mutex_unlock(&o->lock);
		if (!room || pthread_create(&thread, NULL, serve, c))
			abort();
		pthread_detach(thread);
	}
	return NULL;
}

struct origin *origin_start(void)
{
	struct origin *o = calloc(1, sizeof(*o));
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->changed, NULL);
	o->status = o->stream_status = 200;
	o->stream_type = "text/event-stream";
	o->stream_fd = -1;
	o->body = strdup("");
	o->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (o->fd < 0 || bind(o->fd, (struct sockaddr *)&address, sizeof(address)) ||
		listen(o->fd, 1024) || getsockname(o->fd, (struct sockaddr *)&address, &len) ||
		pthread_create(&o->acceptor, NULL, accept_all, o))
		abort();
	o->port = ntohs(address.sin_port);
	return o;
}

void origin_stop(struct origin *o)
{
	pthread_mutex_lock(&o->lock);
	o->stopping = true;
	shutdown(o->fd, SHUT_RDWR);
	for (unsigned i = 0; i < o->connections; i++)
		shutdown(o->connection[i], SHUT_RDWR);
	pthread_cond_broadcast(&o->changed);
	while (o->ended < o->connections)
		pthread_cond_wait(&o->changed, &o->lock);
	pthread_mutex_unlock(&o->lock);
	pthread_join(o->acceptor, NULL);
	for (unsigned i = 0; i < o->connections; i++)
		close(o->connection[i]);
	close(o->fd);
	free(o->body);
	free(o);
}

uint16_t origin_port(const struct origin *o)
{
	return o->port;
}

void origin_says(struct origin *o, int status, const char *fields, const char *body)
{
	pthread_mutex_lock(&o->lock);
	o->status = status;
	snprintf(o->fields, sizeof(o->fields), "%s", fields);
	free(o->body);
	o->body = strdup(body);
	pthread_mutex_unlock(&o->lock);
}

void origin_validates(struct origin *o, const char *etag)
{
	pthread_mutex_lock(&o->lock);
	snprintf(o->etag, sizeof(o->etag), "%s", etag ? etag : "");
	pthread_mutex_unlock(&o->lock);
}

void origin_hold(struct origin *o, bool hold)
{
	pthread_mutex_lock(&o->lock);
	o->hold = hold;
	pthread_cond_broadcast(&o->changed);
	pthread_mutex_unlock(&o->lock);
}

void origin_vanish(struct origin *o, bool vanish)
{
	pthread_mutex_lock(&o->lock);
	o->vanish = vanish;
	pthread_mutex_unlock(&o->lock);
}

unsigned origin_requests(struct origin *o)
{
	pthread_mutex_lock(&o->lock);
	unsigned n = o->requests;
	pthread_mutex_unlock(&o->lock);
	return n;
}

unsigned origin_valid(struct origin *o)
{
	pthread_mutex_lock(&o->lock);
	unsigned n = o->valid;
	pthread_mutex_unlock(&o->lock);
	return n;
}

void origin_wait(struct origin *o, unsigned count)
{
	pthread_mutex_lock(&o->lock);
	while (o->requests < count)
		pthread_cond_wait(&o->changed, &o->lock);
	pthread_mutex_unlock(&o->lock);
}

const char *origin_last(struct origin *o)
{
	pthread_mutex_lock(&o->lock);
	strcpy(o->shown, o->last);
	pthread_mutex_unlock(&o->lock);
	return o->shown;
}

// ---- streams

void origin_streams(struct origin *o, int status, const char *type)
{
	pthread_mutex_lock(&o->lock);
	o->stream_status = status;
	o->stream_type = type;
	pthread_mutex_unlock(&o->lock);
}

static void wait_count(struct origin *o, const unsigned *at, unsigned count)
{
	pthread_mutex_lock(&o->lock);
	while (*at < count)
		pthread_cond_wait(&o->changed, &o->lock);
	pthread_mutex_unlock(&o->lock);
}

void origin_wait_streams(struct origin *o, unsigned count)
{
	wait_count(o, &o->streams, count);
}

void origin_wait_streams_ended(struct origin *o, unsigned count)
{
	wait_count(o, &o->streams_ended, count);
}

unsigned origin_stream_count(struct origin *o)
{
	pthread_mutex_lock(&o->lock);
	unsigned count = o->streams;
	pthread_mutex_unlock(&o->lock);
	return count;
}

const char *origin_stream_head(struct origin *o)
{
	pthread_mutex_lock(&o->lock);
	strcpy(o->shown, o->stream_head);
	pthread_mutex_unlock(&o->lock);
	return o->shown;
}

void origin_stream_says(struct origin *o, const char *text)
{
	char size[32];

	pthread_mutex_lock(&o->lock);
	snprintf(size, sizeof(size), "%zx\r\n", strlen(text));
	if (o->stream_fd >= 0 && write_all(o->stream_fd, size) && write_all(o->stream_fd, text))
		write_all(o->stream_fd, "\r\n");
	pthread_mutex_unlock(&o->lock);
}

void origin_stream_end(struct origin *o)
{
	pthread_mutex_lock(&o->lock);
	if (o->stream_fd >= 0) {
		write_all(o->stream_fd, "0\r\n\r\n");
		shutdown(o->stream_fd, SHUT_WR);
	}
	pthread_mutex_unlock(&o->lock);
}
