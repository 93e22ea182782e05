// SPDX-License-Identifier: BSD-3-Clause
// Representations: answers of backends that upstream loops publish and workers read, to answer from
// them and to notify observers.
//
// Each loop has a table, which it alone writes. All requests of a path go to one loop, its home
// (dp_route.home), and find what is stored of the path in that loop's table. A slot of a table is
// one pointer to an immutable object, with its key and version inside, so that no reader can see
// the bytes of one entry under the key of another. An object that is taken out of its slot is freed
// by QSBR: a worker uses what it found within the same turn, and keeps no pointer.
//
// A slot keeps, beside the pointer, what others than the loop write: that it was used (workers),
// how many observations hold it (workers), and which workers have to notify (the loop sets, the
// worker clears). An observed slot is never given to another key.

#ifndef POSTERN_DATAPLANE_SHARED_REPRESENTATION_H
#define POSTERN_DATAPLANE_SHARED_REPRESENTATION_H

#include "dataplane/shared/exchange.h"
#include "dataplane/shared/loop_port.h"
#include "dataplane/shared/representation_key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define DP_REP_WAYS      8         // slots in which a key may be: one cache line of pointers
#define DP_REP_EPOCHS    (1 << 16) // a power of two; paths with one number go stale together
#define DP_REP_ETAG_MAX  8
#define DP_REP_HEAD_MAX  16         // bytes: code, ETag, Content-Format
#define DP_REP_NO_FORMAT UINT16_MAX // no Content-Format; 65535 is reserved
#define DP_REP_OLDER_MAX 2          // versions that are kept behind the one of now
#define DP_REP_OLDER_MS  30000      // for how long

// Flags.
#define DP_REP_ETAG_OF_BLOCKS 1 // the ETag is ours: it says which blocks belong together, no more

struct rte_rcu_qsbr;

// Immutable from its publication on. Key and payload stand behind it.
struct dp_representation {
	uint64_t hash;      // of the key
	uint64_t version;   // rises where code, format or payload are others than before; never 0
	uint64_t stored_ms; // CLOCK_MONOTONIC
	// The same: until when it may be an answer; 0: only validated; UINT64_MAX: until it is
	// replaced.
	uint64_t fresh_ms;
	uint64_t observe_ms;  // the same for notifications
	uint32_t max_age_s;   // what answers say of one that is fresh until it is replaced
	uint32_t refresh_ms;  // least time between two notifications of it
	uint32_t epoch;       // of its path, when it was asked for
	uint32_t epoch_index; // where that is counted
	uint32_t payload_len; // bytes
	uint16_t key_len;
	uint16_t content_format; // or DP_REP_NO_FORMAT
	uint8_t code;            // of the answer
	uint8_t flags;           // DP_REP_*
	uint8_t etag_len;        // 0: it has none
	uint8_t etag[DP_REP_ETAG_MAX];
	// Made of these when it is published: the plaintext of the usual answer, up to Max-Age.
	uint8_t head[DP_REP_HEAD_MAX];
	uint8_t head_len;
	uint8_t head_number; // of its last option, or 0
	// The version that it took the place of, while that is kept; the loop changes it, atomic.
	struct dp_representation *older;
	uint8_t bytes[]; // key, then payload
};

static inline const uint8_t *dp_rep_payload(const struct dp_representation *rep)
{
	return rep->bytes + rep->key_len;
}

// No content, and nothing says of what format: it is in any.
static inline bool dp_rep_is_nothing(const struct dp_representation *rep)
{
	return !rep->payload_len && rep->content_format == DP_REP_NO_FORMAT;
}

// What is known of a slot beside its object.
struct dp_rep_slot {
	uint64_t dirty; // bit n: worker n is to look at its observations; atomic
	uint32_t pins;  // observations of all workers; atomic
	bool used;      // since the loop looked; workers set it, atomic
	bool begun;     // an observer has a first block of this version; workers set it, atomic
};
_Static_assert(sizeof(struct dp_rep_slot) == 16, "four in a cache line");

TAILQ_HEAD(dp_rep_blocks, dp_rep_block);

// Of one loop. The loop writes all but `at` and `slot`, of which others read or write.
struct dp_rep_table {
	uint64_t *at;             // [slots]: object, with 16 bits of the hash on top; atomic
	struct dp_rep_slot *slot; // [slots]
	uint32_t slots;           // a power of two
	struct rte_rcu_qsbr *qsbr;
	uint64_t *hash;                       // [slots]: of the key that has, or had, the slot
	uint64_t version;                     // that was last given
	uint32_t count;                       // objects in slots
	uint32_t retired;                     // objects that wait for workers
	size_t bytes;                         // of both
	struct dp_rep_block *oldest, *newest; // that are retired
	struct dp_rep_blocks older;           // that are kept, the first to go in front
	size_t older_bytes, older_max;        // of these; 0: none is kept
};

// Of all loops. Constant but for `epoch`.
struct dp_reps {
	unsigned loops;
	struct keyed_hash keys;
	struct keyed_hash paths;
	uint32_t *epoch; // [DP_REP_EPOCHS]: what changed there, any loop adds; atomic
	struct dp_rep_table table[DP_LOOPS_MAX];
};

// Makes a table of at least so many slots for each loop; memory that is not used costs nothing.
// qsbr: of those who read, NULL if nobody does at the same time. NULL and errno on failure.
struct dp_reps *dp_reps_create(unsigned loops, uint32_t slots, struct rte_rcu_qsbr *qsbr);
// When nobody reads any more. Wipes and frees all objects. NULL is allowed.
void dp_reps_free(struct dp_reps *reps);

// ---- changes of a path

