// SPDX-License-Identifier: BSD-3-Clause
// What --help prints, from the tables of commands and options.

#ifndef POSTERN_GW_TOOLS_CTL_HELP_H
#define POSTERN_GW_TOOLS_CTL_HELP_H

#include "gw/tools/ctl/commands.h"

void cli_help(void);
void cli_help_command(const struct cli_command *command);

#define CLI_OPTION_USAGE_MAX 32 // bytes, with the 0
// "--worker N". Returns `usage`.
const char *cli_option_usage(
	char usage[CLI_OPTION_USAGE_MAX], const struct cli_option_info *option);

#define CLI_SETTING_NAME_MAX 32 // bytes, with the 0
// The option for a setting of a device: "own-piv" for own_piv. Returns `name`.
const char *cli_setting_name(
	char name[CLI_SETTING_NAME_MAX], const struct device_attribute *attribute);

#endif
