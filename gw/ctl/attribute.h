// SPDX-License-Identifier: BSD-3-Clause
// A device's attributes (gw/device/attribute.h) in CBOR.

#ifndef POSTERN_GW_CTL_ATTRIBUTE_H
#define POSTERN_GW_CTL_ATTRIBUTE_H

#include "gw/ctl/cbor_write.h"
#include "gw/device/attribute.h"

// Writes all that is said of a new device into the map that is open, each attribute under its name.
void ctl_put_spec(struct ctl_writer *writer, const struct device_spec *spec);
// The same with all that is shown of a device.
void ctl_put_info(struct ctl_writer *writer, const struct device_info *info);

#endif
