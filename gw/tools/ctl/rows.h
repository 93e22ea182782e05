// SPDX-License-Identifier: BSD-3-Clause
// Answers that are rows, one in each message.

#ifndef POSTERN_GW_TOOLS_CTL_ROWS_H
#define POSTERN_GW_TOOLS_CTL_ROWS_H

#include "gw/tools/ctl/cli.h"
#include "gw/tools/ctl/table.h"
#include "gw/tools/ctl/values.h"

// Sends a request and shows the rows of its answer, as JSON or as a table with these titles. row()
// writes one row of the table. Returns an exit code.
int cli_rows_show(struct cli *cli, struct ctl_writer *request, const char *const *titles,
	void (*row)(struct cli_table *table, const struct ctl_cbor *map));

// A list that is asked for page by page: each request has "limit", and but for the first one
// "after" with what the last row had.
struct cli_list {
	const char *verb;
	const char *key; // of a row: what is "after" for the next page
	const char *const *titles;
	void (*row)(struct cli_table *table, const struct ctl_cbor *map);
	// Puts in what else is asked for. NULL: nothing.
	void (*filter)(const struct cli *cli, struct ctl_writer *request, const char *argument);
};

// What a page begins behind: a text, a number or bytes, as the type says.
struct cli_after {
	bool given;
	enum ctl_cbor_type type;
	uint64_t value; // the number, or the length
	uint8_t data[CLI_VALUE_MAX];
};

// Shows a list, as JSON or as a table: --limit rows at most, behind `after`, which may be NULL.
// `argument` is for the filter. Returns an exit code.
int cli_list_show(struct cli *cli, const struct cli_list *list, const struct cli_after *after,
	const char *argument);

#endif
