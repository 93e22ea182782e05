// SPDX-License-Identifier: BSD-3-Clause
// Walks the YAML document by the schema and stores its values in struct conf. The recursion is as
// deep as the schema, not as the file.

#include "gw/conf/load.h"

#include "gw/conf/document.h"
#include "gw/conf/marks.h"
#include "gw/conf/schema.h"
#include "gw/conf/value.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct loader {
	struct conf *conf;
	yaml_document_t *doc;
	struct conf_mistakes *mistakes;
	bool no_memory;
};

// The path from the root to a value, from which messages make its name: "ports[0].mtu".
struct trail {
	const struct trail *up;
	const char *key; // NULL: entry of a list
	size_t index;
};

#define TRAIL_MAX 256

static size_t trail_write(const struct trail *trail, char *buf, size_t room)
{
	if (!trail->up)
		return 0;

	size_t len = trail_write(trail->up, buf, room);
	char quoted[CONF_QUOTE_MAX];
	if (trail->key)
		len += snprintf(buf + len, room - len, "%s%s", len ? "." : "",
			conf_quote(quoted, trail->key));
	else
		len += snprintf(buf + len, room - len, "[%zu]", trail->index);
	return len < room ? len : room - 1;
}

__attribute__((format(printf, 4, 5))) static void complain(struct loader *l,
	const struct trail *trail, const yaml_mark_t *mark, const char *format, ...)
{
	char name[TRAIL_MAX] = "", text[CONF_TEXT_MAX];
	va_list args;

	trail_write(trail, name, sizeof(name));
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	conf_mistake(
		l->mistakes, conf_document_mark(mark), "%s%s%s", name, name[0] ? ": " : "", text);
}

static void mark_add(struct loader *l, const void *field, const yaml_node_t *node)
{
	if (conf_mark_add(l->conf, field, conf_document_mark(&node->start_mark)))
		l->no_memory = true;
}

static const char *node_kind(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE      ? "one value"
		: node->type == YAML_SEQUENCE_NODE ? "a list"
						   : "a map";
}

