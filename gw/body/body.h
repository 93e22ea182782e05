// SPDX-License-Identifier: BSD-3-Clause
// Bodies that take more than one block: those that devices send (Block1) and those that backends
// answer with (Block2). RFC 7959, RFC 9175 section 3. No I/O, no clock, one thread.
//
// A body begins as an upload, which its first block opens. When it is complete the owner sends it
// to a backend as one request: a *fetch*, which belongs to the body and not to the block that
// completed it, so that the same block again joins it. The answer is kept with the body: the same
// last block again gets it again, and later blocks of it are served from it. An answer to a request
// that was no upload is kept if it takes more than one block.
//
// Bounded are the bodies of a device, the bytes of a body, and the memory of all: a body that needs
// more takes it from others in the order of body_claim(). Every call takes a time that does not
// depend on how many bodies there are.

#ifndef POSTERN_GW_BODY_BODY_H
#define POSTERN_GW_BODY_BODY_H

#include "gw/body/answer.h"
#include "gw/body/bytes.h"
#include "gw/body/request.h"

#include <sys/queue.h>

enum body_stat {
#define X(name, unit, help) BODY_STAT_##name,
#include "gw/body/stats.def"
#undef X
	BODY_STAT_COUNT,
};

struct body;

struct body_config {
	uint8_t secret[BODY_SECRET_LEN]; // random per start
	size_t memory;                   // bytes of all bodies and claims
	unsigned per_device;             // bodies, at least 1
	uint32_t keep_ms;                // after all of an answer was sent
	uint32_t idle_ms;                // after the last block, at least keep_ms
	// Called when a body that is BODY_ASKING cannot be found any more, since its device, keys
	// or route are gone. The owner ends its fetch, but not before the call that led here
	// returns. NULL: it ends when it ends.
	void (*unwanted)(struct body *body);
};

enum body_state {
	BODY_UPLOADING,
	BODY_ASKING, // complete; `fetch` is the owner's
	BODY_KEPT,   // has its answer
};

struct body_holder;

struct body {
	// Written by this library only.
	TAILQ_ENTRY(body) of_holder; // of one device, the oldest first
	TAILQ_ENTRY(body) by_use;    // delivered or idle, the longest unused first; not BODY_ASKING
	struct body_holder *holder;
	enum body_state state;
	bool findable;
	bool listed;    // in by_use, and may give way
	bool delivered; // all of its answer was sent
	bool uploaded;  // came as blocks
	bool if_none_match;
	uint8_t code;   // of the request
	uint64_t route; // of the request
	uint8_t key[BODY_KEY_LEN];
	uint8_t digest[BODY_KEY_LEN];
	uint64_t used_ms;
	size_t charged;          // bytes, of the structs too
	struct body_bytes bytes; // of the upload; of the payload of the answer once it is kept
	uint32_t content_format; // of the upload
	uint64_t final_at;       // offset of its last block
	uint32_t final_len;
	uint8_t final_hash[BODY_KEY_LEN];
	struct body_kept kept; // BODY_KEPT
	// Written by the owner.
	void *fetch;
};

struct body_table;

// NULL if out of memory.
struct body_table *body_table_create(const struct body_config *config);
// Wipes and frees all bodies. None may be BODY_ASKING, and no claim may be left. NULL is allowed.
void body_table_free(struct body_table *table);
// Drops bodies whose time is over, at most a few dozen at a time. Returns when to be called again;
// UINT64_MAX if there are none.
uint64_t body_table_turn(struct body_table *table, uint64_t now_ms);
uint64_t body_stat(const struct body_table *table, enum body_stat stat);
const uint8_t *body_secret(const struct body_table *table);

// Drops all bodies of a device of this and earlier generations, as when it is gone; those that are
// BODY_ASKING are only not found any more. A request with a later generation does so by itself.
void body_device_gone(struct body_table *table, uint32_t context, uint32_t generation);
// Looks at the bodies of so many places from *at on, 0 at first, and drops those that are dead.
// Returns whether that were the last ones: false: call again. Which time that takes does not depend
// on how many bodies there are.
bool body_walk(struct body_table *table, size_t *at, size_t places,
	bool (*dead)(void *arg, const struct body *body), void *arg)
	__attribute__((warn_unused_result));
