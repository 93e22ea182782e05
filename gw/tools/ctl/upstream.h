// SPDX-License-Identifier: BSD-3-Clause
// The commands about upstreams and their servers.

#ifndef POSTERN_GW_TOOLS_CTL_UPSTREAM_H
#define POSTERN_GW_TOOLS_CTL_UPSTREAM_H

#include "gw/tools/ctl/cli.h"

cli_command_fn cli_upstream_show, cli_server_drain, cli_server_maint, cli_server_ready;

#endif
