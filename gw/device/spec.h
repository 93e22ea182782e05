// SPDX-License-Identifier: BSD-3-Clause
// The rules between the attributes of a new device. What one value may be stands in its row of
// attribute.c.

#ifndef POSTERN_GW_DEVICE_SPEC_H
#define POSTERN_GW_DEVICE_SPEC_H

#include "base/error.h"
#include "gw/device/device.h"

// Whoever takes a spec in calls this: each value is allowed, the ids fit the algorithm and differ,
// and exactly one of never_used and gateway_seq says where the keys have been. 0; -EINVAL; -ERANGE
// if gateway_seq leaves too few numbers.
int device_spec_check(const struct device_spec *spec, struct error *error)
	__attribute__((warn_unused_result));

#endif
