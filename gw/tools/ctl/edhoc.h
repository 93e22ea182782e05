// SPDX-License-Identifier: BSD-3-Clause
// Commands about EDHOC.

#ifndef POSTERN_GW_TOOLS_CTL_EDHOC_H
#define POSTERN_GW_TOOLS_CTL_EDHOC_H

#include "gw/tools/ctl/cli.h"

cli_command_fn cli_edhoc_identity, cli_edhoc_sessions, cli_edhoc_end;

#endif
