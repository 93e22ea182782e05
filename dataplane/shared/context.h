// SPDX-License-Identifier: BSD-3-Clause
// The table of security contexts: what the workers know of each device.
//
// Main adds and removes, workers look up. A context is two cache lines: one that is read, and one
// that its owner writes. The first worker that verifies a request of a context claims it, and from
// then on only that worker touches its second line: window, own Partial IVs and lists need no lock.
// It may give the context to another worker (worker/move.h): with the store of `owner`, a release,
// it touches nothing of that line and of the side table any more, and who reads its own number
// there, by an acquire, sees all that was written before.
//
// What only some devices ever need stands in the side table, which is indexed alike. A request that
// is served as usual touches the two lines of its context and nothing of the side table.

#ifndef POSTERN_DATAPLANE_SHARED_CONTEXT_H
#define POSTERN_DATAPLANE_SHARED_CONTEXT_H

#include "crypto/keyed_hash.h"
#include "dataplane/oscore/context.h"
#include "dataplane/oscore/window.h"
#include "dataplane/shared/names.h"
#include "dataplane/shared/piv_clock.h"

#include <rte_branch_prediction.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define DP_OWNER_NONE  0xff
#define DP_OWNER_MAIN  0xfe
#define DP_WORKERS_MAX 64

// A mark is kept this far above the highest PIV, and raised when less than the half is left.
#define DP_MARK_AHEAD 32

// Messages under one key, and tags that may fail to verify (draft-ietf-core-oscore-key-limits):
// beyond them an algorithm no longer gives what it promises.
#define DP_LIMIT_USES (UINT64_C(1) << 20)

#define DP_FORGERIES_MAX (UINT32_C(1) << 31) // that are counted

static inline uint32_t dp_limit_forgeries(enum aead_alg alg)
{
	return aead_algs[alg].tag_len < 16 ? UINT32_C(1) << 14 : UINT32_C(1) << 20;
}

#define DP_KEY_INLINE 16 // bytes of a key that fit the first line; longer ones: struct dp_long_keys

// An own Partial IV is run (24 bits) || counter (16 bits), see docs/nonces.md.
#define DP_RUN_BITS     OSC_RUN_BITS
#define DP_COUNTER_BITS OSC_COUNTER_BITS
#define DP_RUN_NONE     UINT32_MAX
#define DP_RUN_MAX      ((UINT32_C(1) << DP_RUN_BITS) - 1)
#define DP_COUNTER_MAX  ((UINT32_C(1) << DP_COUNTER_BITS) - 1)

// Visible to operators under the names of dp_context_state_name().
enum dp_context_state {
	DP_CONTEXT_WINDOW_UNKNOWN, // a first verified request gets an Echo challenge
	DP_CONTEXT_ECHO_PENDING,   // challenged; its answer opens the window
	DP_CONTEXT_ACTIVE,
	DP_CONTEXT_REPLAY_LOCKED, // the device started its sequence numbers again
	DP_CONTEXT_REKEYING, // window unknown; the device was asked to derive a new context (B.2)
	// Its names are gone and no request is accepted, but those under way are answered under its
	// keys. Main asks for it, the owner writes it, and it never ends but by a retirement.
	DP_CONTEXT_DRAINING,
	DP_CONTEXT_STATE_COUNT,
};

const char *dp_context_state_name(enum dp_context_state state);

enum dp_context_flags {
	DP_CONTEXT_OWN_PIV_ALWAYS = 1, // every answer carries an own Partial IV
	DP_CONTEXT_OWN_PIV_CLOCK = 2,  // and these come from the clock, not from run and counter
	DP_CONTEXT_OWN_PIV = DP_CONTEXT_OWN_PIV_ALWAYS | DP_CONTEXT_OWN_PIV_CLOCK,
	DP_CONTEXT_FLOOR = 4,     // a device without Echo: see mark
	DP_CONTEXT_LONG_KEYS = 8, // its keys stand in struct dp_long_keys; the table sets it
	// The device may derive a new context at any time (RFC 8613 appendix B.2): a request with
	// its kid and an unknown kid context is for the slow path. No other device has its kid, so
	// that (kid, none) always names it. Its own Partial IVs begin at 1.
	DP_CONTEXT_REDERIVE = 16,
	// Beside DP_CONTEXT_REDERIVE: an unknown window is answered by a run of B.2, not by Echo.
	DP_CONTEXT_RECOVERY_B2 = 32,
	// Its keys die with the process, so its own Partial IVs are a counter from 0 on.
	DP_CONTEXT_OWN_PIV_PLAIN = 64,
};

