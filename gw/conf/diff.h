// SPDX-License-Identifier: BSD-3-Clause
// What differs between two configurations, key by key as the schema has them.

#ifndef POSTERN_GW_CONF_DIFF_H
#define POSTERN_GW_CONF_DIFF_H

#include "gw/conf/conf.h"
#include "gw/conf/key.h"

#define CONF_DIFF_KEY_MAX 320 // bytes of a key's name, with the 0

enum conf_change { CONF_CHANGED, CONF_ADDED, CONF_REMOVED };

// A key that differs: "upstreams.telemetry.timeout", "routes[2]". `effect` is CONF_AT_START or
// CONF_AT_RELOAD.
typedef void conf_diff_fn(
	void *arg, const char *key, enum conf_change change, enum conf_effect effect);

// Calls each() for all keys that differ, in the order of the schema. Upstreams and headers are
// found by their names, entries of lists by their places. Values are not told: some are secret.
void conf_diff(const struct conf *before, const struct conf *after, conf_diff_fn *each, void *arg);

#endif
