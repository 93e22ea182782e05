// SPDX-License-Identifier: BSD-3-Clause
// Writes the reference of all keys, from the schema, as a configuration that can be loaded.

#include "gw/conf/conf.h"
#include "gw/conf/schema.h"

static void indent(FILE *out, unsigned depth)
{
	fprintf(out, "%*s", 2 * (int)depth, "");
}

static bool has_children(const struct conf_key *key)
{
	return key->type == CONF_GROUP ||
		((key->type == CONF_MAP || key->type == CONF_LIST) &&
			key->item->type == CONF_GROUP && !key->item->word);
}

// Writes a value as the file needs it: a mode in octal is quoted, or it would be a number.
static void value_write(FILE *out, const struct conf_key *key, const char *value)
{
	const char *quote = key->type == CONF_MODE ? "\"" : "";

	fprintf(out, "%s%s%s", quote, value, quote);
}

static void facts_write(FILE *out, const struct conf_key *key)
{
	char what[CONF_WHAT_MAX];

	fprintf(out, "# Must be %s", conf_key_what(key, what));
	if (key->type == CONF_LIST && key->item->type < CONF_SCALARS)
		fprintf(out, ", each %s", conf_key_what(key->item, what));
	if (key->preset) {
		fprintf(out, "; default ");
		value_write(out, key, key->preset);
	}
	fprintf(out, "%s.\n",
		key->required         ? "; required"
			: key->choice ? "; exactly one of these is given"
				      : "");
}

// What the entries of a list are that may be words: their keys stand in no lines of their own.
static void entries_write(FILE *out, const struct conf_key *keys, unsigned depth)
{
	char what[CONF_WHAT_MAX];

	indent(out, depth);
	fprintf(out, "# Each is %s, or a map with that as %s and\n", conf_key_what(keys, what),
		keys->name);
	for (const struct conf_key *key = keys + 1; key->name; key++) {
		indent(out, depth);
		fprintf(out, "#   %s: %s\n", key->name, key->help);
		indent(out, depth);
		fprintf(out, "#     Must be %s; default %s.\n", conf_key_what(key, what),
			key->preset);
	}
}

static void keys_write(FILE *out, const struct conf_key *keys, unsigned depth)
{
	for (const struct conf_key *key = keys; key->name; key++) {
		indent(out, depth);
		fprintf(out, "# %s\n", key->help);
		indent(out, depth);
		if (key->type != CONF_GROUP) {
			facts_write(out, key);
			if (key->type == CONF_LIST && key->item->word)
				entries_write(out, key->item->keys, depth);
			indent(out, depth);
		}
		if (!has_children(key)) {
			// Optional keys are written as comments.
			fprintf(out, "%s%s: ", key->required || key->choice == 1 ? "" : "#",
				key->name);
			value_write(out, key, key->preset ? key->preset : key->sample);
			fputc('\n', out);
			continue;
		}
		fprintf(out, "%s:\n", key->name);
		if (key->type == CONF_GROUP) {
			keys_write(out, key->keys, depth + 1);
			continue;
		}
		indent(out, depth + 1);
		if (key->type == CONF_LIST)
			fprintf(out, "-\n");
		else
			fprintf(out, "%s:\n", key->sample);
		keys_write(out, key->item->keys, depth + 2);
	}
}

void conf_describe(FILE *out)
{
	keys_write(out, conf_schema.keys, 0);
}
