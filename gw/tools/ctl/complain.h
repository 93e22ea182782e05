// SPDX-License-Identifier: BSD-3-Clause
// What posternctl says and returns when something failed.

#ifndef POSTERN_GW_TOOLS_CTL_COMPLAIN_H
#define POSTERN_GW_TOOLS_CTL_COMPLAIN_H

// Exit codes, which scripts rely on.
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,        // the daemon answered with an error, or the file is bad
	CLI_USAGE = 2,         // the command line makes no sense
	CLI_NO_CONNECTION = 3, // no daemon, no permission, or the connection broke
};

// Prints "posternctl: ..." on standard error.
void cli_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
