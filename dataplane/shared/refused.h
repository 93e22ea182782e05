// SPDX-License-Identifier: BSD-3-Clause
// The last packets that a worker refused, a few for each reason: a bounded sample, which main reads
// when somebody asks. A reason is the counter in which the packet ended.

#ifndef POSTERN_DATAPLANE_SHARED_REFUSED_H
#define POSTERN_DATAPLANE_SHARED_REFUSED_H

#include "dataplane/shared/flow.h"
#include "dataplane/shared/stats.h"

#include <stdbool.h>
#include <stdint.h>

// All counters whose names begin with drop_ (stats.def) are in a row.
#define DP_REFUSED_FIRST   DP_STAT_drop_kernel_full
#define DP_REFUSED_REASONS (DP_STAT_answers - DP_REFUSED_FIRST)
_Static_assert(DP_REFUSED_REASONS <= 64, "struct dp_worker has a bit for each reason");

#define DP_REFUSED_KEPT        8  // packets of each reason
#define DP_REFUSED_A_SECOND    10 // packets of all reasons that a worker copies
#define DP_REFUSED_AT_ONCE     4  // packets of one reason, until its share comes again
#define DP_REFUSED_BYTES       64 // of a packet
#define DP_REFUSED_KID         8  // bytes of a kid that are kept
#define DP_REFUSED_KID_CONTEXT 64 // bytes of a kid context that are kept
#define DP_REFUSED_NOWHERE     UINT16_MAX

// What is kept of one. Nothing in it was ever decrypted: of a packet that was opened, in place,
// only what stands in front of the ciphertext.
struct dp_refused_packet {
	uint64_t ms;          // CLOCK_MONOTONIC
	uint64_t piv;         // if has_piv
	uint32_t context;     // that kid and kid context name; DP_INDEX_NONE: none
	uint32_t generation;  // of the context
	uint16_t port_id;     // of DPDK
	uint16_t source_port; // network order
	uint16_t len;         // of the message, or of the frame
	uint16_t bad_at;      // where the message is malformed, or DP_REFUSED_NOWHERE
	uint8_t reason;       // enum dp_stat
	uint8_t fault;        // enum coap_verdict, if that is why; else 0
	uint8_t bytes_len;
	uint8_t kid_len; // on the wire, as the next
	uint8_t kid_context_len;
	bool frame; // bytes are of a frame, else of a CoAP message
	bool has_source;
	bool has_kid;
	bool has_kid_context;
	bool opened;           // the ciphertext was decrypted, so it is left out of bytes[]
	uint8_t source_family; // 4 or 6
	bool has_piv;
	uint8_t source[16];
	uint8_t kid[DP_REFUSED_KID];
	uint8_t kid_context[DP_REFUSED_KID_CONTEXT];
	uint8_t bytes[DP_REFUSED_BYTES];
};
_Static_assert(sizeof(struct dp_refused_packet) % 8 == 0, "it is copied word by word");

#define DP_REFUSED_WORDS (sizeof(struct dp_refused_packet) / 8)

// The worker writes all of it, main reads places whose number is the same before and after.
struct dp_refused_place {
	uint64_t number; // of the packet, from 1 on; 0: it is being written, or was never
	uint64_t word[DP_REFUSED_WORDS];
};

struct dp_refused_reason {
	uint64_t count; // packets copied up to now; the worker's own
	uint32_t left;  // that may be copied at once; the worker's own
	struct dp_refused_place place[DP_REFUSED_KEPT];
};

struct dp_refused {
	uint32_t left; // packets that may be copied in this second; the worker's own, as the next
	uint32_t seconds;
	struct dp_refused_reason reason[DP_REFUSED_REASONS];
};

#endif
