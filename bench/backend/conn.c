// SPDX-License-Identifier: BSD-3-Clause

#include "bench/backend/conn.h"

#include "base/container.h"
#include "bench/backend/answer.h"
#include "bench/backend/body.h"
#include "bench/backend/record.h"
#include "bench/backend/request.h"
#include "bench/backend/transport.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define LINGER_MS    1000
#define PEER_MAX     64
#define BODY_MAX     (16 << 20) // bytes of a body that is kept
#define OUT_ENOUGH   (1 << 20)  // waits with the next request until the client has read
#define DISCARD_ROOM 8192       // read at once of a body that is not wanted

struct be_conn {
	struct http_timer timer; // of the delay, new keys, the idle limit, or lingering
	struct be_transport io;
	struct be_thread *thread;
	struct be_conn *next, **self; // in thread->conns
	char peer[PEER_MAX];
	uint64_t number;   // of the connection
	uint64_t requests; // so far
	uint64_t heard_ms;
	uint32_t events; // what epoll reports of it
	bool started;    // its thread knows of it
	bool rekeyed;    // since a byte came
	bool delayed;    // an answer is due later
	bool closing;    // once out is written
	bool reset;      // that, with RST
	bool lingering;  // only waits for the end of what comes
	// The request in hand: from its head until both its body is read and it is answered.
	bool in_request, answered;
	bool is_head, keep_alive;
	bool keep_body;
	struct be_body body;
	struct be_behaviour behaviour;
	struct be_text label;   // what a body is made of if nothing else is asked for
	struct be_text type;    // of the request's body, with a NUL
	struct be_text content; // its body, if keep_body
	struct be_text record;
	struct be_text held; // arrived and not taken yet
	struct be_text out;  // not written yet
};

static void conn_fire(struct http_timer *timer);

static struct be_server *server_of(const struct be_conn *c)
{
	return c->thread->server;
}

static void give_up(const char *what)
{
	fprintf(stderr, "postern-backend: %s: %s\n", what, strerror(errno));
	exit(1);
}

// ---- coming and going

void be_conn_open(struct be_thread *t, int fd, bool tcp, const char *peer)
{
	struct be_conn *c = calloc(1, sizeof(*c));
	// Its thread starts it, at the first event: that it is writable.
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};

	if (!c)
		give_up("accept");
	c->io = (struct be_transport){.fd = fd, .tcp = tcp};
	c->thread = t;
	c->events = event.events;
	c->timer.fire = conn_fire;
	c->behaviour = t->server->behaviour;
	c->number = ++t->server->count.connections;
	t->server->count.open++;
	snprintf(c->peer, sizeof(c->peer), "%s", peer);
	pthread_mutex_lock(&t->lock);
	c->next = t->conns;
	c->self = &t->conns;
	if (c->next)
		c->next->self = &c->next;
	t->conns = c;
	pthread_mutex_unlock(&t->lock);
	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		give_up("epoll_ctl");
}

static void conn_close(struct be_conn *c, bool reset)
{
	struct be_thread *t = c->thread;

	pthread_mutex_lock(&t->lock);
	*c->self = c->next;
	if (c->next)
		c->next->self = c->self;
	pthread_mutex_unlock(&t->lock);
	http_timer_unset(&t->timers, &c->timer);
	if (c->started)
		http_timers_let_go(&t->timers, 1);
	t->server->count.open--;
	be_transport_close(&c->io, reset);
	be_text_free(&c->label);
	be_text_free(&c->type);
	be_text_free(&c->content);
	be_text_free(&c->record);
	be_text_free(&c->held);
	be_text_free(&c->out);
	free(c);
}

void be_conn_close_all(struct be_thread *t)
{
	while (t->conns)
		conn_close(t->conns, false);
}

static void conn_start(struct be_conn *c)
{
	struct be_thread *t = c->thread;
	SSL_CTX *tls = t->server->tls;

	if (http_timers_hold(&t->timers, 1))
		give_up("accept");
	c->started = true;
	c->heard_ms = t->now_ms;
	if (tls) {
		c->io.tls = SSL_new(tls);
		if (!c->io.tls || !SSL_set_fd(c->io.tls, c->io.fd))
			give_up("accept");
		SSL_set_accept_state(c->io.tls);
	}
}

// What epoll is to report from now on.
static void conn_wait(struct be_conn *c, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = c};

	if (c->events == events)
		return;
	c->events = events;
	if (epoll_ctl(c->thread->epoll_fd, EPOLL_CTL_MOD, c->io.fd, &event))
		give_up("epoll_ctl");
}

