// SPDX-License-Identifier: BSD-3-Clause
// Servers that have names, with a resolver and a clock of the test's own.

#include "gw/http/engine.h"
#include "gw/http/host.h"
#include "tests/unit/gw/http/h2_server.h"
#include "tests/unit/gw/upstream/bed.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// ---- the resolver

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool dead;              // no name server answers
	int error;              // if one does: what it says, or 0 and
	const char *address[2]; // these
	unsigned asked, asking;
} dns = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct addrinfo *one_address(
	const char *text, const char *service, const struct addrinfo *hints)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		(__typeof__(real))dlsym(RTLD_NEXT, "getaddrinfo");
	struct addrinfo *list = NULL;

	return text && !real(text, service, hints, &list) ? list : NULL;
}

// Instead of the C library's, for all that is linked.
int getaddrinfo(
	const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	pthread_mutex_lock(&dns.lock);
	dns.asked++;
	dns.asking++;
	pthread_cond_broadcast(&dns.changed);
	while (dns.dead)
		pthread_cond_wait(&dns.changed, &dns.lock);
	int error = dns.error;
	const char *first = dns.address[0], *second = dns.address[1];
	dns.asking--;
	pthread_cond_broadcast(&dns.changed);
	pthread_mutex_unlock(&dns.lock);
	if (error)
		return error;
	*list = one_address(first, service, hints);
	(*list)->ai_next = one_address(second, service, hints);
	return 0;
}

static void dns_is(bool dead, int error, const char *first, const char *second)
{
	pthread_mutex_lock(&dns.lock);
	dns.dead = dead;
	dns.error = error;
	dns.address[0] = first;
	dns.address[1] = second;
	pthread_cond_broadcast(&dns.changed);
	pthread_mutex_unlock(&dns.lock);
}

static unsigned dns_asked(void)
{
	pthread_mutex_lock(&dns.lock);
	unsigned asked = dns.asked;
	pthread_mutex_unlock(&dns.lock);
	return asked;
}

static void dns_wait_asked(unsigned count)
{
	pthread_mutex_lock(&dns.lock);
	while (dns.asked < count)
		pthread_cond_wait(&dns.changed, &dns.lock);
	pthread_mutex_unlock(&dns.lock);
}

// Lets the threads that ask go, and waits for them.
static void dns_end(void)
{
	dns_is(false, EAI_AGAIN, NULL, NULL);
	pthread_mutex_lock(&dns.lock);
	while (dns.asking)
		pthread_cond_wait(&dns.changed, &dns.lock);
	pthread_mutex_unlock(&dns.lock);
}

// ---- the clock

static uint64_t later_ms; // atomic

// Instead of the C library's.
int clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, id, t);

	if (id == CLOCK_MONOTONIC)
		t->tv_sec += (time_t)(__atomic_load_n(&later_ms, __ATOMIC_RELAXED) / 1000);
	return rc;
}

// Time as it really passes.
static uint64_t real_ms(void)
{
	return bed_now_ms() - __atomic_load_n(&later_ms, __ATOMIC_RELAXED);
}

static void clock_jump(uint64_t ms)
{
	__atomic_store_n(&later_ms, ms, __ATOMIC_RELAXED);
}

// ---- tests

// The servers of an upstream: one on a name, and one on an address, by turns.
struct pair {
	struct server *one;
	struct h2_server *two;
	struct bed *bed;
};

static struct pair pair_start(bool http2, const char *more)
{
	struct pair pair = {
		.one = bed_server("x"),
		.two = h2_server_start(&(struct h2_server_config){.name = "x"}),
	};
	unsigned port = http2 ? h2_server_port(pair.two) : server_port(pair.one);
	const char *scheme = http2 ? "h2c" : "http";
	char upstream[256];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"%s://name.test:%u\", \"%s://127.0.0.1:%u\"], eject: {errors: 0}%s",
		scheme, port, scheme, port, more);
	pair.bed = bed_make(upstream);
	return pair;
}

static void pair_end(struct pair *pair)
{
	bed_end(pair->bed);
	server_stop(pair->one);
	h2_server_stop(pair->two);
}

