// SPDX-License-Identifier: BSD-3-Clause
// What main asks a worker about its observations: to tell of them, or to end them. One question to
// a worker at a time. The worker answers it in slices of its turns, beside its notifications.

#ifndef POSTERN_DATAPLANE_SHARED_OBSERVED_H
#define POSTERN_DATAPLANE_SHARED_OBSERVED_H

#include "dataplane/shared/flow.h"

#include <stdbool.h>
#include <stdint.h>

#define DP_OBSERVED_MAX  64  // observations in an answer
#define DP_OBSERVED_PATH 512 // bytes of a path; what does not fit is left out

// The segments of a path, each behind a byte with its length.
struct dp_observed_path {
	uint16_t len; // bytes
	bool cut;     // there are more segments
	uint8_t bytes[DP_OBSERVED_PATH];
};

struct dp_observed {
	uint32_t place; // in the worker, from 1
	uint32_t context;
	uint32_t generation;
	uint32_t registered_s;             // since the registration
	uint32_t sent;                     // notifications since then
	uint32_t confirmed_s;              // since the last confirmable notification, or the
					   // registration
	uint8_t endpoint[DP_ENDPOINT_LEN]; // of struct dp_flow
	uint8_t tries;                     // of a confirmable notification without ACK; 0: none
	bool fetch;                        // else GET
	bool current;                      // what is stored was sent
	bool stored;                       // there is something, and so a path
	struct dp_observed_path path;
};

// Main writes it before it asks.
struct dp_observed_question {
	bool cancel;         // end them, with 5.03
	bool of_device;      // only those of this context; always if `cancel`
	bool of_path;        // cancel: only those of this path
	uint32_t context;    // of the device
	uint32_t generation; // of the context
	uint32_t from;       // tell of those from this place on, at least 1
	uint32_t most;       // tell of so many, at most DP_OBSERVED_MAX
	struct dp_observed_path path;
};

// The worker writes the answer while `state` is DP_OBSERVED_ASKED, and main the question otherwise.
enum dp_observed_state {
	DP_OBSERVED_IDLE,
	DP_OBSERVED_ASKED,
	DP_OBSERVED_ANSWERED,
};

struct dp_observed_ask {
	uint32_t state; // enum dp_observed_state; atomic
	struct dp_observed_question question;
	uint32_t next;  // where the walk goes on; 0: it is over
	uint32_t count; // observations that were found, or ended
	struct dp_observed found[DP_OBSERVED_MAX];
};

#endif
