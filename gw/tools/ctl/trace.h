// SPDX-License-Identifier: BSD-3-Clause
// The commands that show what happens to packets.

#ifndef POSTERN_GW_TOOLS_CTL_TRACE_H
#define POSTERN_GW_TOOLS_CTL_TRACE_H

#include "gw/tools/ctl/cli.h"

int cli_trace_device(struct cli *cli, const char *name);
int cli_trace_source(struct cli *cli, const char *address);

#endif
