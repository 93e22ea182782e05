// SPDX-License-Identifier: BSD-3-Clause
// Credentials that sessions use, each once with how many do. Whoever calls has the lock.

#ifndef POSTERN_GW_HANDSHAKE_USES_H
#define POSTERN_GW_HANDSHAKE_USES_H

#include "crypto/keyed_hash.h"
#include "gw/handshake/credentials.h"

#include <stdbool.h>
#include <stdint.h>

struct use {
	struct use *next, *next_name; // chains
	struct use *next_lost;        // while it is lost and not told
	struct credential_owner owner;
	uint32_t count;
	bool lost; // must not be used any more: it has no name
};

struct uses {
	struct use **by_id, **by_name; // [buckets] each; by_name: those that are not lost
	uint32_t buckets;              // a power of two
	uint32_t count;
	struct use *lost; // that nobody was told of
	bool sifting;
	uint32_t sift; // then: the chain that is looked at next
	struct keyed_hash hash;
};

// Returns 0 or -ENOMEM; also then uses_fini() may be called.
int uses_init(struct uses *uses) __attribute__((warn_unused_result));
void uses_fini(struct uses *uses);
// One more uses it. -ENOMEM, or -EKEYREVOKED while it is lost and used still.
int uses_add(struct uses *uses, const struct credential_owner *owner)
	__attribute__((warn_unused_result));
// One less uses it.
void uses_drop(struct uses *uses, uint64_t id);
// It must not be used any more.
void uses_lose(struct uses *uses, uint64_t id);
// All are to be looked at by uses_sift(), from the first one on.
void uses_sift_begin(struct uses *uses);
// Looks at the credentials of so many chains, and loses those that `passes` says false of. Returns
// whether there are more.
bool uses_sift(struct uses *uses, uint32_t chains,
	bool (*passes)(const void *arg, const struct credential_owner *owner), const void *arg)
	__attribute__((warn_unused_result));
// The id of one that is lost, once for each; 0: there is no other.
uint64_t uses_next_lost(struct uses *uses);
// Gives it the settings of *owner. False if nobody uses it; *used is what it is now.
bool uses_update(struct uses *uses, const struct credential_owner *owner,
	struct credential_owner *used) __attribute__((warn_unused_result));
// One that is not lost.
const struct use *uses_find(const struct uses *uses, uint64_t id);
const struct use *uses_find_name(const struct uses *uses, const char *name);

#endif
