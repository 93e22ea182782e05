// SPDX-License-Identifier: BSD-3-Clause

#ifndef POSTERN_GW_TOOLS_CTL_CONVERT_H
#define POSTERN_GW_TOOLS_CTL_CONVERT_H

#include "gw/tools/ctl/cli.h"

cli_command_fn cli_device_convert;

#endif
