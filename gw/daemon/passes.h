// SPDX-License-Identifier: BSD-3-Clause
// What is passed through: for the workers as a part of their policy, and its names for all who
// take devices in.

#ifndef POSTERN_GW_DAEMON_PASSES_H
#define POSTERN_GW_DAEMON_PASSES_H

#include "base/error.h"
#include "dataplane/dp.h"
#include "dataplane/shared/passthrough.h"
#include "gw/conf/conf.h"
#include "gw/daemon/route_slots.h"
#include "gw/device/reserved.h"

// Makes the table of conf->passes, NULL if there are none; conf must outlive it. Each gets its
// slot. Returns 0 or -ENOMEM.
int passes_make(const struct conf *conf, struct route_slots *slots, struct dp_pass_table **table)
	__attribute__((warn_unused_result));

// Whether no device may have any name of conf->passes already.
bool passes_are_reserved(struct device_reserved *reserved, const struct conf *conf);
// No device may have a name of conf->passes from now on. Returns 0 or -ENOMEM.
int passes_reserve(struct device_reserved *reserved, const struct conf *conf)
	__attribute__((warn_unused_result));
// Whether no live device has a name of conf->passes: 0, or -EEXIST with a line in *error.
int passes_check(const struct dp_context_table *contexts, const struct conf *conf,
	struct error *error) __attribute__((warn_unused_result));

#endif
