// SPDX-License-Identifier: BSD-3-Clause
// The commands about devices.

#ifndef POSTERN_GW_TOOLS_CTL_DEVICE_H
#define POSTERN_GW_TOOLS_CTL_DEVICE_H

#include "gw/tools/ctl/cli.h"

cli_command_fn cli_device_add;
cli_command_fn cli_device_import;
cli_command_fn cli_device_list;
cli_command_fn cli_device_show;
cli_command_fn cli_device_remove;
cli_command_fn cli_device_resync;
cli_command_fn cli_device_rotate;

#endif
