// SPDX-License-Identifier: BSD-3-Clause
// One request and its answer, both of any length, as one or more exchanges of blocks (RFC 7959, RFC
// 9175 section 3). No I/O and no clock: the caller sends what transfer_request() gives and hands
// the answer to transfer_take().

#ifndef POSTERN_GW_TOOLS_COAP_TRANSFER_H
#define POSTERN_GW_TOOLS_COAP_TRANSFER_H

#include "dataplane/coap/block.h"
#include "gw/tools/coap/options.h"

#define TRANSFER_TAG_LEN      8                     // bytes of a Request-Tag of our own
#define TRANSFER_STARTS_MAX   4                     // times that a body is begun
#define TRANSFER_REPEATS_MAX  2                     // of one block, each under a number of its own
#define TRANSFER_BODY_MAX     (64u * 1024 * 1024)   // bytes, unless the user says otherwise
#define TRANSFER_BODY_CEILING (1024u * 1024 * 1024) // bytes in 2^20 blocks of the largest size

struct transfer {
	// Written by the caller before transfer_start().
	uint8_t method;
	const struct option_list *options; // of the request, without those of the transfer
	const uint8_t *payload;
	size_t payload_len;
	uint8_t szx;     // the largest block of either direction
	bool ask;        // for blocks of szx, also while nobody knows that the answer has several
	bool one;        // all in one datagram, and what comes is taken as it is
	size_t body_max; // bytes of an answer

	// Written by transfer_start() and transfer_take().
	uint8_t tag[TRANSFER_TAG_LEN];
	bool blocks;         // the payload goes in blocks
	bool receiving;      // blocks of the answer: the request was taken in whole
	bool whole;          // `body` is the payload of the answer
	uint8_t send_szx;    // of the block that is sent next
	uint8_t receive_szx; // of the block that is asked for next
	size_t sent;         // bytes that the server has
	uint8_t *body;       // of the answer
	size_t body_len, body_room;
	uint8_t code; // of its first block
	bool has_etag;
	uint8_t etag[8];
	uint8_t etag_len;
	uint32_t size; // Size2 of the answer; 0: not said
	unsigned starts, repeats;
	uint32_t blocks_sent, blocks_received; // that were taken, of all starts
	uint64_t repeated;                     // blocks that were asked again after silence
};

enum transfer_step {
	TRANSFER_NEXT,   // transfer_request() has the next block
	TRANSFER_AGAIN,  // the same, but from the start; the reason is in *f
	TRANSFER_DONE,   // this answer is the last; if not `whole`, its payload is all there is
	TRANSFER_BROKEN, // it is the last, but not the end of what had begun; *f has the words
	TRANSFER_FAILED, // the server does not keep to RFC 7959, or there is no room; *f has the
			 // words
};

// Returns 0, or -E2BIG if the payload has more blocks than can be numbered.
int transfer_start(struct transfer *t, struct error *f) __attribute__((warn_unused_result));
void transfer_free(struct transfer *t);

struct transfer_part {
	struct option_list options; // the caller frees them
	const uint8_t *payload;
	size_t payload_len;
};
// What is sent next. Returns 0 or -ENOMEM.
int transfer_request(const struct transfer *t, struct transfer_part *part, struct error *f)
	__attribute__((warn_unused_result));

// Bytes of payload in what is sent next.
size_t transfer_payload_len(const struct transfer *t);

// Judges the answer to what was sent last.
enum transfer_step transfer_take(struct transfer *t, uint8_t code, const struct coap_body *answer,
	struct error *f) __attribute__((warn_unused_result));

// Nothing answers the last block in time: whether to send it once more, as a new request. Only what
// a server has begun to take or to give is repeated.
bool transfer_repeat(struct transfer *t) __attribute__((warn_unused_result));

#endif
