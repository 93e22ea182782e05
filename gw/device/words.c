// SPDX-License-Identifier: BSD-3-Clause
// Words for what a device may be.

#include "gw/device/device.h"

#include <stddef.h>

const char *const device_recovery_words[] = {
	[DEVICE_ECHO] = "echo",
	[DEVICE_FLOOR] = "floor",
	[DEVICE_B2] = "b2",
	NULL,
};
const char *const device_rederive_words[] = {
	[DEVICE_REDERIVE_NONE] = "none",
	[DEVICE_REDERIVE_B2] = "b2",
	NULL,
};
const char *const device_own_piv_words[] = {
	[DEVICE_OWN_PIV_AUTO] = "auto",
	[DEVICE_OWN_PIV_ALWAYS] = "always",
	[DEVICE_OWN_PIV_CLOCK] = "clock",
	NULL,
};
