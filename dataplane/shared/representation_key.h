// SPDX-License-Identifier: BSD-3-Clause
// What a stored representation is found by (RFC 7252 section 5.6): the route, the method, and every
// option of the request but those that change nothing of the answer. Workers and upstream loops
// make the same key of the same request.

#ifndef POSTERN_DATAPLANE_SHARED_REPRESENTATION_KEY_H
#define POSTERN_DATAPLANE_SHARED_REPRESENTATION_KEY_H

#include "crypto/keyed_hash.h"
#include "dataplane/coap/message.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DP_REP_KEY_MAX 1024 // bytes; a request with more is answered without the cache

struct dp_path;

// Who asks where.
struct dp_rep_asker {
	uint64_t route;   // dp_route.cache_id
	uint8_t code;     // GET or FETCH
	bool shared;      // the answer is the same for all devices; else, for this one:
	uint32_t context; // of the device, in the context table
	uint32_t generation;
};

// In words: each option begins with one, and ends with zeros up to the next.
struct dp_rep_key {
	uint64_t hash;
	uint16_t len; // bytes, of whole words
	bool shaped;  // the request has ETag or Block2, which ask for another form of the answer
	union {
		uint64_t word[DP_REP_KEY_MAX / 8];
		uint8_t bytes[DP_REP_KEY_MAX];
	};
};

// Makes the key of a request: route, code, the device unless `shared`, each option in order with
// its number and length in front, and for FETCH the payload. Left out are the options that are no
// part of a cache key (RFC 7252 section 5.4.2), and ETag, Observe, Block2, No-Response and
// Hop-Limit, which ask for another form of the same answer. False: it has none, as it is longer
// than DP_REP_KEY_MAX, or has If-Match or If-None-Match, which are the backend's to judge, or
// Block1.
bool dp_rep_key_make(struct dp_rep_key *key, const struct keyed_hash *hash,
	const struct dp_rep_asker *asker, const struct coap_body *body)
	__attribute__((warn_unused_result));

// The hash of the Uri-Path options of a request, by which a change of what is there is noted
// (dp_rep_epoch()).
uint64_t dp_rep_path_hash(const struct keyed_hash *hash, const struct coap_body *body);

// The hash of bytes of any length.
uint64_t dp_rep_hash(const struct keyed_hash *hash, const uint8_t *bytes, size_t len);

// What a key is of: the segments of the path, which point into it, and dp_route.cache_id. Returns
// the code; 0 if it has more segments.
uint8_t dp_rep_key_path(const uint8_t *key, uint16_t len, struct dp_path *path, uint64_t *cache_id);
// Its code.
static inline uint8_t dp_rep_key_code(const uint8_t *key)
{
	uint64_t word;

	memcpy(&word, key + 16, sizeof(word));
	return word >> 8;
}
// Whether what has it is for all devices.
static inline bool dp_rep_key_is_shared(const uint8_t *key)
{
	uint64_t word;

	memcpy(&word, key + 16, sizeof(word));
	return word & 1;
}
// Writes a request with this key: options and payload. Returns its length, at most room; 0 if there
// is no room, or nothing to be written.
uint16_t dp_rep_key_request(const uint8_t *key, uint16_t len, uint8_t *out, uint16_t room);

#endif
