// SPDX-License-Identifier: BSD-3-Clause
// The answer index of a worker: what was sent in answer to each request, to send *the same bytes*
// again when a confirmable request is retransmitted (RFC 7252 section 4.5). With OSCORE this is a
// rule of security: to seal another answer would use a nonce twice.
//
// A ring of records, oldest overwritten first, and an index of offsets by a keyed hash of context,
// generation and Partial IV. A record is one of two kinds. It has the CoAP bytes, or a digest alone
// of an answer that the request and the configuration decide: such an answer is made and sealed
// again, and is sent if its digest is the same. The second kind takes 32 bytes, so that the ring
// remembers requests for some times as long.
//
// Requests are compared by hashes under a key that never leaves the process: neither a device,
// which can make requests whose tags are equal, nor a stranger can make two that are taken for one,
// or an answer that is taken for another. See crypto/keyed_hash.h for how sure that is.
//
// A device has a share: so many bytes at once and again in each EXCHANGE_LIFETIME. What it records
// beyond that goes to a second, smaller ring, where such devices overwrite one another. So a device
// that sends without end forgets its own answers, and not those of others.

#ifndef POSTERN_DATAPLANE_STATE_ANSWER_INDEX_H
#define POSTERN_DATAPLANE_STATE_ANSWER_INDEX_H

#include "dataplane/state/answer_hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DP_ANSWER_RESENDS_MAX 4
#define DP_ANSWER_RESEND_MS   500 // least time between two copies
// After so long nobody sends a copy: more than EXCHANGE_LIFETIME (RFC 7252 section 4.8.2).
#define DP_ANSWER_KEPT_MS ((UINT32_C(1) << 18) - 1)

#define DP_ANSWER_SHARES    256  // of the ring: so many devices at their share fill it
#define DP_ANSWER_SHARE_MIN 4096 // bytes
#define DP_ANSWER_BEYOND    8    // the second ring has this part of the first one's bytes

enum dp_answer_verdict {
	DP_ANSWER_NONE,   // no answer to such a request is known
	DP_ANSWER_SILENT, // known, and nothing is to be sent: NON, too soon, too often, or too late
	DP_ANSWER_RESEND, // bytes are the answer
	DP_ANSWER_AGAIN,  // to be verified, and answered once more if the digest is the same
};

struct dp_answer_found {
	const uint8_t *bytes; // DP_ANSWER_RESEND: valid until the next record
	uint64_t digest;      // DP_ANSWER_AGAIN
	uint16_t len;
};

// bytes: size of the ring, rounded up to a power of two of at least 64 KB; the second ring comes on
// top, an eighth of it, and the index, a quarter. NULL and errno on failure: EINVAL if it is more
// than DP_ANSWERS_BYTES_MAX.
#define DP_ANSWERS_BYTES_MAX (UINT64_C(16) << 30)
struct dp_answer_index *dp_answer_index_create(size_t bytes);
void dp_answer_index_free(struct dp_answer_index *answers);

// Fetches what dp_answer_index_note(), dp_answer_index_put() and dp_answer_index_find() for this
// request will look at first, ...
void dp_answer_index_prefetch(const struct dp_answer_index *answers, uint64_t name);
// ... and, once that is here, the record that dp_answer_index_find() may have to compare.
void dp_answer_index_prefetch_record(const struct dp_answer_index *answers, uint64_t name);

// Records a request and the digest of its answer, which is an ACK that follows from the request
// alone (see dp_answer_digest()); or 0, for a request whose duplicates get silence. share_at is the
// bucket of the device's share.
void dp_answer_index_note(struct dp_answer_index *answers, const struct dp_answer_note *note,
	uint64_t now_ms, uint32_t *share_at);
// The same with the CoAP bytes that were sent; len 0 for silence. What would take more than half of
// a ring, or more than 32 KB, is not recorded.
void dp_answer_index_put(struct dp_answer_index *answers, const struct dp_answer_key *key,
	uint64_t now_ms, uint32_t *share_at, const uint8_t *coap, uint16_t len);
// The same for a note, which says by what the request will be recognised; its digest is not used.
void dp_answer_index_keep(struct dp_answer_index *answers, const struct dp_answer_note *note,
	uint64_t now_ms, uint32_t *share_at, const uint8_t *coap, uint16_t len);
// Looks a request up. On DP_ANSWER_RESEND and DP_ANSWER_AGAIN counts the copy, whatever becomes of
// it: so nobody has more than these few verified.
enum dp_answer_verdict dp_answer_index_find(struct dp_answer_index *answers,
	const struct dp_answer_key *key, uint64_t now_ms, struct dp_answer_found *found);

// dp_answer_tag() of a request that was answered under this Partial IV. false if none is
// remembered.
bool dp_answer_index_tag(const struct dp_answer_index *answers, uint32_t context,
	uint32_t generation, uint64_t piv, uint16_t *tag);
// Bytes of the ring, and that were written to it up to now, within shares.
uint64_t dp_answer_index_bytes(const struct dp_answer_index *answers);
uint64_t dp_answer_index_written(const struct dp_answer_index *answers);
// Age in milliseconds of the oldest record within a share that is still held; 0 when there is none.
// To be asked for more often than each 49 days.
uint64_t dp_answer_index_oldest_ms(struct dp_answer_index *answers, uint64_t now_ms);

#endif
