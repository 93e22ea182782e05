// SPDX-License-Identifier: BSD-3-Clause
// The commands about the store as a whole.

#ifndef POSTERN_GW_TOOLS_CTL_STORE_H
#define POSTERN_GW_TOOLS_CTL_STORE_H

#include "gw/tools/ctl/cli.h"

cli_command_fn cli_store_check;
cli_command_fn cli_store_backup;
cli_command_fn cli_tombstone_list;

#endif
