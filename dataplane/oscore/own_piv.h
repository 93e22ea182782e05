// SPDX-License-Identifier: BSD-3-Clause
// The layout of Partial IVs that the gateway makes itself. They have 40 bits (RFC 8613, section
// 6.1), and are made either of a run, which the store grants to a start, and a counter, or of the
// clock and a counter. The store compares the two by their numbers, so both are defined here.

#ifndef POSTERN_DATAPLANE_OSCORE_OWN_PIV_H
#define POSTERN_DATAPLANE_OSCORE_OWN_PIV_H

#include <stdint.h>

// Of a run: run << 16 | counter.
#define OSC_RUN_BITS     24
#define OSC_COUNTER_BITS 16

// Of the clock: seconds since 2026-01-01 00:00:00 UTC << 10 | counter.
#define OSC_CLOCK_EPOCH_S INT64_C(1767225600) // Unix time
#define OSC_CLOCK_S_BITS  30
#define OSC_CLOCK_BITS    10

#endif