// Of which device a body is.
void body_device(const struct body *body, uint32_t *context, uint32_t *generation);
// Drops a body that has its answer if nobody can find it any more.
void body_release(struct body_table *table, struct body *body);

// ---- requests

enum body_action {
	BODY_FORWARD, // the request is whole in itself
	BODY_REFETCH, // the same: the answer of which it wants a later block is gone
	BODY_ASK,     // *body is complete now and BODY_ASKING: send it, then call body_answered()
	BODY_JOIN,    // the answer to this block is that of (*body)->fetch, which is under way
	BODY_SERVE,   // the answer is in *body: body_serve()
	BODY_REFUSE,  // *reply says how to answer: 2.31, 4.00, 4.08, 4.13 or 5.03
};

struct body_limits {
	uint64_t max_body;    // bytes of an upload
	uint16_t payload_max; // bytes of payload that the device takes and sends at a time
};

// Decides about a request, whose context, generation and names are set.
enum body_action body_take(struct body_table *table, const struct body_request *request,
	const struct body_limits *limits, uint64_t now_ms, struct body_reply *reply,
	struct body **body) __attribute__((warn_unused_result));

// ---- answers

// Whether the answer to a request goes out in one piece: nothing is kept then, and only a request
// with Block2 gets one (section 2.4). `room`: bytes of plaintext that the device takes in a
// datagram; `payload_max`: of payload.
bool body_answer_fits(const struct body_answer *answer, const struct body_request *request,
	uint16_t room, uint16_t payload_max);

// Writes one that goes out in one piece. Returns its length, or 0 if it does not.
uint16_t body_answer_write(const struct body_answer *answer, const struct body_request *request,
	uint8_t *out, uint16_t room, uint16_t payload_max);

// Copies an answer that does not fit, for body_serve(). NULL, and counted: there is no memory, or
// it would take more than 2^20 blocks (*too_large). The request has a name.
struct body *body_keep(struct body_table *table, const struct body_request *request,
	const struct body_answer *answer, uint16_t room, uint16_t payload_max, uint64_t now_ms,
	bool *too_large) __attribute__((warn_unused_result));

// Whoever performs the request of a body that is BODY_ASKING has its bytes now: they are wiped.
void body_copied(struct body_table *table, struct body *body);

// The fetch of a body that is BODY_ASKING is over: its bytes are wiped, the answer is copied, and
// the body is BODY_KEPT. false: not all of it could be kept; without its payload it always can.
bool body_answered(struct body_table *table, struct body *body, const struct body_answer *answer,
	uint64_t now_ms);

// Writes what a request gets of an answer that is kept: all of it, or the block that it asks
// for; 4.00 for one beyond its end; 5.02 if there is no room for a block or no number for the last
// one (of what was performed all but the payload). Returns the length of the plaintext, at most
// `room`, at least 1.
uint16_t body_serve(struct body_table *table, struct body *body, const struct body_request *request,
	uint8_t *out, uint16_t room, uint16_t payload_max, uint64_t now_ms);

// ---- memory for answers that are still arriving

// All zeros: nothing claimed.
struct body_claim {
	struct body_holder *holder;
	size_t bytes;
};

// Makes a claim of so many bytes in all, no fewer than before. Those who give way are bodies that
// were delivered, then idle ones (unused for keep_ms), then the oldest one of who holds most, if
// that is more than this device then holds; a device never holds more than half of all. false, and
// counted: nothing changed.
bool body_claim(struct body_table *table, struct body_claim *claim, uint32_t context,
	uint32_t generation, size_t bytes) __attribute__((warn_unused_result));
void body_unclaim(struct body_table *table, struct body_claim *claim);

#endif
