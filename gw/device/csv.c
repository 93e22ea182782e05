// SPDX-License-Identifier: BSD-3-Clause
// CSV by RFC 4180: quoted fields, doubled quotes, CRLF or LF, a header line that names the columns.

#include "gw/device/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void spoil(struct csv *csv, const char *why)
{
	if (!csv->bad)
		error_set(&csv->why, 0, "%s", why);
	csv->bad = true;
}

// Appends a character to the record. A field behind those of the header must be empty, as
// spreadsheets leave such columns.
static void put(struct csv *csv, char c)
{
	if (csv->extra)
		spoil(csv,
			csv->header_read ? "more fields than the header has"
					 : "the header has too many columns");
	else if (csv->len < sizeof(csv->row))
		csv->row[csv->len++] = c;
	else
		spoil(csv, "the record is too long");
}

static unsigned fields_max(const struct csv *csv)
{
	return csv->header_read ? csv->columns : device_attribute_count;
}

static void field_begin(struct csv *csv, bool quoted)
{
	csv->extra = csv->fields >= fields_max(csv);
	if (csv->extra)
		return;
	csv->start[csv->fields] = csv->len;
	csv->quoted[csv->fields] = quoted;
}

static void field_end(struct csv *csv)
{
	if (csv->extra)
		return;
	csv->fields++;
	put(csv, 0);
}

static const char *delimiter_name(char c)
{
	return c == ';' ? "semicolons" : c == '\t' ? "tabs" : c == '|' ? "vertical bars" : NULL;
}

// Takes one character. True at the end of a record.
static bool take(struct csv *csv, char c)
{
	if (c == 0)
		spoil(csv, "has a NUL");
	switch (csv->state) {
	case CSV_FIELD_START:
		if (c == '"') {
			field_begin(csv, true);
			csv->state = CSV_QUOTED;
			break;
		}
		field_begin(csv, false);
		csv->state = CSV_UNQUOTED;
		// fall through
	case CSV_UNQUOTED:
		if (c == '"') {
			spoil(csv, "a quote inside a field that does not begin with one");
			csv->state = CSV_SKIP;
		} else if (c == ',') {
			field_end(csv);
			csv->state = CSV_FIELD_START;
		} else if (c == '\r') {
			csv->state = CSV_CR;
		} else if (c == '\n') {
			field_end(csv);
			return true;
		} else {
			put(csv, c);
		}
		break;
	case CSV_QUOTED:
		if (c == '"')
			csv->state = CSV_QUOTE;
		else
			put(csv, c);
		break;
	case CSV_QUOTE:
		if (c == '"') {
			put(csv, c);
			csv->state = CSV_QUOTED;
		} else if (c == ',') {
			field_end(csv);
			csv->state = CSV_FIELD_START;
		} else if (c == '\r') {
			csv->state = CSV_CR;
		} else if (c == '\n') {
			field_end(csv);
			return true;
		} else {
			if (!csv->header_read && delimiter_name(c) != NULL && !csv->bad)
				csv->delimiter = c;
			spoil(csv, "something behind the quote that ends a field");
			csv->state = CSV_SKIP;
		}
		break;
	case CSV_CR:
		if (c == '\n') {
			field_end(csv);
			return true;
		}
		spoil(csv, "a carriage return without line feed");
		csv->state = CSV_SKIP;
		break;
	case CSV_SKIP:
		return c == '\n';
	}
	return false;
}

static void record_begin(struct csv *csv)
{
	csv->state = CSV_FIELD_START;
	csv->begun = false;
	csv->bad = false;
	csv->extra = false;
	csv->len = 0;
	csv->fields = 0;
	csv->first_line = csv->line + 1;
}

// Whether the line has no value; commas do not count.
static bool blank(const struct csv *csv)
{
	if (csv->bad || csv->len != csv->fields)
		return false;
	for (unsigned i = 0; i < csv->fields; i++)
		if (csv->quoted[i])
			return false;
	return true;
}

static int header_fail(
	const struct csv *csv, struct error *error, const char *what, const char *name)
{
	return error_set(error, -EBADMSG, "line %llu, the header: %s%.64s%s",
		(unsigned long long)csv->first_line, what, name != NULL ? name : "",
		name != NULL ? "\"" : "");
}