// ---- answering

static bool percent(struct be_conn *c, uint32_t of_hundred)
{
	return of_hundred && (of_hundred >= 100 || be_chance(c->thread) % 100 < of_hundred);
}

// Makes the body of an answer that has none of the request's.
static void label_make(struct be_conn *c, const struct be_request *r)
{
	const char *name = server_of(c)->name;

	c->label.len = 0;
	if (c->behaviour.unique)
		be_text_print(&c->label, "%016" PRIx64 " ",
			be_chance(c->thread) << 32 ^ be_chance(c->thread));
	be_text_print(&c->label, "%s %s%s%s", r->method, r->target, *name ? " " : "", name);
	if (c->behaviour.sized) {
		c->label.len = 0;
		be_text_fill(&c->label, 'x', c->behaviour.size);
	}
}

// Counts an answer that is under way, and prepares what follows it.
static void conn_answered(struct be_conn *c, bool last)
{
	c->delayed = false;
	c->answered = true;
	c->closing = last;
	server_of(c)->count.answers++;
}

static void conn_answer(struct be_conn *c)
{
	static const char least[] = "HTTP/1.1 204 No Content\r\n\r\n";
	struct be_server *s = server_of(c);
	bool last = !c->keep_alive || (s->max_requests && c->requests >= s->max_requests);

	if (s->discard && !last) {
		be_text_add(&c->out, least, sizeof(least) - 1);
		conn_answered(c, false);
		return;
	}
	const struct be_behaviour *b = &c->behaviour;
	struct be_reply reply = {
		.body = b->echo ? c->content.data : c->label.data,
		.body_len = b->echo ? c->content.len : c->label.len,
		.type = b->echo && c->type.len ? c->type.data : NULL,
		.head = c->is_head,
		.last = last || b->close == BE_CLOSE_SAID,
	};
	be_answer_add(&c->out, b, &reply);
	c->reset = b->reset && b->close != BE_CLOSE_NOT;
	conn_answered(c, reply.last || b->close != BE_CLOSE_NOT || b->until_eof);
}

// Answers now, or sets the timer for it.
static void conn_answer_due(struct be_conn *c)
{
	const struct be_behaviour *b = &c->behaviour;
	uint64_t delay = 0;

	be_answer_interim(&c->out, b);
	if (b->delay_most_ms && percent(c, b->slow_percent))
		delay = b->delay_ms + be_chance(c->thread) % (b->delay_most_ms - b->delay_ms + 1);
	if (!delay) {
		conn_answer(c);
		return;
	}
	c->delayed = true;
	http_timer_set(&c->thread->timers, &c->timer, clock_ms() + delay);
}

// Refuses what is malformed.
static void conn_refuse(struct be_conn *c, uint32_t status, const char *why)
{
	struct be_behaviour b = be_behaviour_default;
	struct be_reply reply = {.body = why, .body_len = strlen(why), .last = true};

	b.status = status;
	be_answer_add(&c->out, &b, &reply);
	c->closing = true;
}

static void conn_malformed(struct be_conn *c, uint32_t status)
{
	server_of(c)->count.malformed++;
	fprintf(stderr, "postern-backend: %s: malformed request: %u\n", c->peer, status);
	conn_refuse(c, status, "malformed\n");
}

// ---- requests

// Decides what the request is answered with. false: its query makes no sense.
static bool behaviour_choose(struct be_conn *c, const struct be_request *r)
{
	const char *query = strchr(r->target, '?');
	struct be_behaviour *b = &c->behaviour;
	char why[BE_WHY_MAX];

	*b = server_of(c)->behaviour;
	if (query && !be_behaviour_parse(b, query + 1, why)) {
		conn_refuse(c, 400, why);
		return false;
	}
	if (percent(c, b->fail_percent))
		b->status = b->fail_status;
	return true;
}

// Answers with the counters.
static void conn_stats(struct be_conn *c, const char *query)
{
	struct be_text text = {0};

	be_count_json(&server_of(c)->count, query && !strcmp(query, "?keys=1"), &text);
	struct be_reply reply = {
		text.data, text.len, "application/json", c->is_head, !c->keep_alive};
	be_answer_add(&c->out, &be_behaviour_default, &reply);
	be_text_free(&text);
	c->answered = true;
	c->closing = !c->keep_alive;
}

