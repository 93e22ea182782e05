// SPDX-License-Identifier: BSD-3-Clause
// Rows of aligned columns. Cells are copied; what a terminal would act on is replaced.

#ifndef POSTERN_GW_TOOLS_CTL_TABLE_H
#define POSTERN_GW_TOOLS_CTL_TABLE_H

#include "gw/ctl/cbor_walk.h"

#include <stdbool.h>

#define CLI_COLUMNS_MAX 12

struct cli_table {
	unsigned columns;
	const char *titles[CLI_COLUMNS_MAX];
	bool right[CLI_COLUMNS_MAX]; // aligned to the right
	unsigned width[CLI_COLUMNS_MAX];
	char **cells;
	unsigned cell_count, cell_room;
	bool titled; // the titles were printed
};

// `titles` is NULL-terminated; a title that begins with '>' makes its column right-aligned.
void cli_table_init(struct cli_table *table, const char *const *titles);
void cli_table_cell(struct cli_table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
// The text, number or hex of a value; "-" if the map does not have it.
void cli_table_value(struct cli_table *table, const struct ctl_cbor *map, const char *key);
// Prints and forgets the rows; columns stay at least as wide as they are.
void cli_table_print(struct cli_table *table);
void cli_table_free(struct cli_table *table);

#endif
