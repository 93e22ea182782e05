// SPDX-License-Identifier: BSD-3-Clause
// The commands that need no daemon.

#ifndef POSTERN_GW_TOOLS_CTL_LOCAL_H
#define POSTERN_GW_TOOLS_CTL_LOCAL_H

#include "gw/conf/conf.h"
#include "gw/tools/ctl/cli.h"

cli_command_fn cli_check;
cli_command_fn cli_store_adopt;
cli_command_fn cli_key_create;

// Looks at the files, directories and groups that a configuration names, and reads keys,
// certificates and headers. Writes a line for each mistake. Returns 0 or -errno.
int cli_check_files(const struct conf *conf, FILE *errors) __attribute__((warn_unused_result));

#endif