// Writes the request to the log, if there is one.
static void conn_record(struct be_conn *c)
{
	if (!c->record.len)
		return;
	be_record_write(&c->record, c->content.data, c->content.len, server_of(c)->log_fd);
	c->record.len = 0;
}

// Begins a request whose head has been parsed.
static void conn_begin(struct be_conn *c, const struct be_request *r)
{
	struct be_server *s = server_of(c);

	c->in_request = true;
	c->answered = false;
	c->is_head = !strcmp(r->method, "HEAD");
	c->keep_alive = r->keep_alive;
	c->keep_body = false;
	c->content.len = 0;
	c->requests++;
	be_body_start(&c->body, r->chunked, r->length);
	if (s->count.by_key && !strncmp(r->target, "/stats", 6) &&
		(!r->target[6] || r->target[6] == '?')) {
		conn_stats(c, r->target[6] ? r->target + 6 : NULL);
		return;
	}
	s->count.requests++;
	if (s->count.by_key)
		be_count_key(&s->count, be_request_header(r, "Idempotency-Key"));
	if (!s->discard) {
		if (!behaviour_choose(c, r))
			return;
		label_make(c, r);
	}
	c->keep_body = s->log_fd >= 0 || (!s->discard && c->behaviour.echo);
	if (c->keep_body) {
		const char *type = be_request_header(r, "Content-Type");

		c->type.len = 0;
		if (type)
			be_text_add(&c->type, type, strlen(type) + 1);
	}
	if (s->log_fd >= 0)
		be_record_start(&c->record, r, s->name, c->peer, c->number);
	if (!s->discard && c->behaviour.early) {
		conn_record(c);
		conn_answer_due(c);
	} else if (r->expect_continue && c->body.state != BE_BODY_DONE) {
		be_text_print(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
	}
}

// All of the request is there.
static void conn_complete(struct be_conn *c)
{
	conn_record(c);
	if (!c->answered) {
		if (server_of(c)->discard)
			conn_answer(c);
		else
			conn_answer_due(c);
	}
}

// Takes what it can of the request's body. Returns how much, 0 if it needs more.
static size_t take_body(struct be_conn *c, const char *buf, size_t len)
{
	const char *data;
	size_t data_len;
	ssize_t n = be_body_take(&c->body, buf, len, &data, &data_len);

	if (n < 0) {
		conn_malformed(c, (uint32_t)-n);
		return 0;
	}
	server_of(c)->count.body_bytes += data_len;
	if (c->keep_body && data_len) {
		be_text_add(&c->content, data, data_len);
		if (c->content.len > BODY_MAX)
			conn_refuse(c, 413, "the body is too long to be kept\n");
	}
	return (size_t)n;
}

// Takes what it can: requests in turn, until more must arrive, or an answer is due later, or the
// connection is to be closed. Returns how much.
static size_t conn_take(struct be_conn *c, char *buf, size_t len)
{
	struct be_request request;
	size_t used = 0;

	while (!c->closing && !c->delayed && c->out.len < OUT_ENOUGH) {
		if (!c->in_request) {
			ssize_t n =
				used < len ? be_request_parse(&request, buf + used, len - used) : 0;
			if (n < 0)
				conn_malformed(c, (uint32_t)-n);
			if (n <= 0)
				break;
			used += (size_t)n;
			conn_begin(c, &request);
		} else if (c->body.state != BE_BODY_DONE) {
			size_t n = take_body(c, buf + used, len - used);

			used += n;
			if (!n)
				break;
		} else if (!c->answered) {
			conn_complete(c);
		} else {
			c->in_request = false;
		}
	}
	return used;
}

// ---- bytes

// Writes what is to be written. false: the connection is broken.
static bool conn_flush(struct be_conn *c)
{
	size_t done = 0;

	while (done < c->out.len) {
		ssize_t n = be_transport_write(&c->io, c->out.data + done, c->out.len - done);

		if (n == -EAGAIN)
			break;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	be_text_drop(&c->out, done);
	return true;
}

// Reads what comes to no avail, until the client has closed.
static void conn_linger(struct be_conn *c)
{
	ssize_t n;

	while ((n = be_transport_read(&c->io, c->thread->buf, BE_READ_ROOM)) > 0)
		;
	if (n != -EAGAIN)
		conn_close(c, false);
}

// Closes after the last answer. rest: the client may have sent what was not read, and would get a
// RST in place of the answer.
static void conn_finish(struct be_conn *c, bool rest)
{
	if (c->reset) {
		conn_close(c, true);
		return;
	}
	be_transport_end(&c->io, c->behaviour.close_notify);
	if (!rest) {
		conn_close(c, false);
		return;
	}
	// What TLS has not opened yet is of no interest either.
	SSL_free(c->io.tls);
	c->io.tls = NULL;
	c->lingering = true;
	http_timer_set(&c->thread->timers, &c->timer, clock_ms() + LINGER_MS);
	conn_wait(c, EPOLLIN);
	conn_linger(c);
}

// Takes bytes of a body without reading them. Returns as conn_read() does.
static ssize_t conn_skip(struct be_conn *c, bool *more)
{
	ssize_t n = be_transport_skip(&c->io, (size_t)c->body.left);

	if (n <= 0)
		return n;
	server_of(c)->count.body_bytes += (uint64_t)n;
	c->body.left -= (uint64_t)n;
	if (!c->body.left)
		c->body.state = BE_BODY_DONE;
	*more = !c->body.left;
	return n;
}

// Reads behind the *len bytes in the thread's buffer. Returns more than 0, 0 at the end of what
// comes, or -errno. *more: another read may give more.
static ssize_t conn_read(struct be_conn *c, size_t *len, bool *more)
{
	bool body = c->in_request && c->body.state == BE_BODY_LENGTH && !c->keep_body;
	bool plain = c->io.tcp && !c->io.tls;
	size_t room = BE_READ_ROOM - *len;

	if (plain && body && !*len)
		return conn_skip(c, more);
	if (plain && server_of(c)->discard && *len < DISCARD_ROOM)
		room = DISCARD_ROOM - *len;
	ssize_t n = be_transport_read(&c->io, c->thread->buf + *len, room);
	*more = c->io.tls || n == (ssize_t)room;
	if (n > 0)
		*len += (size_t)n;
	return n;
}

// Sets what the connection waits for, and keeps what it has not taken.
static void conn_pause(struct be_conn *c, size_t len)
{
	struct be_server *s = server_of(c);

	be_text_add(&c->held, c->thread->buf, len);
	if (c->out.len || c->io.wants_out)
		conn_wait(c, EPOLLOUT);
	else
		conn_wait(c, c->delayed ? 0 : EPOLLIN);
	uint64_t quiet_ms = s->rekey_ms && !c->rekeyed ? s->rekey_ms : s->idle_ms;
	if (!c->delayed && quiet_ms)
		http_timer_set(&c->thread->timers, &c->timer, c->heard_ms + quiet_ms);
}

// Goes on as far as it gets. It may be gone afterwards.
static void conn_run(struct be_conn *c)
{
	char *buf = c->thread->buf;
	size_t len = c->held.len;
	bool more = true;

	if (!c->started)
		conn_start(c);
	if (c->lingering) {
		conn_linger(c);
		return;
	}
	if (len)
		memcpy(buf, c->held.data, len);
	c->held.len = 0;
	for (;;) {
		size_t used = conn_take(c, buf, len);
		bool full = c->out.len >= OUT_ENOUGH;

		len -= used;
		if (used && len)
			memmove(buf, buf + used, len);
		if (!conn_flush(c)) {
			conn_close(c, false);
			return;
		}
		if (c->closing && !c->out.len) {
			bool body = c->in_request && c->body.state != BE_BODY_DONE;

			conn_finish(c, len || body || !c->answered);
			return;
		}
		if (c->out.len || c->delayed || (!more && !full))
			break;
		if (full)
			continue;
		ssize_t n = conn_read(c, &len, &more);
		if (n == -EAGAIN)
			break;
		if (n <= 0) {
			conn_close(c, false);
			return;
		}
		c->heard_ms = c->thread->now_ms;
		c->rekeyed = false;
	}
	conn_pause(c, len);
}

void be_conn_event(struct be_conn *c)
{
	if (c->delayed)
		conn_close(c, false); // nothing but an error is reported then
	else
		conn_run(c);
}

// An answer is due, or nothing happened for too long.
static void conn_fire(struct http_timer *timer)
{
	struct be_conn *c = CONTAINER_OF(timer, struct be_conn, timer);

	if (c->delayed) {
		c->heard_ms = c->thread->now_ms;
		conn_answer(c);
		conn_run(c);
	} else if (server_of(c)->rekey_ms && !c->rekeyed && !c->lingering) {
		c->rekeyed = true;
		server_of(c)->count.rekeys += be_transport_rekey(&c->io);
		conn_pause(c, 0);
	} else {
		conn_close(c, false);
	}
}
