// SPDX-License-Identifier: BSD-3-Clause
// The handshakes of EDHOC that a thread has under way, and those that are over and of which a copy
// may still come.
//
// A run has a place from its message_1 on. It waits for its message_3 for RUNS_WAIT_MS, then its
// secrets are wiped; what it answered last is kept for RUNS_KEEP_MS after its message_1, so that a
// copy gets the same bytes. Places are few: a network of sources has a share of those that wait.
// When all are taken, the oldest that is over goes while these have more than half of all, else the
// oldest that waits of the network that has most. All chains are of keyed hashes, so nobody chooses
// how long they are.

#ifndef POSTERN_GW_HANDSHAKE_RUNS_H
#define POSTERN_GW_HANDSHAKE_RUNS_H

#include "crypto/keyed_hash.h"
#include "gw/edhoc/session.h"

#include <stdbool.h>
#include <stdint.h>

#define RUNS_MAX        32768          // of a thread; a power of two
#define RUNS_SHARE      (RUNS_MAX / 4) // that wait, of one network
#define RUNS_NETWORKS   256            // a few networks count as one
#define RUNS_WAIT_MS    100000         // slow devices retransmit for 93 s
#define RUNS_KEEP_MS    247000         // EXCHANGE_LIFETIME (RFC 7252 section 4.8.2)
#define RUNS_NAME_LEN   16
#define RUNS_ANSWER_MAX 1400 // bytes of a message that is kept for copies
#define RUNS_NONE       UINT32_MAX

enum run_state {
	RUN_FREE,
	RUN_BEGINS,  // message_1 is being answered
	RUN_WAITS,   // for message_3
	RUN_AT_MAIN, // message_3 verified, and main publishes its context
	RUN_STANDS,  // the context was published
	RUN_OVER,    // message_3 did not come, or main refused the context
};

struct run_link {
	uint32_t older, newer;
};

// 0 to RUNS_MAX - 1 number them.
struct run {
	uint8_t state;                // enum run_state
	bool busy;                    // a message_3 of it is being verified
	bool message_2;               // that is what answer[] is
	bool apart;                   // message_2 is kept elsewhere, as it is fetched in blocks
	uint16_t len;                 // of answer[]
	uint16_t network;             // below RUNS_NETWORKS
	uint32_t next_name, next_c_r; // chains of the hash tables
	struct run_link all;          // of those that wait, or that are over
	struct run_link mine;         // of those of the network that wait
	uint64_t at_ms;               // of message_1
	uint8_t message_1[RUNS_NAME_LEN];
	uint8_t message_3[RUNS_NAME_LEN]; // from RUN_AT_MAIN on
	struct edhoc_connection c_r;
	struct edhoc_session session;    // RUN_WAITS; wiped then
	uint8_t answer[RUNS_ANSWER_MAX]; // message_2, then what message_3 is answered with
};
_Static_assert(sizeof(struct run) <= 2048, "memory of a handshake that is not completed");

struct run_list {
	uint32_t oldest, newest, count;
};

struct runs {
	struct run *run;         // [RUNS_MAX], mapped lazily by the kernel
	uint32_t *by_name;       // [RUNS_MAX]
	uint32_t *by_c_r;        // [RUNS_MAX]
	uint32_t unused;         // those from here on were never used
	uint32_t free;           // list of those that came back, by next_name
	struct run_list waiting; // and those that begin
	struct run_list over;
	struct run_list network[RUNS_NETWORKS];
	struct keyed_hash hash;
	uint8_t key[32]; // of names
	// Called when a run ends whose C_R no session got, before it is gone.
	void (*unused_c_r)(void *arg, const struct edhoc_connection *c_r);
	void *arg;
};

// Returns 0 or -ENOMEM.
int runs_init(struct runs *runs) __attribute__((warn_unused_result));
// Wipes what is left.
void runs_fini(struct runs *runs);

// The name of a message: a keyed hash of what goes before it, and of the message.
void runs_name(const struct runs *runs, const void *before, size_t before_len,
	struct edhoc_bytes message, uint8_t name[RUNS_NAME_LEN]);
// The run that began with this message_1, or RUNS_NONE.
uint32_t runs_find_message_1(const struct runs *runs, const uint8_t name[RUNS_NAME_LEN]);
// The newest run with this C_R, or RUNS_NONE.
uint32_t runs_find_c_r(const struct runs *runs, const struct edhoc_connection *c_r);
static inline struct run *runs_get(const struct runs *runs, uint32_t index)
{
	return &runs->run[index];
}

// Begins a run, in the place of another one if need be, but never of one that begins, is busy or at
// main. Returns RUNS_NONE if there are only such.
uint32_t runs_begin(struct runs *runs, uint64_t now_ms, uint64_t network,
	const uint8_t name[RUNS_NAME_LEN], const struct edhoc_connection *c_r);
// message_2 was made: the run has its session and answer[].
void runs_wait(struct runs *runs, uint32_t index);
// message_3 verified: no other message_3 is looked at any more. Wipes the session. answer: what it
// is answered with, at most RUNS_ANSWER_MAX bytes.
void runs_verified(struct runs *runs, uint32_t index, const uint8_t name[RUNS_NAME_LEN],
	struct edhoc_bytes answer);
// After runs_verified(): the context was published, or was not.
void runs_settle(struct runs *runs, uint32_t index, bool published);
// A run that began is no more: message_2 could not be made.
void runs_drop(struct runs *runs, uint32_t index);
// Ends what is too old.
void runs_turn(struct runs *runs, uint64_t now_ms);

#endif
