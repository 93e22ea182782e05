// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/rung.h"

const char *dp_rung_name(enum dp_rung rung)
{
	static const char *const names[DP_RUNG_COUNT] = {
		[DP_RUNG_NONE] = "none",
		[DP_RUNG_LOW] = "low",
		[DP_RUNG_NON] = "non",
		[DP_RUNG_CON] = "con",
	};

	return rung < DP_RUNG_COUNT ? names[rung] : "?";
}
