// SPDX-License-Identifier: BSD-3-Clause
// Checks of what is passed through, and what follows from it.

#ifndef POSTERN_GW_CONF_CHECK_PASS_H
#define POSTERN_GW_CONF_CHECK_PASS_H

#include "gw/conf/conf.h"
#include "gw/conf/mistakes.h"

// Finds the upstreams of conf->passes, decodes their names and names them for counters, and checks
// that no two have one name. Returns 0 or -ENOMEM.
int conf_passes_check(struct conf *conf, struct conf_mistakes *mistakes)
	__attribute__((warn_unused_result));

#endif
