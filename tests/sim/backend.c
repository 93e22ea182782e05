// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/backend.h"

#include "base/clock.h"
#include "gw/http/engine.h"
#include "gw/os/tls_files.h"
#include "tests/sim/disk.h"
#include "tests/sim/oracle.h"
#include "tests/sim/pass.h"
#include "tests/sim/sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ROOM    64
#define PRIVATE "Cache-Control: private, max-age=30"

struct transfer {
	struct http_transfer *t; // NULL: free
	uint64_t until_ms;
	bool over;
	enum http_error error;
	char body[PASS_CONTENT];
};

struct engine {
	struct http_engine head;
	int bell;
	uint64_t connections;
	struct engine *next;
	struct transfer transfer[ROOM];
};

static struct engine *engines; // of the gateway that lives, one of each upstream

// --- what a server is asked -------------------------------------------------------------------

// The number of a request whose effect is its own. false: it is for a thing of which answers are
// stored.
static bool number_of(const struct http_request *request, uint32_t *number)
{
	return sscanf(request->path, "/up/%8x", number) == 1 ||
		sscanf(request->path, "/fresh/%8x", number) == 1;
}

// What stands behind the name of a header; "": it is not there.
static void header_get(const struct http_request *request, const char *name, char *to, size_t room)
{
	size_t len = strlen(name);

	*to = 0;
	for (unsigned i = 0; i < request->header_count; i++)
		if (!strncmp(request->header[i].line, name, len))
			snprintf(to, room, "%.*s", (int)(request->header[i].len - len),
				request->header[i].line + len);
}

// The thing that a request is for.
static struct thing thing_of(const struct http_request *request)
{
	struct thing thing = {.kind = THING_OWN};

	if (sscanf(request->path, "/own/%u", &thing.number) == 1)
		return thing;
	must(sscanf(request->path, "/shared/%u", &thing.number) == 1, "path %s", request->path);
	thing.kind = strcmp(request->method, "QUERY") ? THING_SHARED : THING_QUERIED;
	must(thing.kind == THING_SHARED || request->body_len == 1, "a QUERY without its content");
	if (thing.kind == THING_QUERIED)
		thing.of = request->body[0] - '0';
	return thing;
}

// Does it, and says what is answered. false: the asker has it already.
static bool perform(const struct http_transfer *t, char content[ORACLE_CONTENT + 1])
{
	char name[32], tag[32], *known = tag + 1;
	uint32_t number;

	header_get(&t->request, "Device-Id: ", name, sizeof(name));
	header_get(&t->request, "If-None-Match: ", tag, sizeof(tag));
	if (number_of(&t->request, &number)) {
		oracle_effect(number, !strcmp(t->request.method, "POST"), name);
		snprintf(content, ORACLE_CONTENT + 1, "r%08x", number);
		return true;
	}
	struct thing thing = thing_of(&t->request);

	if (*tag) {
		must(strlen(tag) == ORACLE_CONTENT + 2, "an ETag of nobody: %s", tag);
		known[ORACLE_CONTENT] = 0;
	}
	return oracle_reads(&thing, name, *tag ? known : NULL, content);
}

// How long it may be stored.
static void say_age(struct http_reply *reply)
{
	static const char *const some[] = {"Cache-Control: max-age=2", "Cache-Control: max-age=30",
		"Cache-Control: no-store", "Cache-Control: no-cache"};
	uint64_t which = sim_rnd(8);

	must(which >= 4 || !http_reply_header(reply, some[which], strlen(some[which])), "a header");
}

static void answer(struct transfer *x, int status, const char *content)
{
	struct http_reply *reply = &x->t->reply;
	char tag[32];

	http_reply_status(reply, status);
	if (status != 304)
		must(!http_reply_header(reply, "Content-Type: text/plain", 24), "a header");
	snprintf(tag, sizeof(tag), "ETag: \"%s\"", content);
	if ((status == 200 && sim_rnd(4)) || (status == 304 && sim_rnd(2)))
		must(!http_reply_header(reply, tag, strlen(tag)), "a header");
	if (status == 200 && thing_is_private(content))
		must(!http_reply_header(reply, PRIVATE, strlen(PRIVATE)), "a header");
	else
		say_age(reply);
	if (status == 304)
		content = "";
	snprintf(x->body, sizeof(x->body), "%s", content);
	reply->body = (const uint8_t *)x->body;
	reply->body_len = strlen(x->body);
	x->over = true;
	x->error = HTTP_ERR_none;
}

