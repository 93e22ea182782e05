// SPDX-License-Identifier: BSD-3-Clause
// posternctl key rotate: another key-encryption key for the device store, with a daemon or without.

#ifndef POSTERN_GW_TOOLS_CTL_KEY_H
#define POSTERN_GW_TOOLS_CTL_KEY_H

#include "gw/tools/ctl/cli.h"

cli_command_fn cli_key_rotate;

#endif
