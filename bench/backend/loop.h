// SPDX-License-Identifier: BSD-3-Clause
// Threads, each with an epoll of its own. The first one accepts for all in turn.

#ifndef POSTERN_BENCH_BACKEND_LOOP_H
#define POSTERN_BENCH_BACKEND_LOOP_H

#include "bench/backend/listen.h"
#include "bench/backend/server.h"

struct be_loop;

// Starts as many threads as the server says, with all signals blocked. The program ends if it
// cannot.
struct be_loop *be_loop_start(
	struct be_server *server, const struct be_listener *listeners, unsigned count);
// Ends the threads, closes all connections and frees it.
void be_loop_stop(struct be_loop *loop);

#endif
