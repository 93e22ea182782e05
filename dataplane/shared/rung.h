// SPDX-License-Identifier: BSD-3-Clause
// How overloaded a worker is: what it gives up first when more comes than it can take. The worker
// chooses the rung (state/overload.h), anyone may read it.

#ifndef POSTERN_DATAPLANE_SHARED_RUNG_H
#define POSTERN_DATAPLANE_SHARED_RUNG_H

enum dp_rung {
	DP_RUNG_NONE,
	DP_RUNG_LOW, // requests to routes of low priority get a protected 5.03
	DP_RUNG_NON, // and non-confirmable ones are dropped before they are decrypted
	DP_RUNG_CON, // and confirmable ones
	DP_RUNG_COUNT,
};

// "none", "low", "non", "con"
const char *dp_rung_name(enum dp_rung rung);

#endif
