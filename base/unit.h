// SPDX-License-Identifier: BSD-3-Clause
// What a counter counts in.

#ifndef POSTERN_BASE_UNIT_H
#define POSTERN_BASE_UNIT_H

#include <stddef.h>

enum unit {
	UNIT_COUNT, // of events, or of things
	UNIT_BYTES,
	UNIT_CYCLES, // of the time-stamp counter
	UNIT_MS,
	UNIT_US,
};

// As people read it; NULL for UNIT_COUNT.
static inline const char *unit_name(enum unit unit)
{
	switch (unit) {
	case UNIT_COUNT:
		break;
	case UNIT_BYTES:
		return "bytes";
	case UNIT_CYCLES:
		return "cycles";
	case UNIT_MS:
		return "ms";
	case UNIT_US:
		return "us";
	}
	return NULL;
}

#endif
