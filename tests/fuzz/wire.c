// SPDX-License-Identifier: BSD-3-Clause

#include "tests/fuzz/wire.h"

#include "gw/map/response.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define EVENTS     8
#define ROOM       256     // bytes of the CoAP answer
#define BODY_MAX   2048    // bytes
#define TIMEOUT_MS 60000   // never to be met
#define IDLE_TURNS 4       // after which nothing happens any more
#define TURNS_MAX  1000000 // after which a request is one that never ends

static struct conf *conf;
static int listener, epoll, peer = -1;
static struct map_etags *etags;
static bool done;

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void stop(void)
{
	unlink(conf->upstreams[0].servers[0].unix_path);
	map_etags_free(etags);
	conf_free(conf);
}

static void start_once(const char *scheme)
{
	static const uint8_t key[MAP_ETAG_KEY_LEN];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char text[512];

	if (conf)
		return;
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/fuzz_wire.%d", getpid());
	snprintf(text, sizeof(text),
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		"upstreams: {up: {servers: [\"%s+unix:%s\"]}}\n"
		"routes: [{path: /*, to: up}]\n",
		scheme, address.sun_path);
	FUZZ_CHECK(!conf_parse("f", text, strlen(text), &conf, stderr));
	etags = map_etags_create(key);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(address.sun_path);
	FUZZ_CHECK(!bind(listener, (struct sockaddr *)&address, sizeof(address)));
	FUZZ_CHECK(!listen(listener, 16) && epoll >= 0 && etags);
	atexit(stop);
}

static void on_done(struct http_transfer *transfer, enum http_error error)
{
	struct map_request msg;
	uint8_t out[ROOM];
	struct map_response mapping = {
		.etags = etags, .max_age_max = 86400, .out = out, .room = ROOM};

	FUZZ_CHECK(!done && error < HTTP_ERROR_COUNT && error != HTTP_ERR_timeout);
	done = true;
	FUZZ_CHECK(transfer->reply.status == 0 || transfer->reply.status >= 200);
	if (error)
		return;
	FUZZ_CHECK(transfer->reply.status != 0 && transfer->reply.body_len <= ROOM);
	for (unsigned i = 0; i < HTTP_FIELD_COUNT; i++)
		for (const char *c = transfer->reply.field[i]; c && *c; c++)
			FUZZ_CHECK((uint8_t)*c >= ' ' ? *c != 0x7f : *c == '\t');
	FUZZ_CHECK(map_request_parse(&msg, &conf->routes[0], COAP_GET, NULL, 0) == HTTP_ERR_none);
	mapping.server = transfer->server;
	error = map_response_build(&transfer->reply, &msg, &mapping);
	FUZZ_CHECK(error < HTTP_ERROR_COUNT && mapping.len >= 1 && mapping.len <= ROOM);
}

static void peer_close(void)
{
	if (peer >= 0)
		close(peer);
	peer = -1;
}

// What the server has to say, and how far it is.
struct script {
	const uint8_t *answer;
	size_t len, sent;
	bool asked, ended;
};

// The server's side of a turn. true if something happened.
static bool serve(struct script *script)
{
	int fd = accept(listener, NULL, NULL);
	char request[4096];

	if (fd >= 0) { // the one before is of no use to the other side
		peer_close();
		peer = fd;
		*script = (struct script){.answer = script->answer, .len = script->len};
		return true;
	}
	ssize_t n = peer < 0 ? -1 : recv(peer, request, sizeof(request), MSG_DONTWAIT);
	if (!n)
		peer_close();
	script->asked |= n > 0;
	if (n >= 0)
		return true;
	if (peer < 0 || !script->asked || script->sent == script->len)
		return false;
	n = send(peer, script->answer + script->sent, script->len - script->sent,
		MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return false;
	script->sent += (size_t)n;
	return true;
}

static bool engine_turn(struct http_engine *engine)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll, events, EVENTS, 0);

	for (int i = 0; i < n; i++)
		engine->ops->ready(engine, events[i].data.u64, events[i].events);
	engine->ops->turn(engine, now_ms());
	if (engine->ops->flush)
		engine->ops->flush(engine);
	return n > 0;
}

static void ask(struct http_engine *engine, const uint8_t *answer, size_t len)
{
	static struct http_transfer transfer;
	struct script script = {.answer = answer, .len = len};

	transfer = (struct http_transfer){
		.done = on_done,
		.request = {.method = "GET", .idempotent = true, .path = "/x", .query = ""},
		.server = &conf->upstreams[0].servers[0],
		.host = "localhost",
		.timeout_ms = TIMEOUT_MS,
		.body_keep = ROOM,
		.body_max = BODY_MAX,
	};
	done = false;
	FUZZ_CHECK(!engine->ops->start(engine, &transfer));
	for (unsigned turn = 0, idle = 0; !done; turn++) {
		bool served = serve(&script), turned = engine_turn(engine);

		idle = served || turned ? 0 : idle + 1;
		if (idle > IDLE_TURNS && peer >= 0 && script.asked && !script.ended) {
			shutdown(peer, SHUT_WR);
			script.ended = true;
		}
		FUZZ_CHECK(turn < TURNS_MAX);
	}
	if (script.ended)
		peer_close();
}

void wire_fuzz(const char *scheme, wire_create create, const uint8_t *data, size_t len)
{
	const uint8_t *end = data + len;
	struct http_engine *engine;

	start_once(scheme);
	const struct http_engine_config config = {
		.upstream = &conf->upstreams[0], .epoll = epoll, .max_connections = 2};
	FUZZ_CHECK(!create(&config, &engine));
	for (unsigned i = 0; i < WIRE_ANSWERS && data <= end; i++) {
		const uint8_t *next = data;

		// A plain 0x1e is too frequent in binary protocols.
		while (next + 1 < end && !(next[0] == WIRE_SEPARATOR && next[1] == WIRE_SEPARATOR))
			next++;
		bool more = next + 1 < end;
		ask(engine, data, (size_t)((more ? next : end) - data));
		data = more ? next + 2 : end + 1;
	}
	engine->ops->free(engine);
	peer_close();
}