// A name server that never answers: requests to its name end in time, nobody else notices, and the
// loop stops.
Test(upstream_names, dead_name_server)
{
	for (unsigned http2 = 0; http2 < 2; http2++) {
		struct pair pair = pair_start(http2, ", retries: {max: 0}");

		dns_is(true, 0, NULL, NULL);
		for (unsigned round = 0; round < 3; round++) {
			unsigned good = 0, late = 0;

			for (unsigned i = 0; i < 8; i++) {
				bed_push_deadline(pair.bed, "POST path=ok |x", 500);
				bed_push(pair.bed, "POST path=ok |x");
			}
			for (unsigned i = 0; i < 16; i++) {
				const char *answer = bed_pull(pair.bed, NULL);

				good += !strcmp(answer, "2.04 cf=0 |x");
				late += !strcmp(answer, "5.04 max-age=0 |backend too slow");
			}
			cr_expect_eq(good, 8);
			cr_expect_eq(late, 8);
		}
		cr_expect_eq(bed_stat(pair.bed, UP_STAT_ERROR + HTTP_ERR_timeout), 24);
		cr_expect_eq(dns_asked(), 1, "one look-up at a time");
		// As soon as it answers again, so do others.
		dns_is(false, 0, "127.0.0.1", NULL);
		bed_expect_start(bed_ask(pair.bed, "POST path=ok |x"), "2.04 cf=0 |x");
		dns_is(true, 0, NULL, NULL);
		clock_jump(http2 ? 200000 : 100000);   // what was found is old
		bed_push(pair.bed, "POST path=ok |x"); // the other's
		bed_push(pair.bed, "POST path=ok |x");
		cr_expect_eq(bed_answers_like(pair.bed, 2, "2.04 cf=0 |x"), 2);
		dns_wait_asked(http2 ? 1 : 2); // HTTP/2 asks when it wants a connection
		pair_end(&pair);
		dns_end();
		dns.asked = 0;
	}
}

// With another server left, a request goes there after half of its time.
Test(upstream_names, dead_name_server_and_another_server)
{
	for (unsigned http2 = 0; http2 < 2; http2++) {
		struct pair pair = pair_start(http2, "");

		dns_is(true, 0, NULL, NULL);
		bed_push_deadline(pair.bed, "POST path=ok |x", 2000);
		bed_expect_start(bed_pull(pair.bed, NULL), "2.04 cf=0 |x");
		cr_expect_eq(bed_stat(pair.bed, UP_STAT_retries), 1);
		pair_end(&pair);
		dns_end();
	}
}

// All addresses are tried, IPv6 ones too.
Test(upstream_names, many_addresses)
{
	for (unsigned http2 = 0; http2 < 2; http2++) {
		struct pair pair = pair_start(http2, ", retries: {max: 0}");

		dns_is(false, 0, "::1", "127.0.0.1"); // nobody listens on the first
		for (unsigned i = 0; i < 8; i++)
			bed_expect_start(bed_ask(pair.bed, "POST path=ok |x"), "2.04 cf=0 |x");
		pair_end(&pair);
		dns_end();
	}
}

// The name of the URL is that of the certificate, whatever its address is.
Test(upstream_names, https)
{
	static const struct {
		const char *name, *settings, *answer;
		unsigned connections; // for two requests
	} rows[] = {
		{"postern.test", "", "2.04 cf=0 |tls", 1},
		{"other.test", "", "5.02 max-age=0 |backend not trusted", 2},
		{"other.test", ", server_name: postern.test", "2.04 cf=0 |tls", 1},
		{"postern.test", ", server_name: other.test", "5.02 max-age=0 |backend not trusted",
			2},
	};
	struct peer_pki pki = peer_pki_make();

	dns_is(false, 0, "127.0.0.1", NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct server *server = server_start(
			&(struct server_config){.name = "tls", .cert = pki.cert, .key = pki.key});
		char upstream[512];

		snprintf(upstream, sizeof(upstream),
			"servers: [\"https://%s:%u\"], tls: {ca: %s%s}, eject: {errors: 0}",
			rows[i].name, server_port(server), pki.cert, rows[i].settings);
		struct bed *bed = bed_make(upstream);
		for (unsigned n = 0; n < 2; n++)
			EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), rows[i].answer);
		cr_expect_eq(server_connections(server), rows[i].connections);
		bed_end(bed);
		server_stop(server);
	}
	peer_pki_remove(&pki);
}

