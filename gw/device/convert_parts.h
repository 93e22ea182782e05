// SPDX-License-Identifier: BSD-3-Clause
// What the readers of other formats have in common.

#ifndef POSTERN_GW_DEVICE_CONVERT_PARTS_H
#define POSTERN_GW_DEVICE_CONVERT_PARTS_H

#include "gw/device/attribute.h"
#include "gw/device/convert.h"

// The attribute of this name, which must be there.
const struct device_attribute *convert_attribute(const char *name);
// Which of our ids is the sender id (else the recipient id) of a server (else of a device).
const char *convert_id(bool server, bool sender);
// Checks a device that is complete, hands it out, and wipes it. -EINVAL, or what each() returned.
int convert_finish(const struct convert *convert, struct device_spec *spec, struct error *error)
	__attribute__((warn_unused_result));

#endif
