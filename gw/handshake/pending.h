// SPDX-License-Identifier: BSD-3-Clause
// The devices whose request #2 verified and whose new context is not published yet. A thread adds
// them, main takes them out; both under a lock, which no worker takes.

#ifndef POSTERN_GW_HANDSHAKE_PENDING_H
#define POSTERN_GW_HANDSHAKE_PENDING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define PENDING_MAX 1024 // of a thread

// Zeroed at first, but for the lock.
struct pending {
	pthread_mutex_t lock;
	unsigned count;
	uint64_t slot[2 * PENDING_MAX]; // ids of devices; 0: empty. A hash table without chains.
};

void pending_init(struct pending *pending);
void pending_fini(struct pending *pending);
// Whether a device is among them; its id is not 0.
bool pending_has(struct pending *pending, uint64_t device);
// False if it is there already, or PENDING_MAX are.
bool pending_add(struct pending *pending, uint64_t device) __attribute__((warn_unused_result));
// Takes it out, if it is there.
void pending_end(struct pending *pending, uint64_t device);

#endif
