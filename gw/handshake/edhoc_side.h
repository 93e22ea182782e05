// SPDX-License-Identifier: BSD-3-Clause
// What a thread of handshakes does as Responder of EDHOC (RFC 9528), with the combined request (RFC
// 9668). Messages are taken in, and worked on in batches: the scalar multiplications of many are
// done at once.
//
// A message_1 costs a hash before its sender has shown to receive at its address, where that is
// asked for. A message_3 that does not verify ends nothing, for anybody can send one; one that
// verifies ends the run: its keys go to main once, and copies of it are only answered.

#ifndef POSTERN_GW_HANDSHAKE_EDHOC_SIDE_H
#define POSTERN_GW_HANDSHAKE_EDHOC_SIDE_H

#include "dataplane/shared/slow.h"
#include "gw/edhoc/responder.h"
#include "gw/handshake/connections.h"
#include "gw/handshake/credentials.h"
#include "gw/handshake/identities.h"
#include "gw/handshake/mailbox.h"
#include "gw/handshake/reach.h"
#include "gw/handshake/stats.h"

#include <stdbool.h>
#include <stdint.h>

enum edhoc_echo { EDHOC_ECHO_AUTO, EDHOC_ECHO_ALWAYS, EDHOC_ECHO_NEVER };

// All of it must outlive the side.
struct edhoc_side_conf {
	struct connections *connections; // of this thread
	const struct edhoc_own *own;     // [own_count], of the start; the best first
	unsigned own_count;
	unsigned methods, suites; // bit i: number i is allowed
	enum edhoc_echo echo;
	uint8_t echo_key[REACH_KEY_LEN]; // of all threads the same, random, new at each start
	bool tell_unknown;               // a device learns that its credential is unknown
	bool message_4;                  // answers message_3, which no request goes with
	// credentials_find(), which the thread calls; tests have others.
	unsigned (*find)(struct credentials *credentials, struct edhoc_engine *engine,
		const struct edhoc_id_cred *id_cred, int64_t now_s,
		struct edhoc_candidate candidates[EDHOC_CANDIDATES_MAX], enum edhoc_result *result);
	struct credentials *credentials;
};

// What the side has from its thread.
struct edhoc_side_of {
	struct dp_slow *slow;
	struct handshake_mailbox *mailbox;
	struct handshake_stats *stats;
};

struct edhoc_side;

// NULL and errno on failure: EINVAL if an identity cannot be used.
struct edhoc_side *edhoc_side_create(
	const struct edhoc_side_conf *conf, const struct edhoc_side_of *of);
// Wipes and frees. NULL is allowed.
void edhoc_side_free(struct edhoc_side *side);

// Other own credentials, which are the side's now; returns those of before, for the caller to free.
// Called while no message is worked on: before the first edhoc_side_take() of a turn.
struct edhoc_identities *edhoc_side_identify(struct edhoc_side *side,
	struct edhoc_identities *identities) __attribute__((warn_unused_result));

// Takes a message in (DP_SLOW_EDHOC, DP_SLOW_COMBINED): it is answered at once, or by
// edhoc_side_flush().
void edhoc_side_take(struct edhoc_side *side, const struct dp_slow_head *head, uint64_t now_ms);
void edhoc_side_flush(struct edhoc_side *side, uint64_t now_ms);
// Main published a context, or will not; `born` is the thread's again, and is freed here.
void edhoc_side_settle(struct edhoc_side *side, struct handshake_born *born);
// After each turn: ends what is too old. Returns whether something waits that will be.
bool edhoc_side_turn(struct edhoc_side *side, uint64_t now_ms);

#endif
