// SPDX-License-Identifier: BSD-3-Clause
// What a worker counts of a route, in slots that main gives to routes by name. A slot is never
// given to another route and never reset, so that what is counted in it only grows. One writer, the
// worker; anyone may read without telling it.

#ifndef POSTERN_DATAPLANE_SHARED_ROUTE_STATS_H
#define POSTERN_DATAPLANE_SHARED_ROUTE_STATS_H

#include <stdint.h>

#define DP_ROUTE_SLOTS      4096
#define DP_ROUTE_SLOT_OTHER 0 // of all routes beyond the last slot

// Classes of answers: 2.xx, 4.xx, 5.xx.
enum dp_answer_class { DP_ANSWER_2XX, DP_ANSWER_4XX, DP_ANSWER_5XX, DP_ANSWER_CLASSES };

struct dp_route_stats {
	uint64_t requests;                   // verified, copies not counted
	uint64_t answers[DP_ANSWER_CLASSES]; // made by the worker: of builtins, of what is stored,
					     // and errors
	uint64_t cache_hits;                 // of these, of what is stored
};

// Of a CoAP code of an answer.
static inline enum dp_answer_class dp_answer_class(uint8_t code)
{
	return code >> 5 == 2 ? DP_ANSWER_2XX : code >> 5 == 4 ? DP_ANSWER_4XX : DP_ANSWER_5XX;
}

// One writer: a plain add, stored whole.
static inline void dp_route_count(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

#endif