struct dp_context {
	// First line: main writes it before it publishes the context. After that it is constant,
	// except for owner, generation, max_message and permit.
	uint8_t recipient_key[DP_KEY_INLINE];
	uint8_t sender_key[DP_KEY_INLINE];
	uint8_t common_iv[AEAD_NONCE_MAX];
	uint8_t sender_id_len;
	uint8_t sender_id[OSC_KID_LEN_MAX];
	uint8_t alg;          // enum aead_alg
	uint8_t flags;        // enum dp_context_flags
	uint8_t owner;        // CAS: worker from NONE, main from NONE; the owner stores another one
	uint32_t generation;  // odd: live. The owner writes, or main when it is not claimed
	uint16_t max_message; // main, also of a live one, atomic: see dp_context_limit()
	uint16_t permit;      // the same: what it may use, see dp_permit_find()

	// Second line: the owner writes it; main before it publishes, and max_in_flight later.
	// Only what every request touches: the rest goes to struct dp_side.
	struct osc_window window;
	union {
		uint64_t mark;      // DP_CONTEXT_FLOOR: durable; no PIV from here on is accepted
		uint64_t strangers; // .._OWN_PIV_PLAIN: any worker, atomic: see stranger.h
	};
	uint64_t fingerprint; // main; names the key to backends
	union {
		struct {
			uint32_t run_base;    // run of this context = run of this start + run_base
			uint32_t own_counter; // next one; above DP_COUNTER_MAX: see own_piv.c
		};
		uint64_t own_next; // DP_CONTEXT_OWN_PIV_CLOCK, .._PLAIN: least one not used yet
	};
	uint32_t in_flight;       // list of struct dp_in_flight, DP_INDEX_NONE when empty
	uint32_t accepted;        // requests
	uint32_t last_accepted_s; // CLOCK_MONOTONIC, of the last accepted request
	uint32_t rate_at;         // bucket of requests, see dp_policy.rate_cost
	uint32_t share_at;        // bucket of bytes in the answer index
	uint16_t in_flight_count; // length of the list in_flight
	uint8_t max_in_flight;    // main, also of a live one, atomic; 0: as dp_policy says
	uint8_t state;            // enum dp_context_state
};
_Static_assert(sizeof(struct dp_context) == 128, "two cache lines");
_Static_assert(offsetof(struct dp_context, window) == 64, "the owner's line");

