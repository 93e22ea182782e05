// SPDX-License-Identifier: BSD-3-Clause
// The observations of a worker (RFC 7641): who is to hear of a representation when it changes.
//
// Each is found by its context, endpoint and token, by the message ids of the last two
// notifications, and as one of those of a slot of the table of representations. A timer each: for
// the next try of a confirmable notification, for one that had to wait, or for the one before
// Max-Age ends. All memory is there from the start, mapped when it is first used.
//
// The worker that owns the context is the only one that touches an observation; only
// dp_observation_possible() is for any thread.

#ifndef POSTERN_DATAPLANE_STATE_OBSERVATION_H
#define POSTERN_DATAPLANE_STATE_OBSERVATION_H

#include "dataplane/oscore/option.h"
#include "dataplane/shared/flow.h"

#include <stdbool.h>
#include <stdint.h>

#define DP_OBSERVATION_NONE    0 // no observation has this index
#define DP_OBSERVATION_TOKEN   8 // bytes of a token that fit (RFC 7252 section 3)
#define DP_OBSERVATION_TICK_MS 16
#define DP_OBSERVATION_COUNT_MAX \
	(UINT32_C(1) << 22) // of a worker: their indexes leave bits of a link free

struct dp_observation {
	struct dp_flow flow;                 // where notifications go; kept: DP_OBSERVATION_*
	uint64_t version;                    // of the representation that was sent last
	uint8_t token[DP_OBSERVATION_TOKEN]; // of the registration, as are piv, kid and szx
	uint64_t piv : 40;
	uint64_t kid_len : 4;
	uint64_t token_len : 4;
	uint64_t szx : 3;      // largest block that was asked for; 7: it did not say
	uint64_t tries : 4;    // confirmable notifications in a row without an ACK
	uint64_t has_mid : 2;  // bit n: mid[n] was used
	uint64_t unacked : 1;  // a confirmable notification waits for its ACK
	uint64_t pending : 1;  // there is something to be sent, and it had to wait
	uint64_t on_timer : 1; // due is set
	uint64_t confirm : 1;  // the next notification is confirmable, whatever its number is
	uint64_t fetch : 1;    // registered by FETCH
	uint64_t acked : 1; // the last one was, and there is nothing to be sent but what is newer
	uint64_t ended : 1; // its last notification waits to be sealed, and it is removed then
	uint8_t kid[OSC_KID_LEN_MAX];
	uint8_t since_con; // notifications since the last confirmable one
	uint32_t context;
	uint32_t generation; // of the context
	uint32_t slot;       // of the table of representations
	uint16_t mid[2];     // of the last two notifications, the newest in front
	uint32_t due;        // tick of the timer
	uint16_t timeout;    // ticks from the last try to the next
	uint16_t format;     // Content-Format of the first answer; DP_OBSERVATION_*_FORMAT
	uint32_t con_s;      // second of the last confirmable notification, or of the registration
	uint32_t rate_at;    // bucket of non-confirmable notifications, see bucket.h
	uint32_t slot_next;  // of the same slot
	uint32_t slot_prev;
	uint32_t context_next; // in a chain by context
	uint32_t mid_next[2];  // in chains by message id: of mid[0] and mid[1]
	uint32_t timer_next;   // in a list of the timers
	uint32_t timer_prev;   // or the number of the list, with a high bit, of the first one
	uint16_t permit;       // of the device, and ..
	uint16_t policy;       // .. number of the policy, when it was last allowed to use the path
};
_Static_assert(sizeof(struct dp_observation) <= 160, "a million are 160 MB");

// What is in flow.kept.
#define DP_OBSERVATION_SINCE_S 0 // second of the registration
#define DP_OBSERVATION_SENT    1 // notifications since then

#define DP_OBSERVATION_NO_FORMAT  UINT16_MAX
#define DP_OBSERVATION_ANY_FORMAT (UINT16_MAX - 1) // it had nothing: what comes first decides
#define DP_OBSERVATION_NO_SZX     7

struct dp_observations;

// Room for so many observations, at most DP_OBSERVATION_COUNT_MAX, of that many slots. NULL and
// errno on failure.
struct dp_observations *dp_observations_create(uint32_t count, uint32_t slots, uint64_t now_ms);
// Wipes them. NULL is allowed.
void dp_observations_free(struct dp_observations *all);

struct dp_observation *dp_observation_at(const struct dp_observations *all, uint32_t index);
// How many there are. Any thread may ask.
uint32_t dp_observation_count(const struct dp_observations *all);
// How many may be there.
uint32_t dp_observation_most(const struct dp_observations *all);

// Who observes: a context, from an endpoint, under a token.
struct dp_observer {
	uint32_t context;
	uint32_t generation;
	const struct dp_flow *flow;
	const uint8_t *token;
	uint16_t token_len;
};

// The observation of an observer, or DP_OBSERVATION_NONE. As all look-ups by context it looks at
// what the context has, and at few of others.
uint32_t dp_observation_find(const struct dp_observations *all, const struct dp_observer *who);
// The first one of a context, and the next one; DP_OBSERVATION_NONE behind the last.
uint32_t dp_observation_of_context(
	const struct dp_observations *all, uint32_t context, uint32_t generation);
uint32_t dp_observation_next_of_context(const struct dp_observations *all, uint32_t index);
// The same of a slot.
uint32_t dp_observation_of_slot(const struct dp_observations *all, uint32_t slot);

// Makes an observation of a slot: zeroed but for who observes. DP_OBSERVATION_NONE if there is no
// room, or if the context has `most` already.
uint32_t dp_observation_add(struct dp_observations *all, const struct dp_observer *who,
	uint32_t slot, unsigned most) __attribute__((warn_unused_result));
// Takes it out of everything.
void dp_observation_remove(struct dp_observations *all, uint32_t index);

// A notification goes out under this message id: an ACK or RST of it, and of the one before, finds
// the observation from now on.
void dp_observation_sent(struct dp_observations *all, uint32_t index, uint16_t mid);
// Nothing that was sent up to now finds it any more.
void dp_observation_forget(struct dp_observations *all, uint32_t index);
// Which observation was notified under this message id at this very endpoint, or
// DP_OBSERVATION_NONE.
uint32_t dp_observation_by_mid(
	const struct dp_observations *all, const struct dp_flow *flow, uint16_t mid);
// Whether there may be one: false is certain of what was sent before the caller heard of it. Any
// thread may ask.
bool dp_observation_possible(
	const struct dp_observations *all, const struct dp_flow *flow, uint16_t mid);

// Sets the timer, in the place of an earlier time.
void dp_observation_wake(struct dp_observations *all, uint32_t index, uint64_t due_ms);
// Stops it.
void dp_observation_sleep(struct dp_observations *all, uint32_t index);
// Takes one whose time has come off the timers: DP_OBSERVATION_NONE if there is none, or if
// *budget, which says how many may be looked at and is counted down, is used up.
uint32_t dp_observation_expire(struct dp_observations *all, uint64_t now_ms, unsigned *budget);

// A walk over what observes a slot, which may be interrupted: whatever is added or removed
// meanwhile, each that was there at the beginning and is not removed is met once.
void dp_observation_walk(struct dp_observations *all, uint32_t slot);
// The next of the walk, or DP_OBSERVATION_NONE behind the last.
uint32_t dp_observation_walk_next(struct dp_observations *all);

// The observation at *cursor, or DP_OBSERVATION_NONE if there is none at that place. Moves the
// cursor, which begins at 1, to the next place; DP_OBSERVATION_NONE behind the last.
uint32_t dp_observation_sweep(const struct dp_observations *all, uint32_t *cursor);

#endif
