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
	uint16_t port_id;     // if has_port: of this one only
	uint32_t context;     // DP_INDEX_NONE: of all devices and all else
	uint32_t generation;  // of the context
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

#endif
