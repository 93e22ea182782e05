// SPDX-License-Identifier: BSD-3-Clause
// Statistics of an upstream loop: written by its thread alone, readable by any without locks.

#ifndef POSTERN_GW_UPSTREAM_STATS_H
#define POSTERN_GW_UPSTREAM_STATS_H

#include "base/unit.h"
#include "gw/http/errors.h"

#include <stdbool.h>
#include <stdint.h>

enum up_stat {
#define UP_STAT(name, unit, help) UP_STAT_##name,
#include "gw/upstream/stats.def"
#undef UP_STAT
	UP_STAT_ERROR, // UP_STAT_ERROR + enum http_error
	UP_STAT_COUNT = UP_STAT_ERROR + HTTP_ERROR_COUNT,
};

// Names are those of stats.def, and "error_" and that of errors.def.
const char *up_stat_name(enum up_stat stat);
const char *up_stat_help(enum up_stat stat);
enum unit up_stat_unit(enum up_stat stat);
// Goes down as well as up.
bool up_stat_is_gauge(enum up_stat stat);

#endif
