// SPDX-License-Identifier: BSD-3-Clause
// The layout of the gateway's own Partial IVs, of 40 bits (RFC 8613 section 7.2.1). The upper bits
// are either a run, which the store grants once to each start, or seconds of the clock; the lower
// bits count. Workers and the store both need the layout: the store compares numbers of the two
// kinds.

#ifndef POSTERN_DATAPLANE_OSCORE_OWN_PIV_H
#define POSTERN_DATAPLANE_OSCORE_OWN_PIV_H

#include <stdint.h>

// With runs: run << 16 | counter.
#define OSC_RUN_BITS     24
#define OSC_COUNTER_BITS 16

// With the clock: seconds since 2026-01-01 00:00:00 UTC << 10 | counter.
#define OSC_CLOCK_EPOCH_S INT64_C(1767225600) // Unix time
#define OSC_CLOCK_S_BITS  30
#define OSC_CLOCK_BITS    10

#endif