static void fail(struct transfer *x, enum http_error error)
{
	x->over = true;
	x->error = error;
}

// The service that has the keys of what is passed through. Some of what it says is no answer.
static void answer_passed(struct transfer *x)
{
	enum { STATUS, NO_FIELD, NO_BODY, MISTAKES };
	struct http_reply *reply = &x->t->reply;
	char line[8 + PASS_FIELD] = "OSCORE: ";
	size_t len = 0;
	uint64_t mistake = sim.no_faults ? MISTAKES : sim_rnd(4 * MISTAKES);
	bool whole = pass_performs(
		&x->t->request, mistake >= MISTAKES, line + 8, (uint8_t *)x->body, &len);

	http_reply_status(reply, !whole ? 400 : mistake == STATUS ? 201 : 200);
	must(!http_reply_header(reply, "Content-Type: application/oscore", 32), "a header");
	if (whole && mistake != NO_FIELD)
		must(!http_reply_header(reply, line, strlen(line)), "a header");
	say_age(reply);
	reply->body = (const uint8_t *)x->body;
	reply->body_len = whole && mistake != NO_BODY ? len : 0;
	x->over = true;
	x->error = HTTP_ERR_none;
}

static bool is_passed(const struct http_request *request)
{
	return !strcmp(request->path, PASS_PATH);
}

// The connection is lost, maybe after the server did it.
static void lose(struct transfer *x)
{
	char content[ORACLE_CONTENT + 1];
	uint32_t number;

	x->t->sent = true;
	if (is_passed(&x->t->request)) {
		if (sim_once_in(2))
			answer_passed(x);
	} else if (sim_once_in(2)) {
		(void)!perform(x->t, content);
		if (number_of(&x->t->request, &number))
			oracle_ask(number)->excused += x->t->request.idempotent;
	}
	fail(x, HTTP_ERR_reset);
}

static void decide(struct transfer *x)
{
	static const int statuses[] = {404, 500, 502, 503, 429};
	char content[ORACLE_CONTENT + 1];

	x->t->sent = true;
	switch (sim.no_faults ? 0 : sim_rnd(8)) {
	case 5:
		x->t->sent = false;
		fail(x, HTTP_ERR_connect);
		break;
	case 6:
		lose(x);
		break;
	case 7:
		answer(x, statuses[sim_rnd(5)], "refused");
		break;
	default:
		if (is_passed(&x->t->request))
			answer_passed(x);
		else
			answer(x, perform(x->t, content) ? 200 : 304, content);
	}
	sim_trace("backend: %s %s %d", x->t->request.path, http_error_name(x->error),
		x->t->reply.status);
}

static void ring(struct engine *e)
{
	uint64_t one = 1;

	must(write(e->bell, &one, sizeof(one)) == sizeof(one), "a bell");
}

void backend_begin(void)
{
	engines = NULL;
}

unsigned backend_waiting(void)
{
	unsigned count = 0;

	for (const struct engine *e = engines; e; e = e->next)
		for (unsigned i = 0; i < ROOM; i++)
			count += e->transfer[i].t && !e->transfer[i].over;
	return count;
}

void backend_event(void)
{
	unsigned waiting = backend_waiting();

	if (!waiting)
		return;
	unsigned which = sim_rnd(waiting);

	for (struct engine *e = engines; e; e = e->next)
		for (unsigned i = 0; i < ROOM; i++) {
			struct transfer *x = &e->transfer[i];

			if (!x->t || x->over || which--)
				continue;
			decide(x);
			ring(e);
			return;
		}
}

// --- the engine -------------------------------------------------------------------------------

