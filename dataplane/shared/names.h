// SPDX-License-Identifier: BSD-3-Clause
// The names of the security contexts: what a message says, and which context that is.
//
// A name is (kid, ID Context) or (kid, none). A context with an ID Context has the alias (kid,
// none) too, where no other has its kid: so a device that sends no kid context is served. After a
// run of RFC 8613 appendix B.2 it has a second spelling, too: clients send the ID Context of the
// run as a CBOR byte string first, and some of them as it is afterwards. One context, one window,
// whatever it is called. Where several have a kid and none of them is without ID Context, (kid,
// none) stands in the table and names nobody. So a context has three names at most.
//
// Main writes, workers read without locks. A name stands in the bucket that its keyed hash chooses,
// its home, or where that was full in one further on; `reach` of the home says how far a name of it
// may be. A bucket is one cache line of five hashes with their indices, so most look-ups, and those
// for a name that nobody has, read one line: at most four of five slots are ever in use, when every
// device has three names. Then one name of eight stands elsewhere than at home, one of thirty when
// every device has an alias, and fewer otherwise. No name is further than DP_NAMES_REACH_MAX
// buckets: that some name of a full table of three names a device had to be is less likely than 1
// in 10^10, and then it waits until another goes.
//
// Two names with one hash. A stranger's kid has the 64-bit hash of a device's name by chance only,
// for it cannot be prepared. It is then taken for that name, as if the stranger had sent the name,
// and its tag does not verify; nobody is hurt, so a worker need not read the whole name, which
// would be a line more. Two devices must not have one hash between them, for one of them would be
// locked out: main, which compares names in full, marks both slots (DP_NAME_TWIN) before the second
// can be found, and workers compare those in full, too.
//
// What a worker may see while main writes:
//
// - A slot is two words, hash and index. Main writes the index first and publishes the hash with
//   release order; a worker that reads the hash (acquire) reads that index, or a later one.
// - While a name stands in a slot, its index may change, for the alias follows who has the kid.
//   That is one store: a worker finds the one before or the one after.
// - A name that goes leaves DP_NAME_KEPT in the place of its hash, and the index stays. So a worker
//   that had read the hash just before reads the index that went with it. The slot is given to
//   another name, or to the same name of another context, only in dp_names_release(), after a grace
//   period in which every worker was outside of a look-up (QSBR). Without that, a worker could
//   read the hash of the old name and then the index of the new one.
// - At once main may use again only what no worker can have read: a slot that it kept and did not
//   publish.
// - A name is never moved, and the reach of its home never falls below where it stands: what is
//   there all the time is always found.
// - The name that a kin holds is written before its first slot is published, and stays until the
//   release, so a worker may read it where it finds the index.

#ifndef POSTERN_DATAPLANE_SHARED_NAMES_H
#define POSTERN_DATAPLANE_SHARED_NAMES_H

#include "crypto/keyed_hash.h"
#include "dataplane/oscore/option.h"
#include "dataplane/shared/exchange.h"

#include <rte_branch_prediction.h>
#include <rte_prefetch.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DP_NAME_WAYS       5  // names of a bucket
#define DP_NAMES_REACH_MAX 63 // buckets beyond its home in which a name may be

// What stands for a hash where there is none; all hashes are above.
#define DP_NAME_FREE 0
#define DP_NAME_KEPT 1 // by a context that retires, or is about to be found

// The index of a slot: below DP_NAME_TWIN a worker takes it as it is.
#define DP_NAME_INDEX  ((UINT32_C(1) << 28) - 1)
#define DP_NAME_SECOND (UINT32_C(1) << 28) // the name is the second spelling
#define DP_NAME_SHARED (UINT32_C(1) << 29) // the name is (kid, none)
#define DP_NAME_TWIN   (UINT32_C(1) << 30) // another name has, or had, this hash
#define DP_NAME_NOBODY (UINT32_C(1) << 31) // the index is for main: one of those with this kid

#define DP_NAME_FAR (UINT32_MAX - 1) // of dp_names_near(): look further

// How a message names its context. ids of another length differ in kid_len.
struct dp_context_key {
	uint8_t kid_len;
	uint8_t kid[OSC_KID_LEN_MAX];
	uint64_t
		id_context; // keyed hash (55 bits) || 1 || length (8 bits); 0 without an ID Context
};
_Static_assert(sizeof(struct dp_context_key) == 16, "no bytes between that are not compared");

// kid_len and kid of a key as one word, for kid_len up to OSC_KID_LEN_MAX. A hash reads the key by
// words: made of single bytes in memory, it would wait for all of them to be written.
static inline uint64_t dp_context_kid_word(const uint8_t *kid, uint8_t kid_len)
{
	uint64_t word = kid_len;
	unsigned last = 8 * kid_len; // the bits that the last byte begins at

	_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "kid_len is the lowest byte");
	if (kid_len >= 4) // in two halves that may overlap
		return word | (uint64_t)keyed_hash_read4(kid) << 8 |
			(uint64_t)keyed_hash_read4(kid + kid_len - 4) << (last - 24);
	if (kid_len)
		word |= (uint64_t)kid[0] << 8 |
			(uint64_t)kid[kid_len / 2] << (8 + kid_len / 2 * 8) |
			(uint64_t)kid[kid_len - 1] << last;
	return word;
}

