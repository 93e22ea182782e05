// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/crypto/rsp.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAMES_MAX 40 // values that are known at one time
#define LINE_ROOM 8192

struct rsp_value {
	char *name;
	char *value;
	bool in_record; // else of the section
};

struct rsp {
	FILE *file;
	char line[LINE_ROOM];
	bool pending; // line holds one that is not yet taken
	struct rsp_value values[NAMES_MAX];
	unsigned count;
};

struct rsp *rsp_open(const char *path)
{
	struct rsp *rsp = calloc(1, sizeof(*rsp));
	char full[512];

	cr_assert(rsp);
	snprintf(full, sizeof(full), "%s/%s", CRYPTOGRAPHY_VECTORS, path);
	rsp->file = fopen(full, "r");
	cr_assert(
		rsp->file, "no %s: install the Debian package python3-cryptography-vectors", full);
	return rsp;
}

// Forgets the values of the record, or all from the section on.
static void forget(struct rsp *rsp, bool section_too)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < rsp->count; i++) {
		if (!section_too && !rsp->values[i].in_record) {
			rsp->values[kept++] = rsp->values[i];
			continue;
		}
		free(rsp->values[i].name);
		free(rsp->values[i].value);
	}
	rsp->count = kept;
}

void rsp_close(struct rsp *rsp)
{
	forget(rsp, true);
	fclose(rsp->file);
	free(rsp);
}

static char *trim(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = 0;
	return text;
}

// A value as hex: "\"1\"" becomes "31".
static char *value_copy(const char *value)
{
	size_t len = strlen(value);
	char *hex;

	if (len < 2 || value[0] != '"')
		return strdup(value);
	hex = calloc(1, 2 * len);
	for (size_t i = 1; hex && i < len - 1; i++)
		sprintf(hex + 2 * (i - 1), "%02x", (unsigned char)value[i]);
	return hex;
}

static void keep(struct rsp *rsp, char *assignment, bool in_record)
{
	char *equals = strchr(assignment, '=');
	struct rsp_value *value = NULL;
	const char *name;

	if (equals)
		*equals = 0;
	name = trim(assignment);
	for (unsigned i = 0; i < rsp->count; i++) {
		if (strcasecmp(rsp->values[i].name, name) == 0)
			value = &rsp->values[i];
	}
	if (value) {
		free(value->value);
	} else {
		cr_assert(rsp->count < NAMES_MAX, "too many names in a vector file");
		value = &rsp->values[rsp->count++];
		value->name = strdup(name);
		value->in_record = in_record;
	}
	value->value = value_copy(equals ? trim(equals + 1) : "");
	cr_assert(value->name && value->value);
}

static bool line_take(struct rsp *rsp)
{
	if (rsp->pending) {
		rsp->pending = false;
		return true;
	}
	if (!fgets(rsp->line, sizeof(rsp->line), rsp->file))
		return false;
	cr_assert(strlen(rsp->line) < LINE_ROOM - 1, "a line of a vector file is too long");
	return true;
}

bool rsp_next(struct rsp *rsp)
{
	bool in_record = false;

	forget(rsp, false);
	while (line_take(rsp)) {
		char *line = trim(rsp->line);

		if (*line == 0 || *line == '#')
			continue;
		if (*line == '[') {
			if (in_record) {
				rsp->pending = true;
				return true;
			}
			for (char *part = strtok(line, "[],"); part; part = strtok(NULL, "[],"))
				keep(rsp, part, false);
			continue;
		}
		if (strncasecmp(line, "Count", 5) == 0) {
			if (in_record) {
				rsp->pending = true;
				return true;
			}
			in_record = true;
		}
		keep(rsp, line, in_record);
	}
	return in_record;
}

const char *rsp_get(const struct rsp *rsp, const char *name)
{
	for (unsigned i = 0; i < rsp->count; i++) {
		if (strcasecmp(rsp->values[i].name, name) == 0)
			return rsp->values[i].value;
	}
	return NULL;
}

int rsp_number(const struct rsp *rsp, const char *name)
{
	const char *value = rsp_get(rsp, name);

	cr_assert(value, "a vector file lacks %s", name);
	return atoi(value);
}
