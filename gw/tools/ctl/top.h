// SPDX-License-Identifier: BSD-3-Clause
// posternctl top: a screen of rates that is drawn again every two seconds.

#ifndef POSTERN_GW_TOOLS_CTL_TOP_H
#define POSTERN_GW_TOOLS_CTL_TOP_H

#include "gw/tools/ctl/top_sample.h"

int cli_top(struct cli *cli, const char *argument);

#define TOP_ROWS_MAX    200
#define TOP_COLUMNS_MAX 400 // bytes of a row

struct top_screen {
	unsigned rows, columns; // of the terminal
	unsigned used;          // rows that are drawn
	char row[TOP_ROWS_MAX][TOP_COLUMNS_MAX];
};

// Draws what happened between two samples, within rows and columns; `then` is NULL before there are
// two. Rows are plain ASCII. For cli_top() and its test.
void top_draw(struct top_screen *screen, const struct top_sample *now,
	const struct top_sample *then, bool paused);

#endif
