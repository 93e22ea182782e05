// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/http/ingest.h"

#include "tests/unit/gw/http/peer.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 64
#define READ_ROOM   (2 << 20)

struct connection {
	struct ingest *ingest;
	struct peer peer;
	pthread_t thread;
	bool open;
};

struct ingest {
	ingest_answer *answer;
	void *arg;
	int fd;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock, answering;
	pthread_cond_t changed;
	bool released, stopping;
	unsigned count, connections;
	struct ingest_request request[INGEST_REQUESTS];
	struct connection connection[CONNECTIONS];
};

static void value_of(const char *head, const char *name, char *value, size_t room)
{
	const char *at = strcasestr(head, name);

	*value = 0;
	if (!at)
		return;
	at += strlen(name);
	at += strspn(at, " \"");
	snprintf(value, room, "%.*s", (int)strcspn(at, "\"\r"), at);
}

static unsigned records_of(const char *body, size_t len)
{
	static const char mark[] = "\"specversion\"";
	const char *at = body, *end = body + len;
	unsigned count = 0;

	while ((at = memmem(at, (size_t)(end - at), mark, sizeof(mark) - 1))) {
		at++;
		count++;
	}
	return count;
}

// Reads a request. false: the client is gone.
static bool request_read(struct connection *c, char *buf, struct ingest_request *r)
{
	size_t len = 0, head_len = 0, want = SIZE_MAX;
	char length[32];

	while (len < want) {
		ssize_t n = peer_read(&c->peer, buf + len, READ_ROOM - 1 - len);

		if (n <= 0)
			return false;
		len += (size_t)n;
		buf[len] = 0;
		const char *end = head_len ? NULL : strstr(buf, "\r\n\r\n");
		if (!end)
			continue;
		head_len = (size_t)(end + 4 - buf);
		value_of(buf, "\r\nContent-Length:", length, sizeof(length));
		want = head_len + (size_t)atol(length);
	}
	r->head = strndup(buf, head_len);
	r->body_len = want - head_len;
	r->body = malloc(r->body_len + 1);
	memcpy(r->body, buf + head_len, r->body_len);
	r->body[r->body_len] = 0;
	r->records = records_of(r->body, r->body_len);
	value_of(r->head, "\r\nIdempotency-Key:", r->key, sizeof(r->key));
	peer_check(sscanf(r->head, "%*s %255s", r->path) == 1, "request line");
	return true;
}

static void *connection_run(void *arg)
{
	struct connection *c = arg;
	struct ingest *s = c->ingest;
	char *buf = malloc(READ_ROOM);
	struct ingest_request r;

	while (request_read(c, buf, &r)) {
		pthread_mutex_lock(&s->answering);
		pthread_mutex_lock(&s->lock);
		peer_check(s->count < INGEST_REQUESTS, "too many requests for the test");
		unsigned number = s->count;
		s->request[number] = r;
		s->count++;
		pthread_cond_broadcast(&s->changed);
		pthread_mutex_unlock(&s->lock);
		const char *answer = s->answer(s, &s->request[number], number);
		char *copy = answer ? strdup(answer) : NULL;
		pthread_mutex_unlock(&s->answering);
		bool there = copy && peer_write(&c->peer, copy, strlen(copy));
		free(copy);
		if (!there)
			break;
	}
	free(buf);
	pthread_mutex_lock(&s->lock);
	c->open = false;
	close(c->peer.fd);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void *accept_run(void *arg)
{
	struct ingest *s = arg;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		pthread_mutex_lock(&s->lock);
		struct connection *c = &s->connection[s->connections % CONNECTIONS];
		if (s->connections++ >= CONNECTIONS) {
			peer_check(!c->open, "too many connections for the test");
			pthread_join(c->thread, NULL);
		}
		c->ingest = s;
		c->open = true;
		peer_open(&c->peer, fd, NULL);
		peer_check(!pthread_create(&c->thread, NULL, connection_run, c), "thread");
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

struct ingest *ingest_start(ingest_answer *answer, void *arg)
{
	struct ingest *s = calloc(1, sizeof(*s));

	signal(SIGPIPE, SIG_IGN);
	s->answer = answer;
	s->arg = arg;
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->answering, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->fd = peer_bind_tcp(NULL, &s->port);
	peer_check(!listen(s->fd, 128), "listen");
	peer_check(!pthread_create(&s->thread, NULL, accept_run, s), "thread");
	return s;
}

void ingest_stop(struct ingest *s)
{
	ingest_release(s);
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		if (s->connection[i].open)
			shutdown(s->connection[i].peer.fd, SHUT_RDWR);
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < CONNECTIONS && i < s->connections; i++)
		pthread_join(s->connection[i].thread, NULL);
	for (unsigned i = 0; i < s->count; i++) {
		free(s->request[i].head);
		free(s->request[i].body);
	}
	free(s);
}

uint16_t ingest_port(const struct ingest *s)
{
	return s->port;
}

void *ingest_arg(struct ingest *s)
{
	return s->arg;
}

unsigned ingest_count(const struct ingest *s)
{
	return peer_count(&s->lock, &s->count);
}

void ingest_wait(struct ingest *s, unsigned count)
{
	pthread_mutex_lock(&s->lock);
	while (s->count < count)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

const struct ingest_request *ingest_get(struct ingest *s, unsigned number)
{
	ingest_wait(s, number + 1);
	return &s->request[number];
}

void ingest_hold(struct ingest *s)
{
	pthread_mutex_lock(&s->lock);
	while (!s->released)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void ingest_release(struct ingest *s)
{
	pthread_mutex_lock(&s->lock);
	s->released = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

const char *ingest_reply(int status, const char *headers, const char *body)
{
	static __thread char text[65536];

	snprintf(text, sizeof(text), "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s", status,
		headers, strlen(body), body);
	return text;
}
