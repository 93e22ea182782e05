// SPDX-License-Identifier: BSD-3-Clause
// The connection of a command to the daemon, which complains if it breaks.

#ifndef POSTERN_GW_TOOLS_CTL_CONNECTION_H
#define POSTERN_GW_TOOLS_CTL_CONNECTION_H

#include "gw/tools/ctl/cli.h"

// These return an enum cli_exit, and have complained if it is not CLI_OK.

// Starts a request; put its arguments into the map that is open then.
void cli_begin(struct cli *cli, struct ctl_writer *request, const char *verb);
// Connects if need be and sends the request, with a file descriptor if fd is not negative. The
// request is wiped.
int cli_send(struct cli *cli, struct ctl_writer *request, int fd);
// Waits for the next reply to the last request. Its map is reply->message.map.
int cli_receive(struct cli *cli, struct ctl_reply *reply);
// A request without a list: sends it, waits for its reply, and prints that if --json is given.
int cli_call(struct cli *cli, struct ctl_writer *request, struct ctl_reply *reply);
// The exit code of what ctl_client_receive() returned, or of the error that it received; complains.
int cli_result(struct cli *cli, int ret, const struct ctl_reply *reply);
// From now on there is no limit to how long the daemon may be silent.
void cli_wait_for_ever(struct cli *cli);
// Waits for the next event; its name is reply->message.word.
int cli_receive_event(struct cli *cli, struct ctl_reply *reply);
// Waits until the daemon hangs up. CLI_NO_CONNECTION: it was silent for too long.
int cli_wait_for_end(struct cli *cli);

#endif
