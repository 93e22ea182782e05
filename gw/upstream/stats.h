// SPDX-License-Identifier: BSD-3-Clause
// Statistics of an upstream loop: written by its thread alone, readable by any without locks.

#ifndef POSTERN_GW_UPSTREAM_STATS_H
#define POSTERN_GW_UPSTREAM_STATS_H

#include "base/unit.h"
#include "gw/http/errors.h"

#include <stdbool.h>
#include <stdint.h>

#define UP_STAT_BUCKETS 14

enum up_stat {
#define UP_STAT(name, unit, help) UP_STAT_##name,
#include "gw/upstream/stats.def"
#undef UP_STAT
	UP_STAT_ERROR, // UP_STAT_ERROR + enum http_error
	UP_STAT_COUNT = UP_STAT_ERROR + HTTP_ERROR_COUNT,
	// Histograms, behind those that have names: buckets whose bounds double from 1 on, the last
	// one without a bound, and the sum of what was measured.
	UP_STAT_QUEUE = UP_STAT_COUNT, // milliseconds from arrival to the start of the HTTP request
	UP_STAT_FILL = UP_STAT_QUEUE + UP_STAT_BUCKETS + 1, // readings of a batch
	UP_STAT_ALL = UP_STAT_FILL + UP_STAT_BUCKETS + 1,
};

// The bucket of a value: up to 1, up to 2, up to 4, .. up to 4096, and above.
unsigned up_stat_bucket(uint64_t value);

// Names are those of stats.def, and "error_" and that of errors.def.
const char *up_stat_name(enum up_stat stat);
const char *up_stat_help(enum up_stat stat);
enum unit up_stat_unit(enum up_stat stat);
// Goes down as well as up.
bool up_stat_is_gauge(enum up_stat stat);

#endif
