// SPDX-License-Identifier: BSD-3-Clause
// Commands about the configuration of a daemon that runs, and its log.

#ifndef POSTERN_GW_TOOLS_CTL_RELOAD_H
#define POSTERN_GW_TOOLS_CTL_RELOAD_H

#include "gw/tools/ctl/cli.h"

cli_command_fn cli_reload, cli_config_diff, cli_config_show, cli_log_level;

#endif
