// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/protocol.h"

const char *ctl_level_name(enum ctl_level level)
{
	static const char *const names[] = {"view", "operate", "admin"};

	return names[level];
}

const char *ctl_error_code(enum ctl_error error)
{
#define CTL_ERROR_CODE(constant, code) [constant] = code,
	static const char *const codes[] = {CTL_ERRORS(CTL_ERROR_CODE)};
#undef CTL_ERROR_CODE

	return codes[error];
}
