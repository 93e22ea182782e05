// SPDX-License-Identifier: BSD-3-Clause
// Words for what a device may be.

#include "gw/device/device.h"

#include <errno.h>
#include <string.h>

const char *store_recovery_name(enum store_recovery recovery)
{
	return recovery == STORE_FLOOR ? "floor" : "echo";
}

const char *store_own_piv_name(enum store_own_piv own_piv)
{
	static const char *const names[] = {
		[STORE_OWN_PIV_AUTO] = "auto",
		[STORE_OWN_PIV_ALWAYS] = "always",
		[STORE_OWN_PIV_CLOCK] = "clock",
	};

	return names[own_piv];
}

int store_recovery_of(const char *word, enum store_recovery *recovery)
{
	for (*recovery = STORE_ECHO; *recovery <= STORE_FLOOR; ++*recovery)
		if (strcmp(word, store_recovery_name(*recovery)) == 0)
			return 0;
	return -EINVAL;
}

int store_own_piv_of(const char *word, enum store_own_piv *own_piv)
{
	for (*own_piv = STORE_OWN_PIV_AUTO; *own_piv <= STORE_OWN_PIV_CLOCK; ++*own_piv)
		if (strcmp(word, store_own_piv_name(*own_piv)) == 0)
			return 0;
	return -EINVAL;
}