// The side table: one line a device for what is rare. The kernel maps it when it is first written.
// Main wipes a line before it publishes the context and when it releases the place.
struct dp_side {
	uint64_t challenged; // owner: highest PIV challenged in this unknown phase, + 1; 0: none
	uint32_t failed;     // any worker, atomic: tags that did not verify
	uint16_t unknown_phases;   // owner, or main for a resync: how often the window was lost
	uint16_t challenge_second; // owner: low bits of the second
	uint16_t probe_second;     // owner: when a too old packet was last verified
	uint8_t challenges : 5;    // owner: sent in challenge_second, of the limited kind
	uint8_t mark_wanted : 1;   // owner: DP_CONTEXT_FLOOR: main was asked for a higher mark
	uint8_t uses_told : 2;     // owner: a bit for each enum dp_limit of uses that was reported
	uint8_t forgeries_told;    // any worker, atomic: a bit for each of forgeries
	uint32_t unacked_oldest;   // owner: exchanges that wait for their ACK, if unacked_count ...
	uint32_t unacked_newest;   // owner
	uint32_t unacked_next;     // owner: ... and contexts with about as many, see unacked.h
	uint32_t unacked_prev;     // owner
	uint32_t unacked_count;    // owner
	uint16_t away_from : 6;    // owner: worker where the last request of away_count arrived
	uint16_t away_count : 4;   // owner: accepted in a row that arrived there
	uint16_t previous : 6;     // owner: who owned the context before, if moved_s
	uint16_t away_accepted;    // owner: low bits of accepted with the last of away_count
	uint32_t last_refused_s;   // owner: CLOCK_MONOTONIC, of the last verified one not accepted
	uint32_t suspect_s;        // owner: the same, of the last challenge of suspicion.c
	uint32_t suspect_accepted; // owner: dp_context.accepted at that time
	uint32_t moved_s;          // owner: CLOCK_MONOTONIC, when it came from `previous`; 0: never
	uint32_t own_sealed;       // owner: see dp_context_uses()
};
_Static_assert(sizeof(struct dp_side) == 64, "one cache line");
_Static_assert(DP_WORKERS_MAX <= 64, "6 bits for the number of a worker");

// Messages under the keys of a context, for DP_LIMIT_USES. Each request of the device has one
// answer; what is sealed beside those since the start, notifications and challenges under own
// Partial IVs, is in own_sealed. Any thread may ask.
static inline uint64_t dp_context_uses(const struct dp_context *ctx, const struct dp_side *side)
{
	return __atomic_load_n(&ctx->window.next, __ATOMIC_RELAXED) +
		__atomic_load_n(&side->own_sealed, __ATOMIC_RELAXED);
}

struct dp_long_keys {
	uint8_t recipient_key[AEAD_KEY_MAX];
	uint8_t sender_key[AEAD_KEY_MAX];
};

struct dp_context_table {
	struct dp_names names;
	struct dp_context *context;     // [entries + shares]
	struct dp_long_keys *long_keys; // [entries], mapped lazily by the kernel; read as context
	struct dp_side *side;           // [entries + shares], mapped lazily by the kernel
	uint32_t max;                   // devices
	uint32_t entries;               // of devices: max, and room for those that retire
	uint32_t shares;                // behind them, see dp_context_is_share()
	uint32_t draining_max;          // of that room: for those that drain
	uint32_t count;                 // main
	uint8_t kid_lens;               // main, atomic: bit n: a device has a kid of n bytes
	uint64_t id_context_lens[4];    // main, atomic: a device has an ID Context of n bytes
	uint32_t kid_len_count[OSC_KID_LEN_MAX + 1]; // main: of devices
	uint32_t id_context_len_count[256];          // main: of devices
	struct keyed_hash id_context_hash;
	struct keyed_hash endpoint_hash; // see stranger.h
	struct dp_clock clock;           // of DP_CONTEXT_OWN_PIV_CLOCK
	bool locked;                     // the keys cannot be swapped out
};

// max_devices cannot grow later. NULL and errno on failure.
struct dp_context_table *dp_context_table_create(uint32_t max_devices);
// The same with DP_PASS_SHARES shares for each of so many workers, which own them.
struct dp_context_table *dp_context_table_create_for(uint32_t max_devices, unsigned workers);
// Wipes all keys.
void dp_context_table_free(struct dp_context_table *table);
// Bytes of the arrays that hold keys.
size_t dp_context_key_bytes(const struct dp_context_table *table);
// Bytes of the whole table that are always there: not of long keys and the side table, of which the
// kernel maps what is used.
size_t dp_context_table_bytes(const struct dp_context_table *table);

// Messages whose keys the gateway does not have (passthrough.h) are counted for the network that
// they come from: by a hash of it for one of so many shares, each of which has in exchanges, in the
// answer index and among answers that wait for their ACK what a device has. A share is a context
// that no name leads to and that has no keys; worker n owns those from first + n * DP_PASS_SHARES
// on, for ever.
#define DP_PASS_SHARES     64
#define DP_PASS_GENERATION 1

