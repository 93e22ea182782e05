// SPDX-License-Identifier: BSD-3-Clause
// The answer index of a worker: bytes of the answers sent, to send *the same bytes* again when a
// confirmable request is retransmitted (RFC 7252 section 4.5). With OSCORE this is a rule of
// security: to seal again could use a nonce twice.
//
// A byte ring of records, oldest overwritten first, and an index of offsets by context and Partial
// IV. An offset is checked on a hit: it must lie within what the ring still holds, and the record
// must match in every field.
//
// A device has a share: so many bytes at once and again in each EXCHANGE_LIFETIME. What it records
// beyond that goes to a second, smaller ring, where such devices overwrite one another. So a device
// that sends without end forgets its own answers, and not those of others.

#ifndef POSTERN_DATAPLANE_STATE_ANSWER_INDEX_H
#define POSTERN_DATAPLANE_STATE_ANSWER_INDEX_H

#include "crypto/aead.h"
#include "dataplane/shared/flow.h"

#include <stddef.h>
#include <stdint.h>

#define DP_ANSWER_RESENDS_MAX 4
#define DP_ANSWER_RESEND_MS   500 // least time between two copies

#define DP_ANSWER_SHARES    256  // of the ring: so many devices at their share fill it
#define DP_ANSWER_SHARE_MIN 4096 // bytes
#define DP_ANSWER_BEYOND    8    // the second ring has this part of the first one's bytes

struct dp_answer_index;

// Everything by which a request is recognised as the same one.
struct dp_answer_key {
	uint64_t piv;
	uint32_t context;
	uint32_t generation;
	const struct dp_flow *flow;
	const uint8_t *token;
	const uint8_t *tag; // of the request's ciphertext
	uint16_t token_len; // bytes
	uint16_t mid;
	uint8_t tag_len;
};

enum dp_answer_verdict {
	DP_ANSWER_NONE,   // no answer to such a request is known
	DP_ANSWER_SILENT, // known, and nothing is to be sent: NON, too soon, or too often
	DP_ANSWER_RESEND, // *bytes is the answer
};

// bytes: size of the ring, rounded up to a power of two of at least 64 KB; the second ring comes on
// top. NULL and errno on failure.
struct dp_answer_index *dp_answer_index_create(size_t bytes);
void dp_answer_index_free(struct dp_answer_index *answers);

// Fetches what dp_answer_index_put() and dp_answer_index_find() for this request will look at
// first, ...
void dp_answer_index_prefetch(
	const struct dp_answer_index *answers, uint32_t context, uint64_t piv);
// ... and, once that is here, the record that dp_answer_index_find() may have to compare.
void dp_answer_index_prefetch_record(
	const struct dp_answer_index *answers, uint32_t context, uint64_t piv);
// Records the CoAP bytes sent in answer to a request; len 0 for a request whose duplicates get
// silence. share_at is the bucket of the device's share. What would take more than half of a ring
// is not recorded.
void dp_answer_index_put(struct dp_answer_index *answers, const struct dp_answer_key *key,
	uint64_t now_ms, uint32_t *share_at, const uint8_t *coap, uint16_t len);
// Looks a request up. On DP_ANSWER_RESEND counts the copy; *bytes stays valid until the next put.
enum dp_answer_verdict dp_answer_index_find(struct dp_answer_index *answers,
	const struct dp_answer_key *key, uint64_t now_ms, const uint8_t **bytes, uint16_t *len);
// The tag of a request that was answered under this Partial IV, as long as its algorithm makes
// them, or NULL if none is remembered.
const uint8_t *dp_answer_index_tag(
	const struct dp_answer_index *answers, uint32_t context, uint32_t generation, uint64_t piv);
// Age in milliseconds of the oldest record within a share that is still held; 0 when there is none.
uint64_t dp_answer_index_oldest_ms(const struct dp_answer_index *answers, uint64_t now_ms);

#endif
