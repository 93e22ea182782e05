// SPDX-License-Identifier: BSD-3-Clause
// Words for what a device may be.

#include "gw/device/device.h"

#include <errno.h>
#include <string.h>

const char *device_recovery_name(enum device_recovery recovery)
{
	return recovery == DEVICE_FLOOR ? "floor" : "echo";
}

const char *device_own_piv_name(enum device_own_piv own_piv)
{
	static const char *const names[] = {
		[DEVICE_OWN_PIV_AUTO] = "auto",
		[DEVICE_OWN_PIV_ALWAYS] = "always",
		[DEVICE_OWN_PIV_CLOCK] = "clock",
	};

	return names[own_piv];
}

int device_recovery_of(const char *word, enum device_recovery *recovery)
{
	for (*recovery = DEVICE_ECHO; *recovery <= DEVICE_FLOOR; ++*recovery)
		if (strcmp(word, device_recovery_name(*recovery)) == 0)
			return 0;
	return -EINVAL;
}

int device_own_piv_of(const char *word, enum device_own_piv *own_piv)
{
	for (*own_piv = DEVICE_OWN_PIV_AUTO; *own_piv <= DEVICE_OWN_PIV_CLOCK; ++*own_piv)
		if (strcmp(word, device_own_piv_name(*own_piv)) == 0)
			return 0;
	return -EINVAL;
}