static inline bool dp_context_is_share(const struct dp_context_table *table, uint32_t index)
{
	return index >= table->entries;
}

// Whether any device has ids of these lengths. Others are refused before their ids are read.
static inline bool dp_context_possible(const struct dp_context_table *table, uint8_t kid_len,
	bool has_id_context, uint8_t id_context_len)
{
	return kid_len <= OSC_KID_LEN_MAX &&
		__atomic_load_n(&table->kid_lens, __ATOMIC_RELAXED) >> kid_len & 1 &&
		(!has_id_context ||
			__atomic_load_n(
				&table->id_context_lens[id_context_len / 64], __ATOMIC_RELAXED) >>
					id_context_len % 64 &
				1);
}

// Makes the key by which a table finds a context. kid_len is at most OSC_KID_LEN_MAX. Without an ID
// Context the table is not looked at.
static inline void dp_context_key_make(const struct dp_context_table *table,
	struct dp_context_key *key, const uint8_t *kid, uint8_t kid_len, bool has_id_context,
	const uint8_t *id_context, uint8_t id_context_len)
{
	uint64_t word = dp_context_kid_word(kid, kid_len);

	memcpy(key, &word, sizeof(word));
	key->id_context = 0;
	if (unlikely(has_id_context)) {
		uint64_t hash = keyed_hash(&table->id_context_hash, id_context, id_context_len);

		key->id_context = (hash | 1) << 8 | id_context_len;
	}
}

// The same for a kid without ID Context behind which bytes follow: eight may be read from kid on.
static inline void dp_context_key_short(
	struct dp_context_key *key, const uint8_t *kid, uint8_t kid_len)
{
	uint64_t word;

	memcpy(&word, kid, sizeof(word));
	word = (word & ((UINT64_C(1) << 8 * kid_len) - 1)) << 8 | kid_len;
	memcpy(key, &word, sizeof(word)); // kid_len is the first byte, and the kid those behind it
	key->id_context = 0;
}

// What devices take if nothing else is said (RFC 7252 section 4.6), and the least and most that
// may be said: CoAP messages in bytes.
#define DP_MESSAGE_DEFAULT 1152
#define DP_MESSAGE_MIN     64
#define DP_MESSAGE_MAX     9216

// The largest payload in a message of at most so many bytes: 1024 of 1152, as there.
static inline uint16_t dp_payload_max(uint16_t max_message)
{
	return (uint32_t)max_message * 8 / 9;
}

// The largest CoAP message that a device takes, in bytes; 0: as dp_policy says. Main may change it
// between two calls.
static inline uint16_t dp_context_max_message(const struct dp_context *ctx)
{
	return __atomic_load_n(&ctx->max_message, __ATOMIC_RELAXED);
}

// Requests of a device that may be under way; 0: as dp_policy says. Main may change it, too.
static inline uint8_t dp_context_max_in_flight(const struct dp_context *ctx)
{
	return __atomic_load_n(&ctx->max_in_flight, __ATOMIC_RELAXED);
}

// What a device may use, see dp_permit_find(). Main may change it, too.
static inline uint16_t dp_context_permit(const struct dp_context *ctx)
{
	return __atomic_load_n(&ctx->permit, __ATOMIC_RELAXED);
}

// What can be changed of a live context.
struct dp_context_limits {
	uint16_t max_message;  // of the device; 0: as dp_policy says
	uint16_t permit;       // what it may use, see dp_permit_find(); 0: everything
	uint8_t max_in_flight; // requests that may be under way; 0: as dp_policy says
};

