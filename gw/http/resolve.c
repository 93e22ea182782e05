// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/resolve.h"

#include "base/clock.h"
#include "base/fault_signals.h"
#include "base/fnv.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME_ROOM 256  // RFC 1035: at most 253 bytes as text
#define KNOWN     4096 // names of which it is remembered how they were answered

// How a name was answered when it was looked up last.
enum manner {
	FRESH, // never, or that is forgotten
	GOOD,
	SLOW,
	MANNERS,
};

struct known {
	uint64_t hash;
	enum manner manner;
};

// A thread and the caller hold it, and the last of them frees it.
struct http_resolve {
	STAILQ_ENTRY(http_resolve) link; // of those that wait for a thread
	unsigned holders;                // atomic
	uint64_t hash;                   // of the name
	int fd;
	char name[NAME_ROOM];
	char port[6];
	// The thread's until fd is readable:
	int rc;
	struct http_addresses addresses;
};

// The threads are started once and stay: under its system call filter a loop starts none.
static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	unsigned threads;
	unsigned running[MANNERS];                           // look-ups under way
	const struct http_resolve *at[HTTP_RESOLVE_THREADS]; // these
	STAILQ_HEAD(, http_resolve) waiting;
	uint64_t done, unanswered; // look-ups; atomic
	struct known known[KNOWN]; // by the hash; one that is pushed out is FRESH again
} pool = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.wake = PTHREAD_COND_INITIALIZER,
	.waiting = STAILQ_HEAD_INITIALIZER(pool.waiting),
};

void http_address_of_path(struct http_addresses *addresses, const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	addresses->count = 1;
	addresses->address[0].len = sizeof(un);
	memcpy(&addresses->address[0].storage, &un, sizeof(un));
}

bool http_address_of_text(struct http_addresses *addresses, const char *text, uint16_t port)
{
	struct http_address *address = &addresses->address[0];
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	addresses->count = 1;
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		address->len = sizeof(v4);
		memcpy(&address->storage, &v4, sizeof(v4));
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
		address->len = sizeof(v6);
		memcpy(&address->storage, &v6, sizeof(v6));
		return true;
	}
	addresses->count = 0;
	return false;
}

static void let_go(struct http_resolve *r)
{
	if (__atomic_sub_fetch(&r->holders, 1, __ATOMIC_ACQ_REL))
		return;
	close(r->fd);
	free(r);
}

// Whether this machine has no descriptor left. Then getaddrinfo() reads no file, asks no server and
// returns one of many errors, EAI_NONAME among them.
static bool out_of_descriptors(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return true;
	close(copy);
	return false;
}

// Of what getaddrinfo() returns; fd is any descriptor.
static int rc_of(int error, int fd)
{
	if (error && out_of_descriptors(fd))
		return -EMFILE;
	switch (error) {
	case 0:
		return 0;
	case EAI_NONAME:
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return -ENOENT;
	case EAI_MEMORY:
		return -ENOMEM;
	default: // no name server that answers ...
		return -EAGAIN;
	}
}

static void look_up(struct http_resolve *r)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *list = NULL;

	r->rc = rc_of(getaddrinfo(r->name, r->port, &hints, &list), r->fd);
	__atomic_add_fetch(&pool.done, 1, __ATOMIC_RELAXED);
	if (r->rc == -EAGAIN)
		__atomic_add_fetch(&pool.unanswered, 1, __ATOMIC_RELAXED);
	if (r->rc)
		list = NULL;
	for (const struct addrinfo *at = list; at && r->addresses.count < HTTP_ADDRESSES_MAX;
		at = at->ai_next) {
		struct http_address *address = &r->addresses.address[r->addresses.count++];

		address->len = at->ai_addrlen;
		memcpy(&address->storage, at->ai_addr, at->ai_addrlen);
	}
	if (list)
		freeaddrinfo(list);
}

