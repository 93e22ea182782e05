// SPDX-License-Identifier: BSD-3-Clause
// A thread of handshakes: what it has, what it does with a message, and the thread around that.

#ifndef POSTERN_GW_HANDSHAKE_HANDSHAKE_H
#define POSTERN_GW_HANDSHAKE_HANDSHAKE_H

#include "dataplane/shared/slow.h"
#include "gw/handshake/b2.h"
#include "gw/handshake/edhoc_side.h"
#include "gw/handshake/mailbox.h"
#include "gw/handshake/stats.h"

#include <stdbool.h>
#include <stdint.h>

// All of it must outlive the thread.
struct handshake_conf {
	struct dp_slow *slow; // the thread's ends of the rings
	struct handshake_mailbox *mailbox;
	uint8_t mac_key[B2_MAC_KEY_LEN]; // of all threads the same, random, new at each start
	uint32_t devices;                // about so many have rederive: b2
	uint32_t rate;                   // verified messages a second that are answered
	uint32_t device_rate;            // the same of one device and one network of sources
	// Finds the device with rederive: b2 that has a kid; with its secrets, which are wiped. Is
	// called by the thread.
	bool (*find)(void *arg, const uint8_t *kid, uint8_t kid_len, struct b2_device *device);
	void *arg;
	const struct edhoc_side_conf *edhoc; // NULL: EDHOC is not served
};

struct handshake;

// Starts a thread, with a copy of *conf. NULL and errno on failure.
struct handshake *handshake_start(const struct handshake_conf *conf);
// Ends the thread. What waits in its rings is not looked at any more.
void handshake_stop(struct handshake *handshake);
// Wipes and frees what the thread had, after handshake_stop(). NULL is allowed.
void handshake_free(struct handshake *handshake);

// Main: the context of a device is published, or will not be: its next request #2 is looked at.
void handshake_end(struct handshake *handshake, uint64_t device);
// Main: a session is published, or will not be, as born->session says. `born` is the thread's then.
void handshake_settle(struct handshake *handshake, struct handshake_born *born);
const struct handshake_stats *handshake_stats(const struct handshake *handshake);
// Main: the thread uses these own credentials from its next turn on; they are the thread's now.
// Those of before are to be taken back first. Wakes main when that can be done.
void handshake_identify(struct handshake *handshake, struct edhoc_identities *identities);
// Main: those that the thread does not use any more, which are main's again; NULL: it still does,
// or they were taken.
struct edhoc_identities *handshake_identified(struct handshake *handshake)
	__attribute__((warn_unused_result));

// Any thread: changes with each turn; odd while the thread sleeps.
uint64_t handshake_progress(const struct handshake *handshake);

// For tests, which take the turns of a thread themselves: handshake_make() is handshake_start()
// without the thread. Returns how many messages were taken.
struct handshake *handshake_make(const struct handshake_conf *conf);
unsigned handshake_turn(struct handshake *handshake, uint64_t now_ms);

#endif
