// SPDX-License-Identifier: BSD-3-Clause
// Messages of EDHOC that take more than a datagram, put together from blocks (Block1 of RFC 7959).
// A message is that of an endpoint and a Request-Tag (RFC 9175 section 3). Who calls has seen that
// each block comes from who receives at its address.
//
// Places are few: an endpoint has two, a network of sources a quarter. When there is none, one that
// is complete gives way, or one whose next block is late, that of longest ago first; else there is
// no room. Blocks come in order: one at a time is under way (RFC 7959 section 2.5). What is out of
// order changes nothing, so that a copy that comes late spoils nothing.

#ifndef POSTERN_GW_HANDSHAKE_BLOCKS_H
#define POSTERN_GW_HANDSHAKE_BLOCKS_H

#include "dataplane/coap/block.h"
#include "dataplane/shared/flow.h"
#include "gw/edhoc/schedule.h"
#include "gw/handshake/carrier.h"

#define BLOCKS_BYTES  4096                // of a message
#define BLOCKS_PLACES 256                 // of a thread
#define BLOCKS_SHARE  (BLOCKS_PLACES / 4) // of a network
#define BLOCKS_OWN    2                   // of an endpoint
// Without a new block for so long, a message gives way to others, or ends: slow devices retransmit
// for 93 s. One that takes longer in all than the second time gives way, too.
#define BLOCKS_LATE_MS 10000
#define BLOCKS_WAIT_MS 100000

struct blocks;

// NULL and errno on failure.
struct blocks *blocks_create(void);
// NULL is allowed.
void blocks_free(struct blocks *blocks);

// Whose block it is.
struct blocks_key {
	uint8_t endpoint[DP_ENDPOINT_LEN];
	uint8_t tag[CARRIER_TAG_LEN];
	uint64_t network; // dp_flow_network()
};

enum blocks_verdict {
	BLOCKS_NEXT,       // 2.31
	BLOCKS_WHOLE,      // it was the last one, or a copy of that
	BLOCKS_BAD,        // 4.00: its length is not what it says
	BLOCKS_INCOMPLETE, // 4.08: not the next one, or other bytes than came before
	BLOCKS_TOO_LARGE,  // 4.13: the message would be
	BLOCKS_FULL,       // 5.03
};

struct blocks_taken {
	enum blocks_verdict verdict;
	bool gave_way;            // the message of another place was given up for this one
	struct edhoc_bytes whole; // BLOCKS_WHOLE: until the next call
};

// Takes a block, whose SZX is not the reserved one, with its bytes; size: of the message, as the
// sender says; 0: he does not say.
struct blocks_taken blocks_take(struct blocks *blocks, const struct blocks_key *key,
	const struct coap_block *block, struct edhoc_bytes bytes, uint32_t size, uint64_t now_ms)
	__attribute__((warn_unused_result));
// For answers, in blocks of their own: keeps a whole message, of at most BLOCKS_BYTES, that is
// fetched in blocks, in the place of another one if need be. It ends when it is BLOCKS_WAIT_MS old.
// False: there is no place.
bool blocks_keep(struct blocks *blocks, const struct blocks_key *key, struct edhoc_bytes bytes,
	uint64_t now_ms) __attribute__((warn_unused_result));
// The one that was kept under this key, and that which an endpoint got last. len 0: there is none.
struct edhoc_bytes blocks_kept(const struct blocks *blocks, const struct blocks_key *key);
struct edhoc_bytes blocks_newest(
	const struct blocks *blocks, const uint8_t endpoint[DP_ENDPOINT_LEN]);
// Ends what is too old. Returns how many messages were not complete.
unsigned blocks_turn(struct blocks *blocks, uint64_t now_ms);
// How many places are in use.
unsigned blocks_count(const struct blocks *blocks);

#endif