// Says why a cell of the header is not the name of a column.
static int name_fail(const struct csv *csv, unsigned at, struct error *error)
{
	const char *name = csv->row + csv->start[at], *mark = strpbrk(name, ";\t|");
	char text[96];

	if (mark != NULL) {
		snprintf(text, sizeof(text), "its columns are separated by %s; this must be commas",
			delimiter_name(*mark));
		return header_fail(csv, error, text, NULL);
	}
	if (at == 0 && (*name == '{' || *name == '['))
		return header_fail(csv, error, "this looks like JSON", NULL);
	if (*name == 0)
		return header_fail(csv, error, "a column without a name is before others", NULL);
	return header_fail(csv, error, "no column is named \"", name);
}

static int header_read(struct csv *csv, struct error *error)
{
	char text[96];
	unsigned seen = 0;

	if (csv->delimiter != 0) {
		snprintf(text, sizeof(text), "its columns are separated by %s; this must be commas",
			delimiter_name(csv->delimiter));
		return header_fail(csv, error, text, NULL);
	}
	if (csv->bad)
		return header_fail(csv, error, csv->why.text, NULL);
	// Columns at the end that have no name are dropped.
	while (csv->fields > 0 && csv->row[csv->start[csv->fields - 1]] == 0)
		csv->fields--;
	for (unsigned i = 0; i < csv->fields; i++) {
		const char *name = csv->row + csv->start[i];
		const struct device_attribute *attribute = device_attribute(name, strlen(name));
		if (attribute == NULL)
			return name_fail(csv, i, error);
		csv->column[i] = attribute - device_attributes;
		if (seen & 1u << csv->column[i])
			return header_fail(csv, error, "a column is there twice: \"", name);
		seen |= 1u << csv->column[i];
	}
	csv->columns = csv->fields;
	csv->header_read = true;
	return 0;
}

static enum parse_verdict header_end(struct csv *csv, struct error *error)
{
	return header_read(csv, error) == 0 ? PARSE_NEED_DATA : PARSE_BROKEN;
}

static enum parse_verdict record_end(struct csv *csv, struct record *record, struct error *error)
{
	memset(record, 0, sizeof(*record));
	record->line = csv->first_line;
	if (!csv->bad && csv->fields < csv->columns)
		spoil(csv, "fewer fields than the header has");
	if (csv->bad) {
		*error = csv->why;
		return PARSE_BAD_RECORD;
	}
	for (unsigned i = 0; i < csv->columns; i++) {
		size_t end = i + 1 < csv->columns ? csv->start[i + 1] : csv->len;
		size_t len = end - csv->start[i] - 1;
		unsigned column = csv->column[i];
		// An empty field is no value, except for ids, which may have no bytes.
		if (len == 0 && !csv->quoted[i] && !device_attributes[column].may_be_empty)
			continue;
		record->value[column].kind = RECORD_TEXT;
		record->value[column].text = csv->row + csv->start[i];
		record->value[column].len = len;
	}
	return PARSE_RECORD;
}

// Ends a line. PARSE_NEED_DATA if it was blank or the header: the parser reads on.
static enum parse_verdict line_end(struct csv *csv, struct record *record, struct error *error)
{
	if (blank(csv))
		return PARSE_NEED_DATA;
	return csv->header_read ? record_end(csv, record, error) : header_end(csv, error);
}

static enum parse_verdict input_end(struct csv *csv, struct record *record, struct error *error)
{
	if (!csv->begun) {
		if (csv->header_read)
			return PARSE_END;
		error_set(error, 0,
			"the file is empty: a header with the names of the columns "
			"comes first");
		return PARSE_BROKEN;
	}
	if (csv->state == CSV_QUOTED)
		spoil(csv, "a quoted field without end");
	else if (csv->state != CSV_SKIP)
		take(csv, '\n');
	enum parse_verdict verdict = line_end(csv, record, error);
	csv->begun = false;
	if (verdict != PARSE_NEED_DATA)
		return verdict;
	return csv->header_read ? PARSE_END : input_end(csv, record, error);
}

enum parse_verdict csv_parse(
	struct csv *csv, struct parse_input *input, struct record *record, struct error *error)
{
	while (input->used < input->len) {
		char c = input->data[input->used++];
		if (!csv->begun)
			record_begin(csv);
		csv->begun = true;
		bool ended = take(csv, c);
		csv->line += c == '\n';
		if (!ended)
			continue;
		enum parse_verdict verdict = line_end(csv, record, error);
		csv->begun = false;
		if (verdict != PARSE_NEED_DATA)
			return verdict;
	}
	return input->last ? input_end(csv, record, error) : PARSE_NEED_DATA;
}
