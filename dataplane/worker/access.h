// SPDX-License-Identifier: BSD-3-Clause
// What a worker tells main of the requests that it answered by itself, for the access log. Those
// that an upstream loop had are the loop's to tell of.

#ifndef POSTERN_DATAPLANE_WORKER_ACCESS_H
#define POSTERN_DATAPLANE_WORKER_ACCESS_H

#include "dataplane/dp.h"

#define DP_ACCESS_PATH_MAX 256 // bytes of options

struct dp_access_record {
	uint64_t answered_ms; // CLOCK_MONOTONIC
	uint32_t context;
	uint32_t generation;
	uint16_t in;                      // bytes of options and payload of the request
	uint16_t out;                     // bytes of the answer's plaintext
	uint16_t path_len;                // bytes
	uint8_t method;                   // CoAP code of the request
	uint8_t code;                     // of the answer
	bool sampled;                     // worker: else it is forgotten
	bool path_cut;                    // there were more Uri-Path options
	uint8_t path[DP_ACCESS_PATH_MAX]; // encoded Uri-Path options
};

// Main: the oldest record of a worker. false if there is none.
bool dp_access_take(struct dp *dp, unsigned worker, struct dp_access_record *record);

#endif
