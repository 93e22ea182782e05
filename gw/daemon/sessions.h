// SPDX-License-Identifier: BSD-3-Clause
// Sessions of EDHOC: contexts that devices agreed on with their credentials, and how they end. They
// have no row in the store and die with the process.
//
// A credential has two at most: the older one ends when the newer one was used. When all places are
// taken, the one that was unused for longest gives way, if that was for `keep`. A session ends when
// its credential does, by `max_age`, and by the uses of its keys (context.h).

#ifndef POSTERN_GW_DAEMON_SESSIONS_H
#define POSTERN_GW_DAEMON_SESSIONS_H

#include "gw/daemon/registry.h"
#include "gw/daemon/reservations.h"
#include "gw/handshake/mailbox.h"

#include <stdbool.h>
#include <stdint.h>

// Written by main alone; atomic.
struct sessions_stats {
	uint64_t begun;
	uint64_t refused;  // there was no place
	uint64_t replaced; // ended by a newer one of their credential
	uint64_t idle;     // ended for another one
	uint64_t expired;  // their time was over
	uint64_t used_up;
	uint64_t lost;   // their credential was
	uint64_t living; // now
};

struct sessions_conf {
	struct registry *registry;
	struct reservations *reservations;
	struct credentials *credentials;
	uint32_t max;
	uint32_t keep_ms, max_age_ms;
};

// The next bit of a session's id (REGISTRY_SESSION): its device is a rule's, and has no row either.
#define SESSION_BY_RULE (REGISTRY_SESSION >> 1)

struct sessions;

// A session that lives, as operators see it.
struct session_view {
	uint32_t place; // which is its as long as it lives
	uint32_t context, generation;
	uint64_t credential;
	uint64_t number; // a newer session has a greater one
	uint8_t method, suite;
	bool over;        // its next request is answered 4.01
	uint64_t age_ms;  // since the handshake
	uint64_t left_ms; // until max_age, or the end of its credential
	struct edhoc_connection c_r;
};

// NULL and errno on failure.
struct sessions *sessions_create(const struct sessions_conf *conf);
// NULL is allowed.
void sessions_free(struct sessions *sessions);
// Publishes what was agreed on. Returns 0 or -errno.
int sessions_add(struct sessions *sessions, const struct handshake_session *agreed,
	const struct dp_flow *from, uint64_t now_ms) __attribute__((warn_unused_result));
// A context is gone; it may have been none of these. From registry.gone.
void sessions_gone(struct sessions *sessions, uint32_t context, uint32_t generation);
// The keys of a context have been used for as many messages as they are good for. False if it is no
// session.
bool sessions_used_up(
	struct sessions *sessions, uint32_t context, uint32_t generation, uint64_t now_ms);
// A credential is no more: its sessions end.
void sessions_credential_gone(struct sessions *sessions, uint64_t credential);
// A credential has other settings.
void sessions_credential_changed(struct sessions *sessions, const struct credential_owner *owner);
// The first session that lives at `place` or behind it; of this credential, unless that is 0.
// False: there is none.
bool sessions_next(const struct sessions *sessions, uint32_t place, uint64_t credential,
	uint64_t now_ms, int64_t now_s, struct session_view *view)
	__attribute__((warn_unused_result));
// In each turn of main; now_s is Unix time.
void sessions_turn(struct sessions *sessions, uint64_t now_ms, int64_t now_s);
const struct sessions_stats *sessions_stats(const struct sessions *sessions);

#endif