static void announce(struct http_resolve *r)
{
	uint64_t one = 1;

	while (write(r->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	let_go(r);
}

// ---- whose turn it is; all with the lock

static struct known *known_of(uint64_t hash)
{
	return &pool.known[hash % KNOWN];
}

static enum manner manner_of(uint64_t hash)
{
	const struct known *known = known_of(hash);

	return known->hash == hash ? known->manner : FRESH;
}

static bool is_running(const struct http_resolve *r)
{
	for (unsigned i = 0; i < HTTP_RESOLVE_THREADS; i++)
		if (pool.at[i] && pool.at[i]->hash == r->hash && !strcmp(pool.at[i]->name, r->name))
			return true;
	return false;
}

static bool may_run(const struct http_resolve *r)
{
	const enum manner manner = manner_of(r->hash);

	if (is_running(r) || (manner == SLOW && pool.running[SLOW] >= HTTP_RESOLVE_SLOW))
		return false;
	return manner == GOOD || pool.running[SLOW] + pool.running[FRESH] < HTTP_RESOLVE_UNSURE;
}

// Takes the first whose turn it is. Those that were ended meanwhile go. NULL: there is none.
static struct http_resolve *next_take(void)
{
	struct http_resolve *r, *after;

	for (r = STAILQ_FIRST(&pool.waiting); r; r = after) {
		after = STAILQ_NEXT(r, link);
		const bool ended = __atomic_load_n(&r->holders, __ATOMIC_ACQUIRE) == 1;

		if (!ended && !may_run(r))
			continue;
		STAILQ_REMOVE(&pool.waiting, r, http_resolve, link);
		if (!ended)
			return r;
		let_go(r);
	}
	return NULL;
}

// Notes how a name was answered, and gives the answer to all who wait for it.
static void answered(const struct http_resolve *done, uint64_t took_ms)
{
	struct http_resolve *r, *after;

	*known_of(done->hash) =
		(struct known){done->hash, took_ms < HTTP_RESOLVE_SLOW_MS ? GOOD : SLOW};
	for (r = STAILQ_FIRST(&pool.waiting); r; r = after) {
		after = STAILQ_NEXT(r, link);
		if (r->hash != done->hash || strcmp(r->name, done->name) ||
			strcmp(r->port, done->port))
			continue;
		STAILQ_REMOVE(&pool.waiting, r, http_resolve, link);
		r->rc = done->rc;
		r->addresses = done->addresses;
		announce(r);
	}
}

static void *run(void *arg)
{
	const unsigned place = (unsigned)(uintptr_t)arg;
	struct http_resolve *r;

	pthread_mutex_lock(&pool.lock);
	for (;;) {
		while (!(r = next_take()))
			pthread_cond_wait(&pool.wake, &pool.lock);
		const enum manner manner = manner_of(r->hash);
		const uint64_t begun_ms = clock_ms();

		pool.running[manner]++;
		pool.at[place] = r;
		pthread_mutex_unlock(&pool.lock);
		look_up(r);
		pthread_mutex_lock(&pool.lock);
		pool.running[manner]--;
		pool.at[place] = NULL;
		answered(r, clock_ms() - begun_ms);
		announce(r);
		pthread_cond_broadcast(&pool.wake);
	}
	return NULL;
}

static int thread_start(unsigned place)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t blocked;
	int rc;

	sigfillset(&blocked);
	fault_signals_keep(&blocked);
	rc = pthread_attr_init(&attr);
	if (rc)
		return -rc;
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	rc = pthread_attr_setsigmask_np(&attr, &blocked);
	if (!rc)
		rc = pthread_create(&thread, &attr, run, (void *)(uintptr_t)place);
	if (!rc)
		pthread_setname_np(thread, "postern-names");
	pthread_attr_destroy(&attr);
	return -rc;
}

// Called with the lock.
static int threads_start(void)
{
	int rc = 0;

	while (!rc && pool.threads < HTTP_RESOLVE_THREADS) {
		rc = thread_start(pool.threads);
		if (!rc)
			pool.threads++;
	}
	return pool.threads ? 0 : rc;
}

int http_resolve_open(void)
{
	pthread_mutex_lock(&pool.lock);
	int rc = threads_start();

	pthread_mutex_unlock(&pool.lock);
	return rc;
}

int http_resolve_start(const char *name, uint16_t port, struct http_resolve **resolve)
{
	struct http_resolve *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	r->holders = 2;
	snprintf(r->name, sizeof(r->name), "%s", name);
	snprintf(r->port, sizeof(r->port), "%u", port);
	r->hash = fnv_text(r->name);
	r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->fd < 0) {
		rc = -errno;
		free(r);
		return rc;
	}
	pthread_mutex_lock(&pool.lock);
	rc = pool.threads ? 0 : threads_start();
	if (!rc) {
		STAILQ_INSERT_TAIL(&pool.waiting, r, link);
		pthread_cond_signal(&pool.wake);
	}
	pthread_mutex_unlock(&pool.lock);
	if (rc) {
		close(r->fd);
		free(r);
		return rc == -EAGAIN ? -ENOMEM : rc; // too many threads, which is ours
	}
	*resolve = r;
	return 0;
}

int http_resolve_fd(const struct http_resolve *r)
{
	return r->fd;
}

int http_resolve_take(const struct http_resolve *r, struct http_addresses *addresses)
{
	uint64_t count;

	// Read, so that what the thread wrote before is seen.
	if (read(r->fd, &count, sizeof(count)) != sizeof(count))
		return -EAGAIN;
	*addresses = r->addresses;
	return r->rc;
}

void http_resolve_end(struct http_resolve *r)
{
	let_go(r);
}

uint64_t http_resolve_done(void)
{
	return __atomic_load_n(&pool.done, __ATOMIC_RELAXED);
}

uint64_t http_resolve_unanswered(void)
{
	return __atomic_load_n(&pool.unanswered, __ATOMIC_RELAXED);
}