// A new context, for dp_context_publish().
struct dp_context_params {
	struct dp_context_key key;
	enum aead_alg alg;
	uint8_t flags;
	uint8_t sender_id_len;
	uint8_t sender_id[OSC_KID_LEN_MAX];
	struct dp_context_limits limits;
	const struct osc_keys *keys; // read during the call only
	uint64_t fingerprint;
	uint32_t run_base;
	// The own Partial IV that it begins with: a counter below DP_COUNTER_MAX + 2, or of
	// DP_CONTEXT_OWN_PIV_CLOCK the whole number. For a context that goes on where the one
	// before stood; 0 otherwise.
	uint64_t own_first;
	uint64_t mark;     // DP_CONTEXT_FLOOR: durable; an unknown window begins there
	bool window_known; // false: window-unknown; window.next still is a lower limit
	struct osc_window window;
};

// Main: takes a place for a key; no worker takes it for a context before dp_context_publish(),
// which will give it *generation. `second` is the key of another spelling of its ID Context, NULL
// if it has none. Returns 0, -EEXIST, -ENOSPC if max_devices are there already, or -EAGAIN if there
// is room when one that was unlinked is released.
int dp_context_place(struct dp_context_table *table, const struct dp_context_key *key,
	const struct dp_context_key *second, uint32_t *index, uint32_t *generation)
	__attribute__((warn_unused_result));
// Main: fills a place, and workers find it from then on.
void dp_context_publish(
	struct dp_context_table *table, uint32_t index, const struct dp_context_params *params);
// Main: gives a live context other limits. They count from the next request on; no other field of
// the context is touched. -ENOENT if it is not that generation.
int dp_context_limit(struct dp_context_table *table, uint32_t index, uint32_t generation,
	const struct dp_context_limits *limits) __attribute__((warn_unused_result));
// The owner, or main while no worker can become it: forgets what is known of the window, so that
// the next request is challenged. A DP_CONTEXT_FLOOR device goes on at `from`, which is durable as
// its mark, or where it was if that is higher.
void dp_context_resync(struct dp_context_table *table, uint32_t index, uint64_t from);
// Main: index of a key, in either spelling, or -ENOENT.
int64_t dp_context_find(const struct dp_context_table *table, const struct dp_context_key *key);
// Main: takes all names of the context with this key out of the table, so that no new look-up finds
// it. The index stays taken
// until dp_context_release(), which is for when no worker can hold it any more. If one other
// context has its kid, that gets the alias.
void dp_context_unlink(struct dp_context_table *table, const struct dp_context_key *key);
void dp_context_release(struct dp_context_table *table, uint32_t index);

// What spreads devices over workers.
static inline uint32_t dp_context_hash(
	const struct dp_context_table *table, const struct dp_context_key *key)
{
	return dp_names_hash(&table->names, key);
}

static inline const uint8_t *dp_context_recipient_key(
	const struct dp_context_table *table, const struct dp_context *ctx)
{
	return likely(!(ctx->flags & DP_CONTEXT_LONG_KEYS))
		? ctx->recipient_key
		: table->long_keys[ctx - table->context].recipient_key;
}

static inline const uint8_t *dp_context_sender_key(
	const struct dp_context_table *table, const struct dp_context *ctx)
{
	return likely(!(ctx->flags & DP_CONTEXT_LONG_KEYS))
		? ctx->sender_key
		: table->long_keys[ctx - table->context].sender_key;
}

// Whether the window is not known, so that only a lower limit of what is new is. Any thread may
// ask.
static inline bool dp_context_window_unknown(const struct dp_context *ctx)
{
	uint8_t state = __atomic_load_n(&ctx->state, __ATOMIC_RELAXED);

	return state == DP_CONTEXT_WINDOW_UNKNOWN || state == DP_CONTEXT_ECHO_PENDING ||
		state == DP_CONTEXT_REKEYING;
}

// Who owns a context. If it is the caller, its second line is the caller's.
static inline uint8_t dp_context_owner(const struct dp_context *ctx)
{
	return __atomic_load_n(&ctx->owner, __ATOMIC_ACQUIRE);
}

// The generation if the context is live, else 0.
static inline uint32_t dp_context_live(const struct dp_context *ctx)
{
	uint32_t generation = __atomic_load_n(&ctx->generation, __ATOMIC_ACQUIRE);

	return generation & 1 ? generation : 0;
}

#endif