// A connection that is busy all the time follows changes of DNS: requests go to the new address
// when a connection to it stands, and what is under way at the old one ends there.
Test(upstream_names, busy_connection_follows)
{
	struct h2_server *one = h2_server_start(&(struct h2_server_config){.name = "one"});
	struct h2_server *two = h2_server_start(&(struct h2_server_config){
		.name = "two", .address = "127.0.0.2", .port = h2_server_port(one)});
	uint64_t later = 0, until = bed_now_ms() + LONG_MS;
	char upstream[256];
	unsigned asked;

	dns_is(false, 0, "127.0.0.1", NULL);
	snprintf(upstream, sizeof(upstream),
		"servers: [\"h2c://name.test:%u\"], max_connections: 1, queue: 1h",
		h2_server_port(one));
	struct bed *bed = bed_make(upstream);
	bed_push_deadline(bed, "GET path=hold", 4000000);
	h2_server_wait_requests(one, 1);
	EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), "2.04 cf=0 |one");
	// The same address and a second one: nothing is to be done.
	dns_is(false, 0, "127.0.0.2", "127.0.0.1");
	for (asked = dns_asked(); dns_asked() < asked + 2;) {
		clock_jump(later += 20000);
		EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), "2.04 cf=0 |one");
		cr_assert(real_ms() < until, "no look-up");
	}
	cr_expect_eq(h2_server_connections(two), 0);
	// Another one.
	dns_is(false, 0, "127.0.0.2", NULL);
	for (const char *answer = "one"; !strstr(answer, "two");) {
		clock_jump(later += 20000);
		answer = bed_ask(bed, "POST path=ok |x");
		bed_expect_start(answer, "2.04");
		cr_assert(real_ms() < until, "it stays");
	}
	cr_expect_eq(h2_server_connections(one), 1); // to two, one may be given up at a jump
	EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), "2.04 cf=0 |two");
	h2_server_release(one);
	EXPECT_ANSWER(bed_pull(bed, NULL), "2.05 cf=0 max-age=0 |held");
	bed_end(bed);
	h2_server_stop(one);
	h2_server_stop(two);
	dns_end();
}

static void on_heard(struct http_host *host)
{
}

// Waits for the look-up of a host to end, at this time.
static void host_wait(struct http_host *host, int epoll, uint64_t now_ms)
{
	struct epoll_event event;

	cr_assert_eq(epoll_wait(epoll, &event, 1, LONG_MS), 1);
	cr_assert_eq(http_engine_event_fd(event.data.u64), http_resolve_fd(host->resolve));
	http_host_hear(host, now_ms);
}

// When a name is asked for, and what is known of it meanwhile.
Test(upstream_names, when_a_name_is_asked_for)
{
	const struct conf_server server = {.host = (char *)(uintptr_t) "name.test", .port = 80};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct http_sockets *sockets = http_sockets_create(epoll, 0);
	struct http_host host;

	http_host_init(&host, &server, sockets);
	host.heard = on_heard;
	dns_is(false, 0, "127.0.0.1", "127.0.0.2");
	cr_expect_eq(http_host_want(&host, 1000), HTTP_HOST_ASKED);
	cr_expect_eq(http_host_want(&host, 1000), HTTP_HOST_ASKED);
	host_wait(&host, epoll, 1000);
	cr_expect_eq(host.addresses.count, 2);
	cr_expect_eq(http_host_want(&host, 60999), HTTP_HOST_KNOWN);
	cr_expect_eq(dns_asked(), 1);
	// Old ones serve while others are asked for, and after a name server that does not know.
	dns_is(false, EAI_AGAIN, NULL, NULL);
	cr_expect_eq(http_host_want(&host, 61000), HTTP_HOST_KNOWN);
	host_wait(&host, epoll, 61000);
	cr_expect_eq(http_host_want(&host, 61999), HTTP_HOST_KNOWN);
	cr_expect_eq(dns_asked(), 2);
	// One that says that there is no such name takes them away.
	dns_is(false, EAI_NONAME, NULL, NULL);
	cr_expect_eq(http_host_want(&host, 62000), HTTP_HOST_KNOWN);
	host_wait(&host, epoll, 62000);
	cr_expect_eq(http_host_want(&host, 62999), HTTP_HOST_UNKNOWN);
	cr_expect_eq(dns_asked(), 3);
	dns_is(false, 0, "127.0.0.1", NULL);
	cr_expect_eq(http_host_want(&host, 63000), HTTP_HOST_ASKED);
	host_wait(&host, epoll, 63000);
	// Addresses that lead nowhere are asked for again, but not all the time.
	http_host_doubt(&host);
	cr_expect_eq(http_host_want(&host, 63999), HTTP_HOST_KNOWN);
	cr_expect_eq(dns_asked(), 4);
	cr_expect_eq(http_host_want(&host, 64000), HTTP_HOST_KNOWN);
	host_wait(&host, epoll, 64000);
	cr_expect_eq(dns_asked(), 5);
	http_host_end(&host);
	http_sockets_free(sockets);
	close(epoll);
}

