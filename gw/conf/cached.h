// SPDX-License-Identifier: BSD-3-Clause
// The routes whose answers are stored.

#ifndef POSTERN_GW_CONF_CACHED_H
#define POSTERN_GW_CONF_CACHED_H

#include "gw/conf/conf.h"
#include "gw/conf/mistakes.h"

// Checks `cache` of all routes, and sets cache.id, home and invalidates of each.
void conf_cached_check(struct conf *conf, struct conf_mistakes *mistakes);

// Whether there is a listener for what services push.
bool conf_push_listens(const struct conf *conf);

// Whether some path matches both.
bool conf_patterns_meet(const struct conf_pattern *a, const struct conf_pattern *b);

#endif
