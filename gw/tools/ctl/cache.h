// SPDX-License-Identifier: BSD-3-Clause
// The commands about stored answers.

#ifndef POSTERN_GW_TOOLS_CTL_CACHE_H
#define POSTERN_GW_TOOLS_CTL_CACHE_H

#include "gw/tools/ctl/cli.h"

cli_command_fn cli_cache_show, cli_cache_purge;

#endif