struct asker {
	struct http_transfer transfer;
	enum http_error ended; // HTTP_ERROR_COUNT: not yet
};

static void on_done(struct http_transfer *transfer, enum http_error error)
{
	((struct asker *)transfer)->ended = error;
}

// A port of 127.0.0.2 that takes no connection and refuses none: its queue is full.
static void queue_fill(uint16_t port, int fds[4])
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1)};

	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(bind(fds[0], (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fds[0], 0), 0);
	for (unsigned i = 1; i < 4; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fds[i], (struct sockaddr *)&address, sizeof(address));
	}
}

static void turn(struct http_engine *engine, int epoll, uint64_t later, int wait_ms)
{
	struct epoll_event events[8];

	engine->ops->turn(engine, bed_now_ms() + later);
	engine->ops->flush(engine);
	int n = epoll_wait(epoll, events, 8, engine->ops->next_ms(engine) ? wait_ms : 0);
	for (int i = 0; i < n; i++)
		engine->ops->ready(engine, events[i].data.u64, events[i].events);
}

// A connection goes through the addresses that there were when it began, whatever becomes of them.
Test(upstream_names, addresses_change_under_a_connection)
{
	struct h2_server *server = h2_server_start(&(struct h2_server_config){.name = "one"});
	int epoll = epoll_create1(EPOLL_CLOEXEC), full[4];
	struct asker asker[2];
	struct http_engine *engine;
	struct conf *conf;
	char text[256];

	queue_fill(h2_server_port(server), full);
	snprintf(text, sizeof(text),
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		"upstreams: {up: {servers: [\"h2c://name.test:%u\"]}}\n"
		"routes: [{path: /*, to: up}]\n",
		h2_server_port(server));
	cr_assert_eq(conf_parse("test", text, strlen(text), &conf, stderr), 0);
	const struct http_engine_config config = {
		.upstream = &conf->upstreams[0], .epoll = epoll, .max_connections = 4};
	cr_assert_eq(http_engine_h2_create(&config, &engine), 0);
	for (unsigned i = 0; i < 2; i++)
		asker[i] = (struct asker){
			.transfer = {.done = on_done,
				.request = {.method = "GET", .path = "/ok", .query = ""},
				.server = &conf->upstreams[0].servers[0],
				.host = "host",
				.timeout_ms = 10 * LONG_MS,
				.body_keep = 100,
				.body_max = 1000,
				.fresh = true},
			.ended = HTTP_ERROR_COUNT,
		};
	dns_is(false, 0, "127.0.0.2", "127.0.0.1");
	cr_assert_eq(engine->ops->start(engine, &asker[0].transfer), 0);
	while (!engine->ops->connections(engine)) // to the first address
		turn(engine, epoll, 0, 10);
	// Another one, when the addresses are old: there are none any more.
	dns_is(false, EAI_NONAME, NULL, NULL);
	clock_jump(100000);
	cr_assert_eq(engine->ops->start(engine, &asker[1].transfer), 0);
	clock_jump(0);
	struct epoll_event event;
	cr_assert_eq(epoll_wait(epoll, &event, 1, LONG_MS), 1);
	engine->ops->ready(engine, event.data.u64, event.events);
	// The first one goes on with its second address.
	turn(engine, epoll, 400, 0);
	uint64_t until = bed_now_ms() + LONG_MS;
	while (asker[0].ended == HTTP_ERROR_COUNT && bed_now_ms() < until)
		turn(engine, epoll, 0, 10);
	cr_expect_eq(asker[0].ended, HTTP_ERR_none);
	if (asker[1].ended == HTTP_ERROR_COUNT)
		engine->ops->cancel(engine, &asker[1].transfer);
	engine->ops->free(engine);
	for (unsigned i = 0; i < 4; i++)
		close(full[i]);
	conf_free(conf);
	close(epoll);
	h2_server_stop(server);
}