static inline uint32_t dp_rep_epoch_index(uint64_t path_hash)
{
	return path_hash & (DP_REP_EPOCHS - 1);
}

static inline uint32_t dp_rep_epoch(const struct dp_reps *reps, uint32_t index)
{
	return __atomic_load_n(&reps->epoch[index], __ATOMIC_ACQUIRE);
}

// Any loop: all that is stored of a path is stale from here on.
static inline void dp_rep_epoch_raise(struct dp_reps *reps, uint32_t index)
{
	__atomic_fetch_add(&reps->epoch[index], 1, __ATOMIC_RELEASE);
}

// ---- workers

// The home of a key in a table: the first of DP_REP_WAYS slots.
static inline uint32_t dp_rep_home(const struct dp_rep_table *table, uint64_t hash)
{
	return hash & (table->slots - 1) & ~(uint32_t)(DP_REP_WAYS - 1);
}

static inline struct dp_representation *dp_rep_of_word(uint64_t word)
{
	return (struct dp_representation *)(uintptr_t)(word & (UINT64_MAX >> 16));
}

// The object in a slot, or NULL. A worker may use it until its next quiescent state, its loop until
// it takes it out.
static inline const struct dp_representation *dp_rep_at(
	const struct dp_rep_table *table, uint32_t slot)
{
	return dp_rep_of_word(__atomic_load_n(&table->at[slot], __ATOMIC_ACQUIRE));
}

// The object of a key, in whatever state, and its slot; NULL: there is none.
const struct dp_representation *dp_rep_find(
	const struct dp_rep_table *table, const struct dp_rep_key *key, uint32_t *slot);

// Whether nothing is known to have changed since it was asked for.
static inline bool dp_rep_is_current(
	const struct dp_reps *reps, const struct dp_representation *rep)
{
	return dp_rep_epoch(reps, rep->epoch_index) == rep->epoch;
}

// Whether it may be an answer now.
static inline bool dp_rep_is_fresh(
	const struct dp_reps *reps, const struct dp_representation *rep, uint64_t now_ms)
{
	return now_ms < rep->fresh_ms && dp_rep_is_current(reps, rep);
}

// It was an answer: others give way before it.
static inline void dp_rep_use(struct dp_rep_table *table, uint32_t slot)
{
	struct dp_rep_slot *s = &table->slot[slot];

	if (!__atomic_load_n(&s->used, __ATOMIC_RELAXED))
		__atomic_store_n(&s->used, true, __ATOMIC_RELAXED);
}

// An observer gets the first block of what is in the slot, and will ask for the others.
static inline void dp_rep_begin(struct dp_rep_table *table, uint32_t slot)
{
	if (!__atomic_load_n(&table->slot[slot].begun, __ATOMIC_RELAXED))
		__atomic_store_n(&table->slot[slot].begun, true, __ATOMIC_RELAXED);
}

// This version: the object, or one of those that it took the place of. NULL: it is kept no more.
const struct dp_representation *dp_rep_version(
	const struct dp_representation *rep, uint64_t version);

// Has a slot keep what it has for an observation: as long as there are pins it is given to no other
// key. Returns whether it has that key still; if not, nothing is held.
bool dp_rep_pin(struct dp_rep_table *table, uint32_t slot, uint64_t hash)
	__attribute__((warn_unused_result));
void dp_rep_unpin(struct dp_rep_table *table, uint32_t slot);

// ---- the table's loop

// An object for a key and so many bytes of payload, which the caller fills in with all but hash,
// version, key and lengths. NULL: no memory.
struct dp_representation *dp_rep_make(const struct dp_rep_key *key, uint32_t payload_len);
// The same with key and payload of another one.
struct dp_representation *dp_rep_copy(const struct dp_representation *rep);
// Wipes and frees one that was not published. NULL is allowed.
void dp_rep_discard(struct dp_representation *rep);
// What it costs.
size_t dp_rep_bytes(const struct dp_representation *rep);
size_t dp_rep_bytes_of(uint16_t key_len, uint32_t payload_len);

// The slot for a key: that of the same key, or a free one, or else one whose object has to give
// way, a used one last, of those that `may` says may; NULL: any. The caller takes that out first
// (dp_rep_evict()). DP_INDEX_NONE: there is none, or all are observed.
uint32_t dp_rep_place(struct dp_rep_table *table, uint64_t hash, const uint8_t *key, uint16_t len,
	bool (*may)(void *arg, uint32_t slot), void *arg);
// Puts an object into the slot that dp_rep_place() said, which has an object of the same key or
// none. It is the table's from here on, and has a new version unless it says what that one said.
// One of which an observer has a first block (dp_rep_begin()) is kept behind it for
// DP_REP_OLDER_MS.
void dp_rep_publish(struct dp_rep_table *table, uint32_t slot, struct dp_representation *rep);
// Takes the object out of a slot, unless observations hold it. Returns whether it is out.
bool dp_rep_evict(struct dp_rep_table *table, uint32_t slot);
// The same for one that may not stay, whoever observes it.
void dp_rep_drop(struct dp_rep_table *table, uint32_t slot);
// How many observations hold it.
static inline uint32_t dp_rep_pins(const struct dp_rep_table *table, uint32_t slot)
{
	return __atomic_load_n(&table->slot[slot].pins, __ATOMIC_RELAXED);
}
// Takes out the versions that were kept for long enough by now, and when that is to be done next;
// UINT64_MAX: none is kept.
void dp_rep_older_turn(struct dp_rep_table *table, uint64_t now_ms);
uint64_t dp_rep_older_due_ms(const struct dp_rep_table *table);
// Frees what no worker can be reading any more.
void dp_rep_reclaim(struct dp_rep_table *table);

#endif
