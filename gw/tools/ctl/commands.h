// SPDX-License-Identifier: BSD-3-Clause
// The commands of posternctl and their options, each one row of a table. --help is printed from
// them, and a test holds them against the manual page and the completion of bash.

#ifndef POSTERN_GW_TOOLS_CTL_COMMANDS_H
#define POSTERN_GW_TOOLS_CTL_COMMANDS_H

#include "gw/tools/ctl/cli.h"

struct cli_command {
	const char *name;      // "device add"
	const char *arguments; // "FILE", "[FILE]", "NAME FILE", or "" for none
	unsigned options;      // enum cli_option that it takes
	cli_command_fn *run;
	const char *help;    // one line
	const char *details; // more lines, or NULL
};

extern const struct cli_command cli_commands[];
extern const unsigned cli_command_count;

// An option that only some commands take.
struct cli_option_info {
	enum cli_option option;
	const char *name;  // "worker"
	const char *value; // "N"; NULL: it takes none
	const char *help;  // one line
};

extern const struct cli_option_info cli_options[];
extern const unsigned cli_option_count;

#endif