struct dp_name_bucket {
	uint64_t hash[DP_NAME_WAYS];  // main, atomic
	uint32_t named[DP_NAME_WAYS]; // main, atomic
	uint32_t reach;               // main, atomic: of the names that have their home here
};
_Static_assert(sizeof(struct dp_name_bucket) == 64, "one cache line");

// What main knows of an index: the context's own name, and where it stands.
struct dp_kin {
	struct dp_context_key key; // main; workers read it where two names have one hash
	union {
		struct { // in the ring of those with its kid
			uint32_t next;
			uint32_t prev;
		};
		struct { // while it retires: slots to be freed with it, DP_INDEX_NONE for none
			uint32_t own_slot;
			uint32_t shared_slot;
		};
		uint32_t next_free; // in the list of free indices
	};
};
_Static_assert(sizeof(struct dp_kin) == 24, "three words");

// The second spelling of the few that have one; indexed alike.
struct dp_second {
	uint64_t id_context; // main; read as dp_kin.key; 0: none
	uint32_t slot;       // main: while it retires, DP_INDEX_NONE for none
	uint32_t spare;
};

struct dp_names {
	// Set up at the start, then read only.
	struct dp_name_bucket *bucket; // [buckets]
	struct dp_kin *kin;            // [entries], mapped lazily by the kernel
	struct dp_second *second;      // [entries], the same; only where there is one
	uint32_t buckets;              // a prime number
	uint32_t entries;              // indices: at most so many contexts are there or retire
	struct keyed_hash hash;        // of a whole struct dp_context_key

	uint32_t unused; // main: indices from here on were never used
	uint32_t free;   // main: list of those that came back, DP_INDEX_NONE if empty
};

// Makes room for the names of so many contexts, at most DP_NAME_INDEX. Returns 0, -EINVAL or
// -ENOMEM.
int dp_names_init(struct dp_names *names, uint32_t entries) __attribute__((warn_unused_result));
void dp_names_fini(struct dp_names *names);
// Bytes of both tables; not of second spellings, of which the kernel maps what is used.
size_t dp_names_bytes(const struct dp_names *names);

// Main: takes an index for a context and lets workers find it under its names. `second` is another
// spelling of its ID Context, with the same kid; NULL: none. Returns 0, -EAGAIN if there is none
// before another is released. None of the names may be there, but an alias.
int dp_names_join(struct dp_names *names, const struct dp_context_key *key,
	const struct dp_context_key *second, uint32_t *index) __attribute__((warn_unused_result));
// Main: the context that was added under this name, in either spelling, which an alias is not, or
// -ENOENT.
int64_t dp_names_own(const struct dp_names *names, const struct dp_context_key *key);
// Main: whether some context has this kid. id_context of the key is not looked at.
bool dp_names_has_kid(const struct dp_names *names, const struct dp_context_key *key);
// Main: no look-up that begins from here on finds the context. If one other has its kid, that gets
// the alias.
void dp_names_leave(struct dp_names *names, uint32_t index);
// Main: gives back index and slots of one that left, when no worker can be in a look-up that began
// before it did.
void dp_names_release(struct dp_names *names, uint32_t index);

static inline uint64_t dp_names_hash(const struct dp_names *names, const struct dp_context_key *key)
{
	return keyed_hash(&names->hash, key, sizeof(*key));
}

static inline uint32_t dp_names_home(const struct dp_names *names, uint64_t hash)
{
	return (hash >> 32) * names->buckets >> 32;
}

// Asks for the line that dp_names_near() will read.
static inline void dp_names_prefetch(const struct dp_names *names, uint64_t hash)
{
	rte_prefetch0(&names->bucket[dp_names_home(names, hash)]);
}

// What stands in a slot for a hash.
static inline uint64_t dp_name_mark(uint64_t hash)
{
	return hash | 2;
}

// The first half of a look-up: what the home says. Returns an index, DP_INDEX_NONE if nobody has
// the name, or DP_NAME_FAR if only dp_names_far() can say.
static inline uint32_t dp_names_near(const struct dp_names *names, uint64_t hash)
{
	const struct dp_name_bucket *home = &names->bucket[dp_names_home(names, hash)];
	uint64_t mark = dp_name_mark(hash);
	unsigned found = 0;

#pragma GCC unroll 5
	for (unsigned i = 0; i < DP_NAME_WAYS; i++)
		found |= (unsigned)(__atomic_load_n(&home->hash[i], __ATOMIC_ACQUIRE) == mark) << i;
	if (likely(found)) {
		uint32_t named =
			__atomic_load_n(&home->named[__builtin_ctz(found)], __ATOMIC_ACQUIRE);

		return likely(named < DP_NAME_TWIN) ? named & DP_NAME_INDEX : DP_NAME_FAR;
	}
	return likely(!__atomic_load_n(&home->reach, __ATOMIC_RELAXED)) ? DP_INDEX_NONE
									: DP_NAME_FAR;
}

// The other half, for what is rare: a whole look-up. Returns an index or DP_INDEX_NONE.
uint32_t dp_names_far(
	const struct dp_names *names, const struct dp_context_key *key, uint64_t hash);
// Asks for the line that dp_names_far() reads after the home.
void dp_names_prefetch_far(const struct dp_names *names, uint64_t hash);

static inline uint32_t dp_names_find(const struct dp_names *names, const struct dp_context_key *key)
{
	uint64_t hash = dp_names_hash(names, key);
	uint32_t index = dp_names_near(names, hash);

	return index == DP_NAME_FAR ? dp_names_far(names, key, hash) : index;
}

#endif