static int start(struct http_engine *engine, struct http_transfer *t)
{
	struct engine *e = (struct engine *)engine;

	for (unsigned i = 0; i < ROOM; i++)
		if (!e->transfer[i].t) {
			e->transfer[i] =
				(struct transfer){.t = t, .until_ms = clock_ms() + t->timeout_ms};
			http_reply_init(&t->reply);
			t->sent = false;
			t->connected_ms = 0;
			t->local_errno = 0;
			return 0;
		}
	return -ENOMEM;
}

static void cancel(struct http_engine *engine, struct http_transfer *t)
{
	struct engine *e = (struct engine *)engine;

	for (unsigned i = 0; i < ROOM; i++)
		if (e->transfer[i].t == t)
			e->transfer[i].t = NULL;
}

static void ready(struct http_engine *engine, uint64_t event, uint32_t events)
{
	uint64_t count;

	must(read(((struct engine *)engine)->bell, &count, sizeof(count)) > 0, "a bell");
}

static void turn(struct http_engine *engine, uint64_t now_ms)
{
	struct engine *e = (struct engine *)engine;

	for (unsigned i = 0; i < ROOM; i++) {
		struct transfer *x = &e->transfer[i];

		if (x->t && !x->over && now_ms >= x->until_ms)
			fail(x, HTTP_ERR_timeout);
		if (!x->t || !x->over)
			continue;
		struct http_transfer *t = x->t;
		char body[sizeof(x->body)];

		// done() may start another one in this place.
		memcpy(body, x->body, sizeof(body));
		if (t->reply.body)
			t->reply.body = (const uint8_t *)body;
		x->t = NULL;
		t->done(t, x->error);
	}
}

static uint64_t next_ms(const struct http_engine *engine)
{
	const struct engine *e = (const struct engine *)engine;
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < ROOM; i++)
		if (e->transfer[i].t && e->transfer[i].until_ms < next)
			next = e->transfer[i].until_ms;
	return next;
}

static uint64_t connections(const struct http_engine *engine)
{
	return ((const struct engine *)engine)->connections;
}

static void engine_free(struct http_engine *engine)
{
	struct engine *e = (struct engine *)engine;

	for (unsigned i = 0; i < ROOM; i++)
		must(!e->transfer[i].t, "a transfer is left");
	close(e->bell);
	for (struct engine **at = &engines; *at; at = &(*at)->next)
		if (*at == e) {
			*at = e->next;
			break;
		}
	free(e);
}

// Its servers are in the transfers.
static int prepare(const struct http_engine *engine, const struct http_engine_config *config,
	struct http_engine_change **change)
{
	*change = NULL;
	return 0;
}

static void discard(struct http_engine_change *change)
{
}

static void apply(struct http_engine *engine, struct http_engine_change *change)
{
}

static void settle(struct http_engine *engine)
{
}

static const struct http_engine_ops ops = {
	.start = start,
	.cancel = cancel,
	.ready = ready,
	.turn = turn,
	.next_ms = next_ms,
	.connections = connections,
	.free = engine_free,
	.prepare = prepare,
	.discard = discard,
	.apply = apply,
	.settle = settle,
};

// Nothing is encrypted.
int __wrap_tls_files_check(const struct conf_tls *tls, char *const **wrong, struct error *error);
int __wrap_tls_files_check(const struct conf_tls *tls, char *const **wrong, struct error *error)
{
	return 0;
}

int __wrap_http_engine_h1_create(
	const struct http_engine_config *config, struct http_engine **engine);
int __wrap_http_engine_h1_create(
	const struct http_engine_config *config, struct http_engine **engine)
{
	struct engine *e = calloc(1, sizeof(*e));
	struct epoll_event event = {.events = EPOLLIN};

	must(e, "memory");
	e->head = (struct http_engine){.ops = &ops, .capacity = ROOM};
	e->bell = eventfd(0, 0);
	event.data.u64 = http_engine_event(config->id, 0, 0);
	must(!epoll_ctl(config->epoll, EPOLL_CTL_ADD, e->bell, &event), "epoll");
	e->next = engines;
	engines = e;
	*engine = &e->head;
	return 0;
}
