// SPDX-License-Identifier: BSD-3-Clause
// A device as JSON, as an import takes it.

#ifndef POSTERN_GW_DEVICE_JSON_WRITE_H
#define POSTERN_GW_DEVICE_JSON_WRITE_H

#include "gw/device/device.h"

#include <stddef.h>

#define DEVICE_JSON_MAX 8192 // bytes of one device at most

// Writes all that is said of a device, in one line with its line feed and no 0. Returns its length.
size_t device_json(char out[DEVICE_JSON_MAX], const struct device_spec *spec);

#endif
