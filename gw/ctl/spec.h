// SPDX-License-Identifier: BSD-3-Clause
// The arguments of "device add" and "device rotate".

#ifndef POSTERN_GW_CTL_SPEC_H
#define POSTERN_GW_CTL_SPEC_H

#include "gw/ctl/server.h"
#include "gw/device/device.h"

// Reads a device that is to be added, or the keys that a device is to have: then replace is NULL,
// and the name must be there. False if an argument is missing, unknown or not allowed; the request
// is answered then, and gone. The caller wipes *spec either way.
bool ctl_spec_read(struct ctl_request *req, const struct ctl_cbor *map, struct device_spec *spec,
	bool *replace) __attribute__((warn_unused_result));

#endif
