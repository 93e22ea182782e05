// SPDX-License-Identifier: BSD-3-Clause
// From the threads to main: ID Contexts under which a request verified, with these requests, and
// the keys that EDHOC agreed on. Only main places contexts. Of ID Contexts the store derives the
// keys, so that none wait here; those of EDHOC are nowhere else.

#ifndef POSTERN_GW_HANDSHAKE_MAILBOX_H
#define POSTERN_GW_HANDSHAKE_MAILBOX_H

#include "dataplane/shared/flow.h"
#include "gw/edhoc/message.h"
#include "gw/handshake/b2.h"
#include "gw/handshake/credentials.h"

#include <pthread.h>
#include <stdint.h>

enum handshake_kind {
	HANDSHAKE_DERIVED, // appendix B.2: a request #2 verified
	HANDSHAKE_AGREED,  // EDHOC: message_3 verified, and `session` is new
	HANDSHAKE_AGAIN,   // a request of a session that main has: it is only reinjected
};

// What EDHOC agreed on, and with whom.
struct handshake_session {
	struct credential_owner owner;
	uint8_t method, suite;
	enum aead_alg alg;
	struct edhoc_connection c_i, c_r;
	struct osc_keys keys;
	uint64_t fingerprint; // of the keys
	uint32_t run;         // the thread's
	bool combined;        // `coap` is the request behind message_3, to be reinjected
	bool published;       // main writes it, when it gives this back
	bool c_r_lost;        // so it does this: a device has C_R as kid, and nobody else gets it
};

// Something of main's. From malloc(); handshake_born_free() wipes it.
struct handshake_born {
	struct handshake_born *next;
	enum handshake_kind kind;
	struct handshake_session *session; // HANDSHAKE_AGREED; from malloc()
	// HANDSHAKE_DERIVED:
	uint64_t device; // struct b2_device
	uint64_t count;  // the same: how often it got a context before this one
	uint8_t kid_len;
	uint8_t kid[OSC_KID_LEN_MAX];
	struct b2_id id; // ID3
	// Of all:
	unsigned thread; // that gave it: where the device is pending, or the session's run is
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
// Any thread. Main wakes.
void handshake_mailbox_wake(struct handshake_mailbox *box);
void handshake_mailbox_put(struct handshake_mailbox *box, struct handshake_born *born);
// Main: takes all of them, in the order in which they came; NULL: there is none.
struct handshake_born *handshake_mailbox_take(struct handshake_mailbox *box);
void handshake_born_free(struct handshake_born *born);

#endif
