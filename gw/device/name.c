// SPDX-License-Identifier: BSD-3-Clause
// Names of devices.

#include "gw/device/device.h"

#include <string.h>

bool device_name_valid(const char *name)
{
	size_t len = strspn(name,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789._:-");
	return len > 0 && len <= DEVICE_NAME_MAX && name[len] == 0;
}
