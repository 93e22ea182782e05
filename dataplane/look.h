// SPDX-License-Identifier: BSD-3-Clause
// Main looks at packets on their way through the workers: begins a look, takes what they copied,
// ends it. All on main's thread.

#ifndef POSTERN_DATAPLANE_LOOK_H
#define POSTERN_DATAPLANE_LOOK_H

#include "dataplane/dp.h"
#include "dataplane/shared/look.h"

// What is looked at. Read during the call only.
struct dp_look_conf {
	bool plain;            // opened messages in the place of frames
	bool has_port;         // of one port only: ...
	uint16_t port_id;      // ... this one
	uint32_t context;      // of one device only: its context, or DP_INDEX_NONE
	uint32_t generation;   // of the context
	uint8_t source_family; // a trace: of this address only; 0: of any
	uint8_t source[16];
	uint32_t packets; // a trace: of so many
};

// Begins a look: from their next turn on workers copy into rings that are made here. One of a kind
// at a time. Returns 0, -EBUSY or -ENOMEM.
int dp_look_begin(struct dp *dp, enum dp_look_kind kind, const struct dp_look_conf *conf)
	__attribute__((warn_unused_result));
// Ends it, if there is one. Its rings are wiped and freed when no worker holds them.
void dp_look_end(struct dp *dp, enum dp_look_kind kind);
// In each turn of main. Returns whether one has ended and is not freed yet.
bool dp_look_turn(struct dp *dp);
// The oldest copy of all workers, or NULL. It stays in place until dp_look_pop() or dp_look_end().
const struct dp_copy *dp_look_peek(struct dp *dp);
void dp_look_pop(struct dp *dp);
// The same for the oldest event of a trace.
const struct dp_trace_event *dp_look_trace_peek(struct dp *dp);
void dp_look_trace_pop(struct dp *dp);
// Copies for which the rings of a look had no room.
uint64_t dp_look_lost(const struct dp *dp, enum dp_look_kind kind);

#define DP_LOOK_HEADERS 48 // bytes in front of a message at most
// Writes IP and UDP headers in front of the message of a DP_COPY_PLAIN_*, with its checksum.
// Returns their length.
unsigned dp_look_headers(const struct dp_copy *copy, uint8_t headers[DP_LOOK_HEADERS]);

#endif
