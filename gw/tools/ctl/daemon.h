// SPDX-License-Identifier: BSD-3-Clause
// The commands about the daemon as a whole.

#ifndef POSTERN_GW_TOOLS_CTL_DAEMON_H
#define POSTERN_GW_TOOLS_CTL_DAEMON_H

#include "gw/tools/ctl/cli.h"

cli_command_fn cli_status;
cli_command_fn cli_stats;
cli_command_fn cli_shutdown;
cli_command_fn cli_drain;
cli_command_fn cli_undrain;

#endif
