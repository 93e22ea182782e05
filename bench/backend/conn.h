// SPDX-License-Identifier: BSD-3-Clause
// One connection: reads requests and answers them in turn.

#ifndef POSTERN_BENCH_BACKEND_CONN_H
#define POSTERN_BENCH_BACKEND_CONN_H

#include "bench/backend/server.h"

#include <stdbool.h>
#include <stdint.h>

// Makes a connection of an accepted socket and gives it to a thread, by whose epoll it hears that
// it may begin. Any thread. The program ends if it cannot.
void be_conn_open(struct be_thread *thread, int fd, bool tcp, const char *peer);
// epoll reported something: goes on as far as it gets. The connection may be gone afterwards.
void be_conn_event(struct be_conn *conn);
// Closes all of a thread that has ended.
void be_conn_close_all(struct be_thread *thread);

#endif
