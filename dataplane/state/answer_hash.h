// SPDX-License-Identifier: BSD-3-Clause
// The hashes by which the answer index (answer_index.h) recognises requests and answers, inline: a
// worker makes them of values that it has at hand.

#ifndef POSTERN_DATAPLANE_STATE_ANSWER_HASH_H
#define POSTERN_DATAPLANE_STATE_ANSWER_HASH_H

#include "crypto/keyed_hash.h"
#include "dataplane/shared/flow.h"

#include <rte_branch_prediction.h>

#include <stddef.h>
#include <stdint.h>

struct dp_answer_index;

// The keys of the hashes in records: constant.
struct dp_answer_hashes {
	struct keyed_hash request; // of what recognises one
	struct keyed_hash digest;  // of answers, and of tokens longer than 8 bytes
	struct keyed_hash fold;    // of hashes of their parts, where they have several
};

// Everything by which a request is recognised as the same one.
struct dp_answer_key {
	uint64_t name; // dp_answer_name() of context, generation and piv
	uint64_t piv;
	uint64_t endpoint; // dp_answer_endpoint()
	uint32_t context;
	uint32_t generation;
	const struct dp_flow *flow; // not read here: in_flight.h compares it
	const uint8_t *token;
	const uint8_t *tag; // of the request's ciphertext, 8 or 16 bytes
	uint16_t token_len; // bytes
	uint16_t mid;
	uint8_t tag_len;
};

// Its hashes are its first member.
static inline const struct dp_answer_hashes *dp_answer_hashes(const struct dp_answer_index *answers)
{
	return (const struct dp_answer_hashes *)answers;
}

// Of an IPv4 endpoint as it stands in its packets: source and destination address, source and
// destination port.
static inline uint64_t dp_answer_endpoint4(
	const struct dp_answer_index *answers, uint64_t addresses, uint32_t ports, uint16_t port_id)
{
	return keyed_hash_words(
		&dp_answer_hashes(answers)->request, addresses, ports | (uint64_t)port_id << 32);
}

// Words of the key of the request's hashes. Each kind of hash has its own.
enum {
	DP_ANSWER_WORDS_ENDPOINT4 = 0,
	DP_ANSWER_WORDS_ENDPOINT6 = 2,
	DP_ANSWER_WORDS_REQUEST = 8,
	DP_ANSWER_WORDS_NAME = 14,
	DP_ANSWER_WORDS_END = 16,
};
_Static_assert(DP_ANSWER_WORDS_END <= KEYED_HASH_MAX / 8, "words of the key");

// The hash by which the record of a request is found.
static inline uint64_t dp_answer_name(
	const struct dp_answer_index *answers, uint32_t context, uint32_t generation, uint64_t piv)
{
	const struct keyed_hash *key = &dp_answer_hashes(answers)->request;

	return keyed_hash_finish(key,
		keyed_hash_pair(
			key, DP_ANSWER_WORDS_NAME, context | (uint64_t)generation << 32, piv));
}

// The hash of the endpoint of a flow, for struct dp_answer_key.
uint64_t dp_answer_endpoint(const struct dp_answer_index *answers, const struct dp_flow *flow);

// The part of dp_answer_digest() for more than keyed_hash() takes.
uint64_t dp_answer_digest_long(
	const struct dp_answer_index *answers, const uint8_t *bytes, size_t len);

// The digest of an answer's plaintext; never 0. The rest of its CoAP message follows from the
// request: an ACK with its message id and token, and an empty OSCORE option.
static inline uint64_t dp_answer_digest(
	const struct dp_answer_index *answers, const uint8_t *plaintext, size_t len)
{
	uint64_t digest = len <= KEYED_HASH_MAX
		? keyed_hash(&dp_answer_hashes(answers)->digest, plaintext, len)
		: dp_answer_digest_long(answers, plaintext, len);

	return digest ? digest : 1;
}

// A token as a word. Two of one length have the same only by the chance of a hash.
static inline uint64_t dp_answer_token(
	const struct dp_answer_index *answers, const uint8_t *token, size_t len)
{
	if (unlikely(len > 8))
		return dp_answer_digest_long(answers, token, len);
	if (len == 8)
		return keyed_hash_read8(token);
	if (len >= 4)
		return keyed_hash_read4(token) | (uint64_t)keyed_hash_read4(token + len - 4) << 32;
	return len ? token[0] | (uint32_t)token[len / 2] << 8 | (uint32_t)token[len - 1] << 16 : 0;
}

// The hash of all else by which a request is recognised.
static inline uint64_t dp_answer_request(
	const struct dp_answer_index *answers, const struct dp_answer_key *request)
{
	const struct keyed_hash *key = &dp_answer_hashes(answers)->request;
	const uint8_t *tag = request->tag;
	uint64_t lengths = request->token_len | (uint32_t)request->tag_len << 16;
	uint64_t token = dp_answer_token(answers, request->token, request->token_len);
	unsigned __int128 sum =
		keyed_hash_pair(key, DP_ANSWER_WORDS_REQUEST, request->endpoint, token);

	sum += keyed_hash_pair(key, DP_ANSWER_WORDS_REQUEST + 2, request->mid, lengths);
	sum += keyed_hash_pair(key, DP_ANSWER_WORDS_REQUEST + 4, keyed_hash_read8(tag),
		request->tag_len == 16 ? keyed_hash_read8(tag + 8) : 0);
	return keyed_hash_finish(key, sum);
}

// What is remembered of a request's tag. Two different ones rarely have the same.
static inline uint16_t dp_answer_tag(const uint8_t *tag)
{
	uint16_t part;

	memcpy(&part, tag, sizeof(part));
	return part;
}

// What is remembered of a request whose answer can be made again.
struct dp_answer_note {
	uint64_t name;    // dp_answer_name()
	uint64_t request; // dp_answer_request()
	uint64_t digest;  // dp_answer_digest(); 0: duplicates get silence
	uint16_t tag;     // dp_answer_tag()
};

static inline void dp_answer_note_make(const struct dp_answer_index *answers,
	const struct dp_answer_key *key, uint64_t digest, struct dp_answer_note *note)
{
	*note = (struct dp_answer_note){
		.name = key->name,
		.request = dp_answer_request(answers, key),
		.digest = digest,
		.tag = dp_answer_tag(key->tag),
	};
}

#endif
