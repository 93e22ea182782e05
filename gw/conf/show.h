// SPDX-License-Identifier: BSD-3-Clause
// The values of a configuration as it is used, key by key as the schema has them.

#ifndef POSTERN_GW_CONF_SHOW_H
#define POSTERN_GW_CONF_SHOW_H

#include "gw/conf/conf.h"
#include "gw/conf/diff.h"

#define CONF_SHOWN_MAX 2048 // bytes of a value, with the 0; what is longer is cut

struct conf_shown {
	const char *key;         // "upstreams.telemetry.timeout", "routes[2].path"
	const char *value;       // as it would stand in the file; "(hidden)" for a secret
	bool given;              // in the file; else it is the default, or made from other keys
	enum conf_effect effect; // of a change: CONF_AT_START or CONF_AT_RELOAD
};

typedef void conf_show_fn(void *arg, const struct conf_shown *shown);

// Calls each() for all keys that have a value, in the order of the schema; what it gets is valid
// until it returns. Keys without a default that are not given have none. No secret is shown: values
// of headers are hidden, whatever they are.
void conf_show(const struct conf *conf, conf_show_fn *each, void *arg);

#endif
