// SPDX-License-Identifier: BSD-3-Clause
// What a worker and main tell each other: events from a worker to main, commands from main to a
// worker. Each worker has one ring for either, of these structs by value.

#ifndef POSTERN_DATAPLANE_SHARED_EVENT_H
#define POSTERN_DATAPLANE_SHARED_EVENT_H

#include <stdint.h>

enum dp_event_type {
	DP_EVENT_RUN_WANTED,      // an own Partial IV is needed and no run granted
	DP_EVENT_STATE,           // arg: enum dp_context_state
	DP_EVENT_RUN_BASE_WANTED, // three quarters of a counter are used; arg: the base
	DP_EVENT_MARK_WANTED,     // DP_CONTEXT_FLOOR; arg: the mark
	DP_EVENT_LIMIT,           // a key was used or attacked often; arg: enum dp_limit
	DP_EVENT_DRAINED,         // the last answer of a context that drains is sealed
	// dp_poll() handles these.
	DP_EVENT_RETIRED,     // the owner let go of a context
	DP_EVENT_MOVE_WANTED, // its packets arrive at another worker; arg: which
	DP_EVENT_MOVED,       // the answer to DP_COMMAND_MOVE, whether it was followed or not
};

enum dp_limit {
	DP_LIMIT_USE_HALF, // of DP_LIMIT_USES
	DP_LIMIT_USE,
	DP_LIMIT_FORGERY_HALF, // of dp_limit_forgeries(), since the start
	DP_LIMIT_FORGERY,
};

// Written by the worker, read by main.
struct dp_event {
	uint32_t type;    // enum dp_event_type
	uint32_t context; // index in the context table
	uint64_t arg;
	uint32_t generation; // of the context
	uint32_t pad;
};

enum dp_command_type {
	DP_COMMAND_RETIRE,
	DP_COMMAND_DRAIN,    // the context becomes DP_CONTEXT_DRAINING
	DP_COMMAND_RUN_BASE, // arg: the new base
	DP_COMMAND_MARK,     // arg: the new mark
	DP_COMMAND_RESYNC,   // arg: as for dp_resync()
	DP_COMMAND_MOVE,     // arg: the worker that it goes to
};

// Written by main, read by the worker that owns the context.
struct dp_command {
	uint32_t type;    // enum dp_command_type
	uint32_t context; // index in the context table
	uint64_t arg;
	uint32_t generation; // of the context
	uint32_t pad;
};

#endif