static const char *node_text(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

static bool node_plain(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

// Whether there is no value: an empty one, or YAML's words for null.
static bool node_null(const yaml_node_t *node)
{
	return node_plain(node) &&
		(!node_text(node)[0] || !strcmp(node_text(node), "~") ||
			!strcmp(node_text(node), "null"));
}

// Whether a scalar may be the value of a string key.
static bool text_check(struct loader *l, const struct trail *trail, const yaml_node_t *node)
{
	for (size_t i = 0; i < node->data.scalar.length; i++) {
		if (node->data.scalar.value[i] < 0x20 || node->data.scalar.value[i] == 0x7f) {
			complain(l, trail, &node->start_mark, "has a control character in it");
			return false;
		}
	}
	return true;
}

static bool node_is(struct loader *l, const struct trail *trail, const struct conf_key *key,
	const yaml_node_t *node, yaml_node_type_t type)
{
	char what[CONF_WHAT_MAX];

	if (node_null(node)) {
		complain(l, trail, &node->start_mark, "has no value; it must be %s",
			conf_key_what(key, what));
		return false;
	}
	if (node->type != type) {
		complain(l, trail, &node->start_mark, "must be %s, not %s",
			conf_key_what(key, what), node_kind(node));
		return false;
	}
	return true;
}

static void verdict_take(struct loader *l, const struct trail *trail, const yaml_node_t *node,
	enum conf_verdict verdict, const char *why)
{
	if (verdict == CONF_BAD)
		complain(l, trail, &node->start_mark, "%s", why);
	else if (verdict == CONF_NO_MEMORY)
		l->no_memory = true;
}

// Stores the line of a group in its struct, if that has a field for it.
static void line_set(
	struct loader *l, const struct conf_key *key, void *item, const yaml_node_t *node)
{
	unsigned *line = (unsigned *)((char *)item + key->line_offset);

	if (!key->line_offset)
		return;
	*line = node->start_mark.line + 1;
	mark_add(l, line, node);
}

static void scalar_load(struct loader *l, const struct trail *trail, const struct conf_key *key,
	const yaml_node_t *node, void *field)
{
	char why[CONF_WHY_MAX], what[CONF_WHAT_MAX];

	mark_add(l, field, node);
	if (!node_is(l, trail, key, node, YAML_SCALAR_NODE) || !text_check(l, trail, node))
		return;
	if ((key->type == CONF_INT || key->type == CONF_BOOL) && !node_plain(node)) {
		complain(l, trail, &node->start_mark, "must be %s, without quotes",
			conf_key_what(key, what));
		return;
	}

	enum conf_verdict verdict = conf_value_parse(key, node_text(node), field, why);
	verdict_take(l, trail, node, verdict, why);
	if (verdict == CONF_OK)
		line_set(l, key, field, node);
}

static void group_load(struct loader *l, const struct trail *trail, const struct conf_key *group,
	const yaml_node_t *at, const yaml_node_t *node, void *base);

// Returns the number of entries, or 0 after noting a mistake if the key allows fewer or more.
static size_t entries_check(struct loader *l, const struct trail *trail, const struct conf_key *key,
	const yaml_node_t *node, size_t entries)
{
	if (entries < key->min)
		complain(l, trail, &node->start_mark, "is empty; it needs at least one entry");
	else if (entries > key->max)
		complain(l, trail, &node->start_mark, "has %zu entries; there can be at most %lu",
			entries, (unsigned long)key->max);
	else
		return entries;
	return 0;
}

static yaml_node_t *node_at(const struct loader *l, int id)
{
	return yaml_document_get_node(l->doc, id);
}

static void item_load(struct loader *l, const struct trail *trail, const struct conf_key *item,
	const yaml_node_t *node, void *field)
{
	if (item->type == CONF_GROUP)
		group_load(l, trail, item, node, node, field);
	else
		scalar_load(l, trail, item, node, field);
}

static void *items_make(
	struct loader *l, const struct conf_key *key, size_t count, size_t size, void *base)
{
	void *items = calloc(count, size);

	if (!items) {
		l->no_memory = true;
		return NULL;
	}
	*(void **)((char *)base + key->offset) = items;
	*(size_t *)((char *)base + key->count_offset) = count;
	return items;
}

static void list_load(struct loader *l, const struct trail *trail, const struct conf_key *key,
	const yaml_node_t *node, void *base)
{
	mark_add(l, (char *)base + key->offset, node);
	if (key->alone && node->type == YAML_SCALAR_NODE && !node_null(node)) {
		void *item = items_make(l, key, 1, key->item->size, base);

		if (item)
			item_load(l, trail, key->item, node, item);
		return;
	}
	if (!node_is(l, trail, key, node, YAML_SEQUENCE_NODE))
		return;

	const yaml_node_item_t *ids = node->data.sequence.items.start;
	size_t count = entries_check(l, trail, key, node, node->data.sequence.items.top - ids);
	char *items = count ? items_make(l, key, count, key->item->size, base) : NULL;
	for (size_t i = 0; items && i < count && !l->no_memory; i++)
		item_load(l, &(struct trail){trail, NULL, i}, key->item, node_at(l, ids[i]),
			items + i * key->item->size);
}

static void set_load(struct loader *l, const struct trail *trail, const struct conf_key *key,
	const yaml_node_t *node, void *field)
{
	uint64_t set = 0, bit = 0;
	char why[CONF_WHY_MAX];

	mark_add(l, field, node);
	if (!node_is(l, trail, key, node, YAML_SEQUENCE_NODE))
		return;
	const yaml_node_item_t *ids = node->data.sequence.items.start;
	size_t count = entries_check(l, trail, key, node, node->data.sequence.items.top - ids);
	for (size_t i = 0; i < count; i++) {
		const struct trail here = {trail, NULL, i};
		const yaml_node_t *item = node_at(l, ids[i]);

		if (!node_is(l, &here, key->item, item, YAML_SCALAR_NODE))
			continue;
		enum conf_verdict verdict = conf_value_parse(key->item, node_text(item), &bit, why);
		verdict_take(l, &here, item, verdict, why);
		if (verdict == CONF_OK && set & bit)
			complain(l, &here, &item->start_mark, "%s is in the list twice",
				node_text(item));
		else if (verdict == CONF_OK)
			set |= bit;
	}
	conf_uint_store(field, key->size, set);
}

static bool core_add(struct loader *l, const struct trail *trail, const struct conf_key *key,
	const yaml_node_t *node, uint16_t *cores, size_t *count, unsigned core)
{
	if (*count == key->max) {
		complain(l, trail, &node->start_mark, "has more than %lu CPUs",
			(unsigned long)key->max);
		return false;
	}
	mark_add(l, &cores[*count], node); // it may stand there twice: see workers_check()
	cores[(*count)++] = core;
	return true;
}

static void cores_load(struct loader *l, const struct trail *trail, const struct conf_key *key,
	const yaml_node_t *node, void *base)
{
	char why[CONF_WHY_MAX];

	mark_add(l, (char *)base + key->offset, node);
	if (!node_is(l, trail, key, node, YAML_SEQUENCE_NODE))
		return;
	const yaml_node_item_t *ids = node->data.sequence.items.start;
	size_t entries = entries_check(l, trail, key, node, node->data.sequence.items.top - ids);
	uint16_t *cores = entries ? items_make(l, key, key->max, sizeof(cores[0]), base) : NULL;
	if (!cores)
		return;

	size_t *count = (size_t *)((char *)base + key->count_offset);
	bool room = true;
	*count = 0;
	for (size_t i = 0; i < entries && room; i++) {
		const struct trail here = {trail, NULL, i};
		const yaml_node_t *item = node_at(l, ids[i]);
		unsigned first, last;

		if (item->type != YAML_SCALAR_NODE) {
			complain(l, &here, &item->start_mark, "must be a number or a range, not %s",
				node_kind(item));
			continue;
		}
		enum conf_verdict verdict = conf_cores_parse(node_text(item), &first, &last, why);
		verdict_take(l, &here, item, verdict, why);
		for (unsigned core = first; verdict == CONF_OK && core <= last && room; core++)
			room = core_add(l, &here, key, item, cores, count, core);
	}
}

static void map_load(struct loader *l, const struct trail *trail, const struct conf_key *key,
	const yaml_node_t *node, void *base)
{
	if (!node_is(l, trail, key, node, YAML_MAPPING_NODE))
		return;

	mark_add(l, (char *)base + key->offset, node);
	const yaml_node_pair_t *pairs = node->data.mapping.pairs.start;
	size_t count = entries_check(l, trail, key, node, node->data.mapping.pairs.top - pairs);
	char *items = count ? items_make(l, key, count, key->item->size, base) : NULL;
	for (size_t i = 0; items && i < count && !l->no_memory; i++) {
		const yaml_node_t *name = node_at(l, pairs[i].key);
		char *item = items + i * key->item->size;

		if (name->type != YAML_SCALAR_NODE) {
			complain(l, trail, &name->start_mark, "a key must be one word, not %s",
				node_kind(name));
			continue;
		}
		const struct trail here = {trail, node_text(name), 0};
		scalar_load(l, &here, key->map_key, name, item);
		for (size_t j = 0; j < i; j++) {
			const yaml_node_t *other = node_at(l, pairs[j].key);
			if (other->type == YAML_SCALAR_NODE &&
				!strcmp(node_text(other), node_text(name)))
				complain(l, &here, &name->start_mark,
					"is there twice, the first time in line %zu",
					other->start_mark.line + 1);
		}
		group_load(l, &here, key->item, name, node_at(l, pairs[i].value), item);
	}
}

static void key_load(struct loader *l, const struct trail *trail, const struct conf_key *key,
	const yaml_node_t *name, const yaml_node_t *node, void *base)
{
	void *field = (char *)base + key->offset;

	switch (key->type) {
	case CONF_GROUP:
		group_load(l, trail, key, name, node, field);
		break;
	case CONF_LIST:
		list_load(l, trail, key, node, base);
		break;
	case CONF_MAP:
		map_load(l, trail, key, node, base);
		break;
	case CONF_CORES:
		cores_load(l, trail, key, node, base);
		break;
	case CONF_SET:
		set_load(l, trail, key, node, field);
		break;
	default:
		scalar_load(l, trail, key, node, field);
		break;
	}
}

// Stores the default of each key of the group that is not given.
static void presets_take(
	struct loader *l, const struct conf_key *keys, const yaml_node_t *const *given, void *base)
{
	char why[CONF_WHY_MAX];

	for (unsigned i = 0; keys[i].name; i++) {
		void *field = (char *)base + keys[i].offset;
		if (given && given[i])
			continue;
		if (keys[i].type == CONF_GROUP)
			presets_take(l, keys[i].keys, NULL, field);
		else if (keys[i].preset &&
			conf_value_parse(&keys[i], keys[i].preset, field, why) != CONF_OK)
			l->no_memory = true; // a test parses every default
	}
}

static void unknown_key(struct loader *l, const struct trail *trail, const struct conf_key *keys,
	const yaml_node_t *name)
{
	const char *nearest = NULL;

	if (!conf_mistakes_full(l->mistakes))
		nearest = conf_nearest(node_text(name), &keys->name, sizeof(*keys));
	complain(l, trail, &name->start_mark, "unknown key%s%s%s", nearest ? "; did you mean " : "",
		nearest ? nearest : "", nearest ? "?" : "");
}

// Writes the names of the keys that exclude each other: "pci, tap or memif".
static const char *choices_list(const struct conf_key *keys, char buf[CONF_WHAT_MAX])
{
	size_t len = 0;
	unsigned left = 0;

	for (unsigned i = 0; keys[i].name; i++)
		left += keys[i].choice != 0;
	for (unsigned i = 0; keys[i].name; i++) {
		if (!keys[i].choice)
			continue;
		left--;
		len += snprintf(buf + len, CONF_WHAT_MAX - len, "%s%s", keys[i].name,
			left > 1       ? ", "
				: left ? " or "
				       : "");
	}
	return buf;
}

// Whether a key may be given beside those given before it.
static bool choice_take(struct loader *l, const struct trail *trail, const struct conf_key *keys,
	unsigned k, const yaml_node_t *name, void *base)
{
	if (!keys[k].choice)
		return true;

	unsigned *choice = (unsigned *)((char *)base + keys[k].choice_offset);
	if (*choice) {
		unsigned before = 0;
		while (keys[before].choice != *choice)
			before++;
		complain(l, trail, &name->start_mark, "cannot stand beside %s", keys[before].name);
		return false;
	}
	*choice = keys[k].choice;
	return true;
}

static void pair_load(struct loader *l, const struct trail *trail, const struct conf_key *keys,
	const yaml_node_pair_t *pair, const yaml_node_t **given, void *base)
{
	const yaml_node_t *name = node_at(l, pair->key);
	unsigned k = 0;

	if (name->type != YAML_SCALAR_NODE) {
		complain(l, trail, &name->start_mark, "a key must be one word, not %s",
			node_kind(name));
		return;
	}
	const struct trail here = {trail, node_text(name), 0};
	while (keys[k].name && strcmp(keys[k].name, node_text(name)))
		k++;
	if (!keys[k].name) {
		unknown_key(l, &here, keys, name);
	} else if (given[k]) {
		complain(l, &here, &name->start_mark, "is there twice, the first time in line %zu",
			given[k]->start_mark.line + 1);
	} else {
		given[k] = name;
		if (choice_take(l, &here, keys, k, name, base))
			key_load(l, &here, &keys[k], name, node_at(l, pair->value), base);
	}
}

// Loads a group that is written as the value of one of its keys; the others have their defaults.
static void word_load(struct loader *l, const struct trail *trail, const struct conf_key *group,
	const yaml_node_t *node, void *base)
{
	const yaml_node_t *given[CONF_KEYS_MAX] = {NULL};
	const struct conf_key *key = group->keys;

	while (strcmp(key->name, group->word))
		key++;
	given[key - group->keys] = node;
	if (key->choice)
		*(unsigned *)((char *)base + key->choice_offset) = key->choice;
	scalar_load(l, trail, key, node, (char *)base + key->offset);
	presets_take(l, group->keys, given, base);
}

// `at` is where the group is named: its key, or itself in a list.
static void group_load(struct loader *l, const struct trail *trail, const struct conf_key *group,
	const yaml_node_t *at, const yaml_node_t *node, void *base)
{
	const yaml_node_t *given[CONF_KEYS_MAX] = {NULL};
	const struct conf_key *keys = group->keys;
	unsigned choices = 0, chosen = 0;
	char list[CONF_WHAT_MAX];

	line_set(l, group, base, at);
	if (group->word && node->type == YAML_SCALAR_NODE && !node_null(node)) {
		word_load(l, trail, group, node, base);
		return;
	}
	// A group whose keys are all commented out is an empty one.
	if (!node_null(node)) {
		if (!node_is(l, trail, group, node, YAML_MAPPING_NODE))
			return;
		const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
		for (; pair < node->data.mapping.pairs.top && !l->no_memory; pair++)
			pair_load(l, trail, keys, pair, given, base);
	}
	for (unsigned i = 0; keys[i].name; i++) {
		choices += keys[i].choice != 0;
		chosen += keys[i].choice && given[i];
		if (keys[i].required && !given[i])
			complain(l, trail, &at->start_mark, "needs the key %s", keys[i].name);
	}
	if (choices && !chosen)
		complain(l, trail, &at->start_mark, "needs one of the keys %s",
			choices_list(keys, list));
	presets_take(l, keys, given, base);
}

int conf_fill(struct conf *conf, yaml_document_t *doc, struct conf_mistakes *mistakes)
{
	struct loader l = {.conf = conf, .doc = doc, .mistakes = mistakes};

	const yaml_node_t *root = yaml_document_get_root_node(doc);

	group_load(&l, &(struct trail){NULL, NULL, 0}, &conf_schema, root, root, conf);
	return l.no_memory ? -ENOMEM : 0;
}
