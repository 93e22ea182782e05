// SPDX-License-Identifier: BSD-3-Clause
// posternctl preflight: would the gateway start on this machine, and if not, what to do.

#ifndef POSTERN_GW_TOOLS_CTL_PREFLIGHT_H
#define POSTERN_GW_TOOLS_CTL_PREFLIGHT_H

#include "gw/tools/ctl/cli.h"

cli_command_fn cli_preflight;

#endif
