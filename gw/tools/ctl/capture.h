// SPDX-License-Identifier: BSD-3-Clause
// The command that writes a capture file.

#ifndef POSTERN_GW_TOOLS_CTL_CAPTURE_H
#define POSTERN_GW_TOOLS_CTL_CAPTURE_H

#include "gw/tools/ctl/cli.h"

int cli_capture(struct cli *cli, const char *argument);

#endif
