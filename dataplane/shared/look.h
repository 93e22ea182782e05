// SPDX-License-Identifier: BSD-3-Clause
// Who looks at packets on their way: main says what it wants to see, workers copy that into rings
// of main's. While nobody looks, a worker asks one question a burst.

#ifndef POSTERN_DATAPLANE_SHARED_LOOK_H
#define POSTERN_DATAPLANE_SHARED_LOOK_H

#include "dataplane/shared/copy_ring.h"
#include "dataplane/shared/flow.h"

#include <stdbool.h>
#include <stdint.h>

enum dp_look_kind {
	DP_LOOK_CAPTURE, // copies of frames, or of opened messages
	DP_LOOK_TRACE,   // what happens to packets, stage by stage
	DP_LOOK_COUNT,
};

#define DP_LOOK_ENDPOINTS 8 // of a device that are known: frames to them are taken for its

// A look of one worker.
struct dp_look_worker {
	struct dp_copy_ring *ring; // main maps it, and sets this before the worker sees it
	// The worker's own: where verified packets of the device came from.
	unsigned endpoint_next;
	unsigned endpoint_count;
	uint8_t endpoint[DP_LOOK_ENDPOINTS][DP_ENDPOINT_LEN];
};

// Main writes all but the workers' own before it publishes it, and frees it after a grace period.
struct dp_look {
	bool plain; // opened messages in the place of frames
	bool has_port;
	uint16_t port_id;      // if has_port: of this one only
	uint32_t context;      // DP_INDEX_NONE: of all devices and all else
	uint32_t generation;   // of the context
	uint8_t source_family; // of this address only: 4 or 6; 0: of any
	uint8_t source[16];
	int32_t left;         // atomic: packets whose trace has yet to begin
	uint64_t token;       // main's: of the grace period
	struct dp_look *next; // main's: of those that end
	unsigned worker_count;
	struct dp_look_worker worker[];
};

enum dp_copy_kind {
	DP_COPY_FRAME_IN,
	DP_COPY_FRAME_OUT, // the driver took it
	DP_COPY_PLAIN_IN,  // a CoAP message: its request was accepted, or is a copy of one that was
	DP_COPY_PLAIN_OUT, // a CoAP message: sealed and sent
};

// What is in the ring of a capture. Written by the worker, read by main.
struct dp_copy {
	uint64_t tsc;      // time-stamp counter, at the end of which the burst was there
	uint32_t wire_len; // bytes; more than len if only the first segment was copied
	uint16_t port_id;
	uint16_t len; // of bytes[]
	uint8_t kind; // enum dp_copy_kind
	uint8_t pad[7];
	uint8_t endpoint[DP_ENDPOINT_LEN]; // of the struct dp_flow; of messages
	uint8_t bytes[];
};
_Static_assert(sizeof(struct dp_copy) == 64, "a cache line");

// What a trace tells: one of these for each step of a packet. Written by the worker, read by main.
enum dp_trace_step {
	DP_TRACE_RECEIVED, // endpoint, len
	DP_TRACE_STAGE,    // stage, stat: what it counted
	DP_TRACE_ROUTED,   // route, code: of the request; error: what it is refused with
	DP_TRACE_ANSWERED, // code, len: of the plaintext
	DP_TRACE_RETURNED, // upstream
};

// What an upstream loop did with a request that is traced: it writes that in the place of the
// request's body, which nobody needs any more.
struct dp_trace_upstream {
	char server[80]; // its name; "": none was asked
	uint32_t queued_ms;
	uint32_t total_ms; // since the receipt
	uint16_t status;   // of HTTP; 0: none
	uint16_t tries;
	char error[24]; // of the HTTP client; "": none
};

#define DP_TRACE_STATS 6

struct dp_trace_event {
	uint64_t tsc;
	uint64_t piv;        // of the request, if context is not DP_INDEX_NONE
	uint32_t number;     // of the packet, from 1 on; 0: the one with this context and piv
	uint32_t context;    // from the look-up on
	uint32_t generation; // of the context
	int32_t route;       // as dp_route_find() says
	uint16_t worker;
	uint16_t port_id;
	uint16_t mid;
	uint16_t len;
	uint8_t step;  // enum dp_trace_step
	uint8_t stage; // enum dp_stage
	uint8_t type;  // of CoAP
	uint8_t code;
	uint8_t error;
	bool passed; // the stage kept it
	bool last;   // nothing more comes of this packet
	uint8_t stats;
	uint8_t stat[DP_TRACE_STATS]; // enum dp_stat
	uint8_t endpoint[DP_ENDPOINT_LEN];
	struct dp_trace_upstream upstream;
};

#endif
