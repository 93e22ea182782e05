// SPDX-License-Identifier: BSD-3-Clause
// Answers that are rows, one in each message.

#ifndef POSTERN_GW_TOOLS_CTL_ROWS_H
#define POSTERN_GW_TOOLS_CTL_ROWS_H

#include "gw/tools/ctl/cli.h"
#include "gw/tools/ctl/table.h"

// Sends a request and shows the rows of its answer, as JSON or as a table with these titles. row()
// writes one row of the table. Returns an exit code.
int cli_rows_show(struct cli *cli, struct ctl_writer *request, const char *const *titles,
	void (*row)(struct cli_table *table, const struct ctl_cbor *map));

#endif
