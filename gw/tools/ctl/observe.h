// SPDX-License-Identifier: BSD-3-Clause
// The commands about observers.

#ifndef POSTERN_GW_TOOLS_CTL_OBSERVE_H
#define POSTERN_GW_TOOLS_CTL_OBSERVE_H

#include "gw/tools/ctl/cli.h"

cli_command_fn cli_observe_list, cli_observe_push, cli_observe_cancel;

#endif
