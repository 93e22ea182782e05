// SPDX-License-Identifier: BSD-3-Clause
// posternctl support: one file with what whoever helps wants to know, and no secret.

#ifndef POSTERN_GW_TOOLS_CTL_SUPPORT_H
#define POSTERN_GW_TOOLS_CTL_SUPPORT_H

#include "gw/tools/ctl/cli.h"

cli_command_fn cli_support;

#endif
