// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/cli.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

uint64_t cli_uint(const struct ctl_cbor *map, const char *key, uint64_t missing)
{
	struct ctl_cbor value;

	if (!ctl_cbor_find(map, key, &value) || value.type != CTL_CBOR_UINT)
		return missing;
	return value.value;
}

bool cli_bool(const struct ctl_cbor *map, const char *key)
{
	struct ctl_cbor value;

	return ctl_cbor_find(map, key, &value) && value.type == CTL_CBOR_BOOL && value.value;
}

struct ctl_cbor cli_inner(const struct ctl_cbor *map, const char *key)
{
	static const struct ctl_cbor empty = {.type = CTL_CBOR_MAP};
	struct ctl_cbor value;

	if (!ctl_cbor_find(map, key, &value) ||
		(value.type != CTL_CBOR_MAP && value.type != CTL_CBOR_ARRAY))
		return empty;
	return value;
}

// Control characters would act on the terminal. (C1 controls come as two bytes of UTF-8.)
static void disarm(char *text)
{
	for (char *c = text; *c; c++) {
		if ((uint8_t)*c < 0x20 || *c == 0x7f)
			*c = '?';
		else if ((uint8_t)c[0] == 0xc2 && (uint8_t)c[1] >= 0x80 && (uint8_t)c[1] < 0xa0)
			c[0] = c[1] = '?';
	}
}

static void text_of(char text[CLI_VALUE_MAX], const struct ctl_cbor *value)
{
	size_t len = value->value < CLI_VALUE_MAX - 1 ? value->value : CLI_VALUE_MAX - 1;

	memcpy(text, value->data, len);
	text[len] = 0;
	disarm(text);
}

static void hex_of(char text[CLI_VALUE_MAX], const struct ctl_cbor *value)
{
	size_t len = value->value < CLI_VALUE_MAX / 2 - 1 ? value->value : CLI_VALUE_MAX / 2 - 1;

	for (size_t i = 0; i < len; i++)
		snprintf(text + 2 * i, 3, "%02x", value->data[i]);
	if (len == 0)
		snprintf(text, CLI_VALUE_MAX, "(empty)");
}

const char *cli_value_text(char text[CLI_VALUE_MAX], const struct ctl_cbor *map, const char *key)
{
	struct ctl_cbor value;

	snprintf(text, CLI_VALUE_MAX, "-");
	if (!ctl_cbor_find(map, key, &value))
		return text;
	switch (value.type) {
	case CTL_CBOR_UINT:
		snprintf(text, CLI_VALUE_MAX, "%" PRIu64, value.value);
		break;
	case CTL_CBOR_TEXT:
		text_of(text, &value);
		break;
	case CTL_CBOR_BYTES:
		hex_of(text, &value);
		break;
	case CTL_CBOR_BOOL:
		snprintf(text, CLI_VALUE_MAX, "%s", value.value ? "yes" : "no");
		break;
	default:
		break;
	}
	return text;
}

const char *cli_duration_text(char text[32], uint64_t ms)
{
	uint64_t s = ms / 1000;

	if (s < 10)
		snprintf(text, 32, "%" PRIu64 ".%" PRIu64 " s", s, ms % 1000 / 100);
	else if (s < 120)
		snprintf(text, 32, "%" PRIu64 " s", s);
	else if (s < 7200)
		snprintf(text, 32, "%" PRIu64 " min", s / 60);
	else if (s < 172800)
		snprintf(text, 32, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
	else
		snprintf(text, 32, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
	return text;
}

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
	disarm(cell);
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
