// SPDX-License-Identifier: BSD-3-Clause
// posternctl show refused.

#ifndef POSTERN_GW_TOOLS_CTL_REFUSED_H
#define POSTERN_GW_TOOLS_CTL_REFUSED_H

#include "gw/tools/ctl/cli.h"

int cli_show_refused(struct cli *cli, const char *argument);

#endif
