// SPDX-License-Identifier: BSD-3-Clause
// What this machine runs out of is never held against a server: system calls that fail as they do
// when descriptors, ports or memory are used up.

#include "tests/unit/gw/http/h2_server.h"
#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// What these calls fail with from now on; 0: they do not. Atomic.
static int socket_errno, connect_errno, eventfd_errno, epoll_errno;

static bool names_fail; // atomic

// No descriptor gets this number or a higher one.
static void descriptors_limit(rlim_t limit)
{
	struct rlimit both;

	getrlimit(RLIMIT_NOFILE, &both);
	both.rlim_cur = limit;
	setrlimit(RLIMIT_NOFILE, &both);
}

static bool fails(const int *which)
{
	int error = __atomic_load_n(which, __ATOMIC_RELAXED);

	if (error)
		errno = error;
	return error;
}

static void fail_with(int *which, int error)
{
	__atomic_store_n(which, error, __ATOMIC_RELAXED);
}

// Instead of the C library's, for all that is linked.
int socket(int domain, int type, int protocol)
{
	return fails(&socket_errno) ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
}

int connect(int fd, const struct sockaddr *address, socklen_t len)
{
	return fails(&connect_errno) ? -1 : (int)syscall(SYS_connect, fd, address, len);
}

// Only for look-ups: the test's own thread makes doorbells.
int eventfd(unsigned value, int flags)
{
	return gettid() != getpid() && fails(&eventfd_errno)
		? -1
		: (int)syscall(SYS_eventfd2, value, flags);
}

// What is registered already is changed and removed without memory.
int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	return op == EPOLL_CTL_ADD && fails(&epoll_errno)
		? -1
		: (int)syscall(SYS_epoll_ctl, epoll, op, fd, event);
}

// Takes all descriptors, and says what the C library may say then.
int getaddrinfo(
	const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
		(__typeof__(real))dlsym(RTLD_NEXT, "getaddrinfo");

	if (!__atomic_load_n(&names_fail, __ATOMIC_RELAXED))
		return real(name, service, hints, list);
	descriptors_limit(3);
	return EAI_NONAME;
}

// Two servers, of which a single failure, of a request or a check, would take one away.
#define STRICT                                                                                \
	"eject: {errors: 1}, check: {path: /healthz, interval: 20ms, timeout: 20s, rise: 1, " \
	"fall: 1}"

static void expect_start(const char *answer, const char *start)
{
	cr_expect(!strncmp(answer, start, strlen(start)), "%s\nnot\n%s", answer, start);
}

// While a call fails like this, devices are told to come back, and no server is judged; afterwards
// traffic goes on at once.
static void shortage(struct bed *bed, int *which, int error, const char *what)
{
	enum up_stat local = UP_STAT_ERROR + HTTP_ERR_local;

	bed_wait_stat(bed, UP_STAT_checks, bed_stat(bed, UP_STAT_checks) + 2);
	uint64_t before = bed_stat(bed, local);
	fail_with(which, error);
	for (unsigned i = 0; i < 4; i++) {
		const char *answer = bed_ask(bed, "POST path=ok |x");

		cr_expect(!strncmp(answer, "5.03 max-age=", 13) && strstr(answer, "|busy"),
			"%s: %s", what, answer);
	}
	bed_wait_stat(bed, local, before + 4 + 2); // checks, too
	fail_with(which, 0);
	cr_expect_eq(up_loop_servers_up(bed->loop, 0), 2, "%s", what);
	cr_expect_eq(bed_stat(bed, UP_STAT_checks_failed), 0, "%s", what);
	cr_expect_eq(bed_stat(bed, UP_STAT_ejections), 0, "%s", what);
	expect_start(bed_ask(bed, "POST path=ok |x"), "2.04");
}

static const struct {
	int *which;
	int error;
	const char *what;
} shortages[] = {
	{&socket_errno, EMFILE, "descriptors of the process"},
	{&socket_errno, ENFILE, "descriptors"},
	{&socket_errno, ENOBUFS, "buffers for sockets"},
	{&connect_errno, EADDRNOTAVAIL, "ports"},
	{&connect_errno, ENOBUFS, "buffers"},
	{&connect_errno, ENOMEM, "memory"},
	{&epoll_errno, ENOSPC, "watches of epoll"},
	{&epoll_errno, ENOMEM, "memory for epoll"},
};

