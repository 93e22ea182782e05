// SPDX-License-Identifier: BSD-3-Clause
// Main's part of handshakes: contexts under which a request verified in a thread are written to the
// store, in groups, then published in the place of those of before; then the request that asked for
// one is given back to its worker.

#ifndef POSTERN_GW_DAEMON_HANDSHAKES_H
#define POSTERN_GW_DAEMON_HANDSHAKES_H

#include "gw/daemon/daemon.h"
#include "gw/daemon/sessions.h"
#include "gw/handshake/handshake.h"

// Written by main alone; atomic.
struct handshakes_stats {
	uint64_t contexts;  // that took the place of another
	uint64_t refused;   // by the store, or the data plane
	uint64_t overtaken; // their device had changed, or was gone
	uint64_t pending;   // with the store now, or about to be
};

// Starts the threads. The key is that of store_shard_key(). Returns 0 or -errno, with a line in the
// log.
int handshakes_start(struct daemon *daemon, const uint8_t shard_key[SHARD_KEY_LEN])
	__attribute__((warn_unused_result));
// Ends the threads: nothing new comes from them. NULL is allowed.
void handshakes_stop(struct handshakes *handshakes);
// After the store thread ended. NULL is allowed.
void handshakes_free(struct handshakes *handshakes);
// Readable when handshakes_turn() has something to do.
int handshakes_fd(const struct handshakes *handshakes);
// In each turn of main. Returns whether a worker had no room for a request, so that the next turn
// must come soon.
bool handshakes_turn(struct handshakes *handshakes);

unsigned handshakes_threads(const struct handshakes *handshakes);
// Gives each thread its own credentials, which it uses from its next turn on, and takes back those
// of before. Where EDHOC is served.
void handshakes_identify(
	struct handshakes *handshakes, struct edhoc_identities *const identities[]);
// Whether no thread uses those of before any more: what they had of them is wiped.
bool handshakes_identified(struct handshakes *handshakes) __attribute__((warn_unused_result));

// A context is gone, which may have been a session.
void handshakes_context_gone(struct handshakes *handshakes, uint32_t context, uint32_t generation);
// The keys of a context are used up. False if it is no session: that ends.
bool handshakes_used_up(struct handshakes *handshakes, uint32_t context, uint32_t generation);
const struct sessions_stats *handshakes_sessions(const struct handshakes *handshakes);
// sessions_next() now. False: EDHOC is not served.
bool handshakes_session_next(const struct handshakes *handshakes, uint32_t place,
	uint64_t credential, struct session_view *view) __attribute__((warn_unused_result));

// Any thread; NULL: none are counted.
uint64_t handshakes_stat(const struct handshakes *handshakes, enum handshake_stat stat);
const struct handshakes_stats *handshakes_stats(const struct handshakes *handshakes);
uint64_t handshakes_progress(const struct handshakes *handshakes, unsigned thread);

#endif
