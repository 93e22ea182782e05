// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/table.h"

#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/values.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Characters, so that UTF-8 stays aligned as far as each is one column wide.
static unsigned width_of(const char *text)
{
	unsigned width = 0;

	for (; *text; text++)
		width += ((uint8_t)*text & 0xc0) != 0x80;
	return width;
}

void cli_table_init(struct cli_table *table, const char *const *titles)
{
	memset(table, 0, sizeof(*table));
	for (unsigned i = 0; titles[i]; i++) {
		table->right[i] = titles[i][0] == '>';
		table->titles[i] = titles[i] + table->right[i];
		table->width[i] = width_of(table->titles[i]);
		table->columns++;
	}
}

static void out_of_memory(void)
{
	cli_complain("out of memory");
	exit(CLI_FAILED);
}

void cli_table_cell(struct cli_table *table, const char *format, ...)
{
	unsigned column = table->cell_count % table->columns;
	unsigned width;
	va_list args;
	char *cell;

	if (table->cell_count == table->cell_room) {
		table->cell_room = table->cell_room ? 2 * table->cell_room : 64;
		table->cells = realloc(table->cells, table->cell_room * sizeof(*table->cells));
		if (table->cells == NULL)
			out_of_memory();
	}
	va_start(args, format);
	if (vasprintf(&cell, format, args) < 0)
		out_of_memory();
	va_end(args);
	cli_disarm(cell);
	table->cells[table->cell_count++] = cell;
	width = width_of(cell);
	if (width > table->width[column])
		table->width[column] = width;
}

void cli_table_value(struct cli_table *table, const struct ctl_cbor *map, const char *key)
{
	char text[CLI_VALUE_MAX];

	cli_table_cell(table, "%s", cli_value_text(text, map, key));
}

static void print_cell(const struct cli_table *table, unsigned column, const char *text)
{
	int padding = table->width[column] - width_of(text);
	bool last = column == table->columns - 1;

	if (table->right[column])
		printf("%*s%s", padding, "", text);
	else
		printf("%s%*s", text, last ? 0 : padding, "");
	fputs(last ? "\n" : "  ", stdout);
}

void cli_table_print(struct cli_table *table)
{
	for (unsigned i = 0; i < table->columns && !table->titled; i++)
		print_cell(table, i, table->titles[i]);
	table->titled = true;
	for (unsigned i = 0; i < table->cell_count; i++) {
		print_cell(table, i % table->columns, table->cells[i]);
		free(table->cells[i]);
	}
	table->cell_count = 0;
}

void cli_table_free(struct cli_table *table)
{
	for (unsigned i = 0; i < table->cell_count; i++)
		free(table->cells[i]);
	free(table->cells);
}
