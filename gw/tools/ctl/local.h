// SPDX-License-Identifier: BSD-3-Clause
// The commands that need no daemon.

#ifndef POSTERN_GW_TOOLS_CTL_LOCAL_H
#define POSTERN_GW_TOOLS_CTL_LOCAL_H

#include "gw/tools/ctl/cli.h"

cli_command_fn cli_check;
cli_command_fn cli_store_adopt;
cli_command_fn cli_key_create;

#endif
