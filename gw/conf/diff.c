// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/diff.h"

#include "gw/conf/schema.h"

#include <string.h>

struct differ {
	conf_diff_fn *each;
	void *arg;
};

// The way from the root to a value, as its name is written.
struct way {
	char name[CONF_DIFF_KEY_MAX];
	enum conf_effect effect;
};

static struct way way_key(const struct way *up, const struct conf_key *key)
{
	struct way way = {.effect = key->effect != CONF_AS_GROUP ? key->effect : up->effect};

	snprintf(way.name, sizeof(way.name), "%.200s%s%.60s", up->name, up->name[0] ? "." : "",
		key->name);
	return way;
}

static struct way way_name(const struct way *up, const char *name)
{
	struct way way = {.effect = up->effect};

	snprintf(way.name, sizeof(way.name), "%.200s.%.64s", up->name, name);
	return way;
}

static struct way way_place(const struct way *up, size_t place)
{
	struct way way = {.effect = up->effect};

	snprintf(way.name, sizeof(way.name), "%.200s[%zu]", up->name, place);
	return way;
}

static void tell(const struct differ *d, const struct way *way, enum conf_change change)
{
	d->each(d->arg, way->name, change, way->effect);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same_scalar(const struct conf_key *key, const void *a, const void *b)
{
	switch (key->type) {
	case CONF_STRING:
	case CONF_PATH:
	case CONF_BASE:
		return same_text(*(char *const *)a, *(char *const *)b);
	case CONF_URL:
		return same_text(((const struct conf_server *)a)->text,
			((const struct conf_server *)b)->text);
	case CONF_PATTERN:
		return same_text(((const struct conf_pattern *)a)->text,
			((const struct conf_pattern *)b)->text);
	case CONF_PREFIX: {
		const struct conf_prefix *p = a, *q = b;

		return p->family == q->family && p->len == q->len &&
			!memcmp(p->addr, q->addr, sizeof(p->addr));
	}
	default:
		return !memcmp(a, b, key->size);
	}
}

static void group_diff(const struct differ *d, const struct way *way, const struct conf_key *group,
	const void *a, const void *b);

static void item_diff(const struct differ *d, const struct way *way, const struct conf_key *item,
	const void *a, const void *b)
{
	if (item->type == CONF_GROUP)
		group_diff(d, way, item, a, b);
	else if (!same_scalar(item, a, b))
		tell(d, way, CONF_CHANGED);
}

struct items {
	const char *at;
	size_t count;
};

static struct items items_of(const struct conf_key *key, const void *base)
{
	return (struct items){
		.at = *(char *const *)((const char *)base + key->offset),
		.count = *(const size_t *)((const char *)base + key->count_offset),
	};
}

static void list_diff(const struct differ *d, const struct way *way, const struct conf_key *key,
	const void *a, const void *b)
{
	struct items old = items_of(key, a), new = items_of(key, b);
	size_t most = old.count > new.count ? old.count : new.count, size = key->item->size;

	for (size_t i = 0; i < most; i++) {
		struct way here = way_place(way, i);

		if (i >= old.count)
			tell(d, &here, CONF_ADDED);
		else if (i >= new.count)
			tell(d, &here, CONF_REMOVED);
		else
			item_diff(d, &here, key->item, old.at + i * size, new.at + i *size);
	}
}

// The struct of an entry begins with its name.
static const char *name_at(const struct conf_key *key, const struct items *items, size_t i)
{
	return *(char *const *)(items->at + i * key->item->size);
}

static const char *named(const struct conf_key *key, const struct items *items, const char *name)
{
	for (size_t i = 0; i < items->count; i++)
		if (same_text(name_at(key, items, i), name))
			return items->at + i * key->item->size;
	return NULL;
}

static void map_diff(const struct differ *d, const struct way *way, const struct conf_key *key,
	const void *a, const void *b)
{
	struct items old = items_of(key, a), new = items_of(key, b);

	for (size_t i = 0; i < old.count; i++) {
		const char *name = name_at(key, &old, i), *other = named(key, &new, name);
		struct way here = way_name(way, name);

		if (other)
			item_diff(d, &here, key->item, old.at + i * key->item->size, other);
		else
			tell(d, &here, CONF_REMOVED);
	}
	for (size_t i = 0; i < new.count; i++) {
		struct way here = way_name(way, name_at(key, &new, i));

		if (!named(key, &old, name_at(key, &new, i)))
			tell(d, &here, CONF_ADDED);
	}
}

static void cores_diff(const struct differ *d, const struct way *way, const struct conf_key *key,
	const void *a, const void *b)
{
	struct items old = items_of(key, a), new = items_of(key, b);

	if (old.count != new.count || memcmp(old.at, new.at, old.count * sizeof(uint16_t)))
		tell(d, way, CONF_CHANGED);
}

static void key_diff(const struct differ *d, const struct way *up, const struct conf_key *key,
	const void *a, const void *b)
{
	const void *old = (const char *)a + key->offset, *new = (const char *)b + key->offset;
	const bool is_whole = key->type != CONF_GROUP && key->type != CONF_LIST &&
		key->type != CONF_MAP && key->type != CONF_CORES;

	// Most keys are the same: their names are of no interest.
	if (is_whole && same_scalar(key, old, new))
		return;
	struct way way = way_key(up, key);

	switch (key->type) {
	case CONF_GROUP:
		group_diff(d, &way, key, old, new);
		break;
	case CONF_LIST:
		list_diff(d, &way, key, a, b);
		break;
	case CONF_MAP:
		map_diff(d, &way, key, a, b);
		break;
	case CONF_CORES:
		cores_diff(d, &way, key, a, b);
		break;
	default:
		tell(d, &way, CONF_CHANGED);
		break;
	}
}

// Keys that exclude each other share a field: which one it is stands in another.
static bool is_chosen(const struct conf_key *key, const void *base)
{
	return !key->choice ||
		*(const unsigned *)((const char *)base + key->choice_offset) == key->choice;
}

static void group_diff(const struct differ *d, const struct way *way, const struct conf_key *group,
	const void *a, const void *b)
{
	for (const struct conf_key *key = group->keys; key->name; key++) {
		bool old = is_chosen(key, a), new = is_chosen(key, b);

		if (old && new) {
			key_diff(d, way, key, a, b);
		} else if (old || new) {
			struct way here = way_key(way, key);

			tell(d, &here, old ? CONF_REMOVED : CONF_ADDED);
		}
	}
}

void conf_diff(const struct conf *before, const struct conf *after, conf_diff_fn *each, void *arg)
{
	const struct way root = {.effect = CONF_AT_START};
	const struct differ d = {.each = each, .arg = arg};

	group_diff(&d, &root, &conf_schema, before, after);
}
