// SPDX-License-Identifier: BSD-3-Clause
// From the threads to main: ID Contexts under which a request verified, with these requests. Only
// main places contexts; the store derives their keys, so that no keys wait here.

#ifndef POSTERN_GW_HANDSHAKE_MAILBOX_H
#define POSTERN_GW_HANDSHAKE_MAILBOX_H

#include "dataplane/shared/flow.h"
#include "gw/handshake/b2.h"

#include <pthread.h>
#include <stdint.h>

// A request #2 that verified. From malloc(); handshake_born_free() wipes it.
struct handshake_born {
	struct handshake_born *next;
	uint64_t device; // struct b2_device
	uint64_t count;  // the same: how often it got a context before this one
	uint8_t kid_len;
	uint8_t kid[OSC_KID_LEN_MAX];
	struct b2_id id; // ID3
	unsigned thread; // where the device is pending
	// To reinject it.
	unsigned worker;
	struct dp_flow flow;
	uint16_t len;
	uint8_t coap[];
};

struct handshake_mailbox {
	pthread_mutex_t lock;
	int fd; // eventfd: readable when there is something
	struct handshake_born *first, **end;
};

// Returns 0 or -errno.
int handshake_mailbox_init(struct handshake_mailbox *box) __attribute__((warn_unused_result));
// Wipes and frees what is left.
void handshake_mailbox_fini(struct handshake_mailbox *box);
// Any thread.
void handshake_mailbox_put(struct handshake_mailbox *box, struct handshake_born *born);
// Main: takes all of them, in the order in which they came; NULL: there is none.
struct handshake_born *handshake_mailbox_take(struct handshake_mailbox *box);
void handshake_born_free(struct handshake_born *born);

#endif
