// SPDX-License-Identifier: BSD-3-Clause
// The overload ladder: what a worker gives up first when there is more than it can take. A rung is
// entered when so many of the worker's exchanges are in use, and left 10 points lower, so that it
// does not flicker. The first one is also entered when every turn of 10 ms brought a full burst:
// then the worker is slower than what comes.
//
// One writer, the worker; `rung` may be read by anyone.

#ifndef POSTERN_DATAPLANE_STATE_OVERLOAD_H
#define POSTERN_DATAPLANE_STATE_OVERLOAD_H

#include "dataplane/shared/rung.h"

#include <stdbool.h>
#include <stdint.h>

// Percent of the exchanges in use.
#define DP_RUNG_LOW_ENTERED 80
#define DP_RUNG_NON_ENTERED 90
#define DP_RUNG_CON_ENTERED 97
#define DP_RUNG_LEFT_LOWER  10

#define DP_FULL_MS         10 // in which every turn brings a full burst
#define DP_FULL_TURNS_MIN  10 // in that time; fewer say that the worker did not run
#define DP_FULL_LEFT_BELOW (100 - DP_RUNG_LEFT_LOWER) // percent of the turns

struct dp_overload {
	uint32_t rung;  // enum dp_rung, the higher of the two causes; atomic
	uint32_t enter; // exchanges in use from which on a higher rung by exchanges is entered
	uint32_t leave; // and below which this one is left
	uint32_t exchanges;
	uint8_t by_exchanges; // enum dp_rung
	bool by_bursts;
	uint32_t turns;      // of the present 10 ms
	uint32_t full_turns; // of these, with a full burst
	uint64_t turns_start_ms;
};

// For a pool of so many exchanges.
void dp_overload_init(struct dp_overload *o, uint32_t exchanges, uint64_t now_ms);
// Returns the rung that was entered by this, DP_RUNG_NONE if none was.
enum dp_rung dp_overload_exchanges_changed(struct dp_overload *o, uint32_t in_use);
// At the end of 10 ms of turns; returns as before.
enum dp_rung dp_overload_turns_end(struct dp_overload *o, uint64_t now_ms);

// How many exchanges are in use, before each burst.
static inline enum dp_rung dp_overload_exchanges(struct dp_overload *o, uint32_t in_use)
{
	if (__builtin_expect(in_use < o->enter && in_use >= o->leave, 1))
		return DP_RUNG_NONE;
	return dp_overload_exchanges_changed(o, in_use);
}

// Once a turn: whether a port had a full burst.
static inline enum dp_rung dp_overload_turn(struct dp_overload *o, bool full, uint64_t now_ms)
{
	o->turns++;
	o->full_turns += full;
	if (__builtin_expect(now_ms - o->turns_start_ms < DP_FULL_MS, 1))
		return DP_RUNG_NONE;
	return dp_overload_turns_end(o, now_ms);
}

#endif
