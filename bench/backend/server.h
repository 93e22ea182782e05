// SPDX-License-Identifier: BSD-3-Clause
// What all threads and connections of the backend share, and what one thread has.

#ifndef POSTERN_BENCH_BACKEND_SERVER_H
#define POSTERN_BENCH_BACKEND_SERVER_H

#include "bench/backend/behaviour.h"
#include "bench/backend/count.h"
#include "gw/http/timers.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BE_READ_ROOM  (256 << 10)
#define BE_LISTEN_MAX 16

struct be_conn;

// Constant once threads run, but for count and stopping.
struct be_server {
	struct be_behaviour behaviour; // of a request whose query says nothing
	const char *name;              // of this server, in answers and the log; ""
	bool discard;                  // every answer is 204, whatever the query says
	uint64_t idle_ms;              // 0: no limit
	uint64_t rekey_ms;             // 0: never
	uint64_t max_requests;         // of a connection; 0: no limit
	uint64_t seed;
	int log_fd;   // -1: no log
	SSL_CTX *tls; // NULL: plain
	unsigned threads;
	struct be_count count;
	_Atomic bool stopping;
};

// Written by its thread alone, but for conns.
struct be_thread {
	struct be_server *server;
	pthread_t id;
	int epoll_fd;
	int wake_fd;
	uint64_t now_ms; // when it woke up
	uint64_t chance; // state of its random numbers
	struct http_timers timers;
	pthread_mutex_t lock;   // of conns: the thread that accepts adds
	struct be_conn *conns;  // all of the thread
	char buf[BE_READ_ROOM]; // what was read last
};

// A random number (xorshift64*), the same in each run with the same seed and requests.
static inline uint64_t be_chance(struct be_thread *t)
{
	t->chance ^= t->chance >> 12;
	t->chance ^= t->chance << 25;
	t->chance ^= t->chance >> 27;
	return t->chance * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

#endif
