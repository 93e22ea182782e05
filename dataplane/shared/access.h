// SPDX-License-Identifier: BSD-3-Clause
// A record of the access log: one request that a worker answered by itself. The worker writes it
// to a ring, main takes it from there with dp_access_take(). Upstream loops log what they forward.

#ifndef POSTERN_DATAPLANE_SHARED_ACCESS_H
#define POSTERN_DATAPLANE_SHARED_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#define DP_ACCESS_PATH_MAX 256  // bytes of options
#define DP_ACCESS_SLOTS    1024 // records that wait for main, which looks each second

struct dp_access_record {
	uint64_t answered_ms;             // CLOCK_MONOTONIC
	uint32_t context;                 // index in the context table
	uint32_t generation;              // of the context
	uint16_t in;                      // bytes of options and payload of the request
	uint16_t out;                     // bytes of the answer's plaintext
	uint16_t path_len;                // bytes
	uint16_t snapshot;                // number of the dp_policy that was used
	uint8_t method;                   // CoAP code of the request
	uint8_t code;                     // CoAP code of the answer
	bool sampled;                     // false: the worker drops the record
	bool path_cut;                    // the path had more Uri-Path options
	uint8_t path[DP_ACCESS_PATH_MAX]; // encoded Uri-Path options
};

#endif
