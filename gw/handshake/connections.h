// SPDX-License-Identifier: BSD-3-Clause
// Connection identifiers (C_R of EDHOC) that main has reserved for one thread, and those that come
// back because their handshake was not completed: main alone knows which ones live.
//
// One that comes back waits behind all others, so that who is late with a message meets nobody
// else's handshake for as long as possible. All are taken and given under a lock, which no worker
// takes.

#ifndef POSTERN_GW_HANDSHAKE_CONNECTIONS_H
#define POSTERN_GW_HANDSHAKE_CONNECTIONS_H

#include "gw/edhoc/message.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

// Room for those that a thread has in use, and for what main adds. A power of two.
#define CONNECTIONS_ROOM 65536
#define CONNECTIONS_FILL 4096 // main adds up to so many

// All zero at first, but for the lock.
struct connections {
	pthread_mutex_t lock;
	uint32_t first, count;
	struct edhoc_connection ready[CONNECTIONS_ROOM]; // a ring; mapped lazily by the kernel
};

void connections_init(struct connections *connections);
void connections_fini(struct connections *connections);
// Thread: takes the oldest one that is not `other`. False if there is none. *low: main should add
// some.
bool connections_take(struct connections *connections, const struct edhoc_connection *other,
	struct edhoc_connection *connection, bool *low) __attribute__((warn_unused_result));
// Adds one: that a thread has not used, or a new one of main.
void connections_put(struct connections *connections, const struct edhoc_connection *connection);
uint32_t connections_count(struct connections *connections);

#endif
