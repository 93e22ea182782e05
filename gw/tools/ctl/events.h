// SPDX-License-Identifier: BSD-3-Clause
// The command that prints what happens.

#ifndef POSTERN_GW_TOOLS_CTL_EVENTS_H
#define POSTERN_GW_TOOLS_CTL_EVENTS_H

#include "gw/tools/ctl/cli.h"

cli_command_fn cli_events;

#endif
