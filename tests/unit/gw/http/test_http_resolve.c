// SPDX-License-Identifier: BSD-3-Clause
// Names whose servers are silent hold some of the threads that look names up, not all: the others
// have their turn. The resolver and the clock are the test's own.

#include "gw/http/resolve.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SILENT     (4 * HTTP_RESOLVE_THREADS) // names
#define PATIENCE_S 20000                      // ms, for what should come at once

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned asked, asking; // getaddrinfo(), of any name
	unsigned released;      // look-ups of silent names that may end
	unsigned ended;         // of these
} dns = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static uint64_t later_ms; // atomic: how much later it is than the system says

// Instead of the C library's.
int clock_gettime(clockid_t clock, struct timespec *now)
{
	const uint64_t ms = __atomic_load_n(&later_ms, __ATOMIC_RELAXED);

	if (syscall(SYS_clock_gettime, clock, now))
		return -1;
	if (clock == CLOCK_MONOTONIC) {
		now->tv_sec += ms / 1000;
		now->tv_nsec += ms % 1000 * 1000000;
		if (now->tv_nsec >= 1000000000) {
			now->tv_sec++;
			now->tv_nsec -= 1000000000;
		}
	}
	return 0;
}

int getaddrinfo(
	const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	static struct sockaddr_in address = {.sin_family = AF_INET};
	int error = 0;

	pthread_mutex_lock(&dns.lock);
	dns.asked++;
	dns.asking++;
	pthread_cond_broadcast(&dns.changed);
	if (strstr(name, "silent")) {
		while (dns.ended >= dns.released)
			pthread_cond_wait(&dns.changed, &dns.lock);
		dns.ended++;
		error = EAI_AGAIN;
	}
	dns.asking--;
	pthread_cond_broadcast(&dns.changed);
	pthread_mutex_unlock(&dns.lock);
	if (error)
		return error;
	*list = calloc(1, sizeof(**list));
	(*list)->ai_addr = (struct sockaddr *)&address;
	(*list)->ai_addrlen = sizeof(address);
	return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
	free(list);
}

static struct http_resolve *begin(const char *format, unsigned number)
{
	struct http_resolve *resolve;
	char name[64];

	snprintf(name, sizeof(name), format, number);
	cr_assert_eq(http_resolve_start(name, 80, &resolve), 0);
	return resolve;
}

// Waits until it is done, ends it, and returns its result.
static int end(struct http_resolve *resolve)
{
	struct pollfd fd = {http_resolve_fd(resolve), POLLIN, 0};
	struct http_addresses addresses;

	cr_assert_eq(poll(&fd, 1, PATIENCE_S), 1, "it gets its turn");
	int rc = http_resolve_take(resolve, &addresses);

	http_resolve_end(resolve);
	return rc;
}

static unsigned wait_asking(unsigned n)
{
	pthread_mutex_lock(&dns.lock);
	while (dns.asking < n)
		pthread_cond_wait(&dns.changed, &dns.lock);
	n = dns.asking;
	pthread_mutex_unlock(&dns.lock);
	return n;
}

static void release(unsigned n)
{
	pthread_mutex_lock(&dns.lock);
	dns.released += n;
	pthread_cond_broadcast(&dns.changed);
	pthread_mutex_unlock(&dns.lock);
}

static unsigned asked(void)
{
	pthread_mutex_lock(&dns.lock);
	unsigned n = dns.asked;
	pthread_mutex_unlock(&dns.lock);
	return n;
}

static void wait_ended(unsigned n)
{
	pthread_mutex_lock(&dns.lock);
	while (dns.ended < n)
		pthread_cond_wait(&dns.changed, &dns.lock);
	pthread_mutex_unlock(&dns.lock);
}

Test(http_resolve, names_that_are_answered_go_on_beside_silent_ones)
{
	struct http_resolve *silent[SILENT];

	cr_assert_eq(end(begin("good-%u", 1)), 0);
	for (unsigned i = 0; i < SILENT; i++)
		silent[i] = begin("silent-%u", i);
	cr_expect_eq(wait_asking(HTTP_RESOLVE_UNSURE), HTTP_RESOLVE_UNSURE);
	for (unsigned i = 0; i < 20; i++)
		cr_expect_eq(end(begin("good-%u", 1)), 0, "though none of the silent ones is over");
	// Each silent one has its turn, too: fresh ones as they come ...
	__atomic_fetch_add(&later_ms, 15000, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < SILENT; i++) {
		release(1);
		wait_ended(i + 1);
	}
	for (unsigned i = 0; i < SILENT; i++)
		cr_expect_eq(end(silent[i]), -EAGAIN);
}

// When it is known which names are silent, names that are not known yet go on beside them.
Test(http_resolve, new_names_go_on_beside_those_that_were_silent)
{
	struct http_resolve *silent[SILENT];
	unsigned before;

	for (unsigned i = 0; i < SILENT; i++) {
		silent[i] = begin("silent-%u", i);
		wait_asking(1);
		__atomic_fetch_add(&later_ms, 15000, __ATOMIC_RELAXED);
		release(1);
		cr_expect_eq(end(silent[i]), -EAGAIN);
	}
	before = asked();
	for (unsigned i = 0; i < SILENT; i++)
		silent[i] = begin("silent-%u", i);
	for (unsigned i = 0; i < 20; i++)
		cr_expect_eq(end(begin("new-%u", i)), 0);
	cr_expect_leq(asked() - before, 20 + HTTP_RESOLVE_SLOW);
	__atomic_fetch_add(&later_ms, 15000, __ATOMIC_RELAXED);
	release(SILENT);
	for (unsigned i = 0; i < SILENT; i++)
		cr_expect_eq(end(silent[i]), -EAGAIN);
	cr_expect_eq(asked() - before, 20 + SILENT, "each was looked up");
}

Test(http_resolve, a_name_is_looked_up_once_for_all_who_wait)
{
	struct http_resolve *same[SILENT], *first = begin("silent-%u", 7);

	wait_asking(1);
	for (unsigned i = 0; i < SILENT; i++)
		same[i] = begin("silent-%u", 7);
	http_resolve_end(same[3]); // nobody waits for this one
	cr_expect_eq(end(begin("good-%u", 2)), 0);
	release(1);
	cr_expect_eq(end(first), -EAGAIN);
	for (unsigned i = 0; i < SILENT; i++)
		if (i != 3)
			cr_expect_eq(end(same[i]), -EAGAIN);
	cr_expect_eq(asked(), 2);
}