#define SHORTAGES (sizeof(shortages) / sizeof(shortages[0]))

Test(upstream_local, http1)
{
	struct server *server[2] = {bed_server("one"), bed_server("two")};
	// Each request needs a connection of its own.
	struct bed *bed = bed_for_all(server, 2, "keepalive: 0ms, " STRICT);

	for (size_t i = 0; i < SHORTAGES; i++)
		shortage(bed, shortages[i].which, shortages[i].error, shortages[i].what);
	bed_end(bed);
	server_stop(server[0]);
	server_stop(server[1]);
}

Test(upstream_local, http2)
{
	char upstream[512];

	for (size_t i = 0; i < SHORTAGES; i++) {
		struct h2_server *server[2];

		// Each closes its connection after every request, so that new ones are needed.
		for (unsigned j = 0; j < 2; j++)
			server[j] = h2_server_start(
				&(struct h2_server_config){.name = "two", .requests = 1});
		snprintf(upstream, sizeof(upstream),
			"servers: [\"h2c://127.0.0.1:%u\", \"h2c://127.0.0.1:%u\"], " STRICT,
			h2_server_port(server[0]), h2_server_port(server[1]));
		struct bed *bed = bed_make(upstream);
		shortage(bed, shortages[i].which, shortages[i].error, shortages[i].what);
		bed_end(bed);
		for (unsigned j = 0; j < 2; j++)
			h2_server_stop(server[j]);
	}
}

// A name cannot be looked up without a descriptor.
Test(upstream_local, resolver)
{
	static const char *const schemes[] = {"http", "h2c"};

	for (unsigned i = 0; i < 2; i++) {
		struct server *one[2] = {bed_server("one"), bed_server("two")};
		struct h2_server *two[2];
		char upstream[512];
		uint16_t port[2];

		for (unsigned j = 0; j < 2; j++) {
			two[j] = h2_server_start(&(struct h2_server_config){.name = "two"});
			port[j] = i ? h2_server_port(two[j]) : server_port(one[j]);
		}
		snprintf(upstream, sizeof(upstream),
			"servers: [\"%s://localhost:%u\", \"%s://localhost:%u\"], " STRICT,
			schemes[i], port[0], schemes[i], port[1]);
		fail_with(&eventfd_errno, EMFILE);
		struct bed *bed = bed_make(upstream);
		expect_start(bed_ask(bed, "POST path=ok |x"), "5.03 max-age=");
		bed_wait_stat(bed, UP_STAT_ERROR + HTTP_ERR_local, 4);
		fail_with(&eventfd_errno, 0);
		uint64_t until = bed_now_ms() + LONG_MS;
		while (strncmp(bed_ask(bed, "POST path=ok |x"), "2.04", 4))
			cr_assert(bed_now_ms() < until, "%s: no traffic", schemes[i]);
		cr_expect_eq(up_loop_servers_up(bed->loop, 0), 2);
		cr_expect_eq(bed_stat(bed, UP_STAT_checks_failed), 0);
		cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_dns), 0);
		bed_end(bed);
		for (unsigned j = 0; j < 2; j++) {
			server_stop(one[j]);
			h2_server_stop(two[j]);
		}
	}
}

// Without a descriptor the C library says that there is no such name.
Test(upstream_local, resolver_without_descriptors)
{
	struct server *server = bed_server("one");
	struct rlimit before;
	char upstream[256];

	getrlimit(RLIMIT_NOFILE, &before);
	snprintf(upstream, sizeof(upstream), "servers: [\"http://localhost:%u\"]",
		server_port(server));
	struct bed *bed = bed_make(upstream);
	__atomic_store_n(&names_fail, true, __ATOMIC_RELAXED);
	expect_start(bed_ask(bed, "POST path=ok |x"), "5.03 max-age=");
	cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_local), 1);
	__atomic_store_n(&names_fail, false, __ATOMIC_RELAXED);
	descriptors_limit(before.rlim_cur);
	uint64_t until = bed_now_ms() + LONG_MS;
	while (strncmp(bed_ask(bed, "POST path=ok |x"), "2.04", 4))
		cr_assert(bed_now_ms() < until, "no traffic");
	cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_dns), 0);
	bed_end(bed);
	server_stop(server);
}
