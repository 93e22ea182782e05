// SPDX-License-Identifier: BSD-3-Clause
// The body of a reply as JSON; byte strings are in hex.

#ifndef POSTERN_GW_TOOLS_CTL_JSON_H
#define POSTERN_GW_TOOLS_CTL_JSON_H

#include "gw/tools/ctl/cli.h"

#include <stdio.h>

void cli_json(FILE *out, const struct ctl_cbor *item);
// A text that is no part of a reply, quoted.
void cli_json_text(FILE *out, const char *text);
// Replies that belong together become an array with one element a line: each of them, and the end.
void cli_json_element(struct cli *cli, const struct ctl_cbor *item);
void cli_json_end(struct cli *cli);

#endif
