// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/show.h"

#include "gw/conf/schema.h"
#include "gw/conf/units.h"
#include "gw/conf/value.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define HIDDEN "(hidden)"

struct shower {
	const struct conf *conf;
	conf_show_fn *each;
	void *arg;
};

// The way from the root to a value.
struct way {
	char name[CONF_DIFF_KEY_MAX];
	enum conf_effect effect;
};

// A text that grows, and is cut where its room ends.
struct text {
	char text[CONF_SHOWN_MAX];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(t->text + t->len, sizeof(t->text) - t->len, format, args);
	va_end(args);
	if (n > 0)
		t->len += (size_t)n;
	if (t->len >= sizeof(t->text))
		t->len = sizeof(t->text) - 1;
}

static bool word_add(struct text *t, const struct conf_word *words, uint64_t value)
{
	for (const struct conf_word *word = words; word->word; word++)
		if (word->value == value) {
			add(t, "%s", word->word);
			return true;
		}
	return false;
}

static void set_add(struct text *t, const struct conf_key *key, uint64_t set)
{
	unsigned count = 0;

	add(t, "[");
	for (const struct conf_word *word = key->item->words; word->word; word++)
		if (set & word->value)
			add(t, "%s%s", count++ ? ", " : "", word->word);
	add(t, "]");
}

static void prefix_add(struct text *t, const struct conf_prefix *prefix)
{
	char address[INET6_ADDRSTRLEN];

	if (inet_ntop(prefix->family, prefix->addr, address, sizeof(address)))
		add(t, "%s/%u", address, prefix->len);
}

static void number_add(struct text *t, const struct conf_key *key, const void *field)
{
	const uint64_t value = conf_uint_fetch(field, key->size);
	char text[64];

	switch (key->type) {
	case CONF_DURATION:
		conf_duration_format(value, text, sizeof(text));
		add(t, "%s", text);
		break;
	case CONF_SIZE:
		conf_size_format(value, text, sizeof(text));
		add(t, "%s", text);
		break;
	case CONF_PERCENT:
		add(t, "%" PRIu64 "%%", value);
		break;
	case CONF_MODE:
		add(t, "\"%04" PRIo64 "\"", value);
		break;
	case CONF_ENUM:
		if (!word_add(t, key->words, value))
			add(t, "%" PRIu64, value);
		break;
	case CONF_SET:
		set_add(t, key, value);
		break;
	default:
		add(t, "%" PRIu64, value);
		break;
	}
}

// Writes a value. False if there is none.
static bool value_add(struct text *t, const struct conf_key *key, const void *field)
{
	const char *text = NULL;

	switch (key->type) {
	case CONF_STRING:
	case CONF_PATH:
	case CONF_BASE:
		text = *(char *const *)field;
		break;
	case CONF_URL:
		text = ((const struct conf_server *)field)->text;
		break;
	case CONF_PATTERN:
		text = ((const struct conf_pattern *)field)->text;
		break;
	case CONF_PREFIX:
		prefix_add(t, field);
		return true;
	case CONF_BOOL:
		add(t, "%s", *(const bool *)field ? "true" : "false");
		return true;
	default:
		number_add(t, key, field);
		return true;
	}
	if (text)
		add(t, "%s", text);
	return text != NULL;
}

static void tell(const struct shower *s, const struct way *way, const char *value, bool given)
{
	const struct conf_shown shown = {
		.key = way->name, .value = value, .given = given, .effect = way->effect};

	s->each(s->arg, &shown);
}

static void scalar_show(const struct shower *s, const struct way *way, const struct conf_key *key,
	const void *field, bool given)
{
	struct text t = {.len = 0};

	if (value_add(&t, key, field))
		tell(s, way, key->hidden ? HIDDEN : t.text, given || conf_line(s->conf, field));
}

static void group_show(const struct shower *s, const struct way *way, const struct conf_key *group,
	const void *base);

static void cores_show(
	const struct shower *s, const struct way *way, const struct conf_key *key, const void *base)
{
	const uint16_t *cores = *(uint16_t *const *)((const char *)base + key->offset);
	const size_t count = *(const size_t *)((const char *)base + key->count_offset);
	struct text t = {.len = 0};

	add(&t, "[");
	for (size_t i = 0; i < count; i++)
		add(&t, "%s%u", i ? ", " : "", cores[i]);
	add(&t, "]");
	tell(s, way, t.text, conf_line(s->conf, (const char *)base + key->offset));
}

// The struct of an entry of a map begins with its name.
static void items_show(
	const struct shower *s, const struct way *up, const struct conf_key *key, const void *base)
{
	const char *at = *(char *const *)((const char *)base + key->offset);
	const size_t count = *(const size_t *)((const char *)base + key->count_offset);

	for (size_t i = 0; i < count; i++, at += key->item->size) {
		struct way way = {.effect = up->effect};

		if (key->type == CONF_MAP)
			snprintf(way.name, sizeof(way.name), "%.200s.%.64s", up->name,
				*(char *const *)at);
		else
			snprintf(way.name, sizeof(way.name), "%.200s[%zu]", up->name, i);
		if (key->item->type == CONF_GROUP)
			group_show(s, &way, key->item, at);
		else
			scalar_show(s, &way, key->item, at, true);
	}
}

static void key_show(
	const struct shower *s, const struct way *up, const struct conf_key *key, const void *base)
{
	const void *field = (const char *)base + key->offset;
	struct way way = {.effect = key->effect != CONF_AS_GROUP ? key->effect : up->effect};

	snprintf(way.name, sizeof(way.name), "%.200s%s%.60s", up->name, up->name[0] ? "." : "",
		key->name);
	switch (key->type) {
	case CONF_GROUP:
		group_show(s, &way, key, field);
		break;
	case CONF_LIST:
	case CONF_MAP:
		items_show(s, &way, key, base);
		break;
	case CONF_CORES:
		cores_show(s, &way, key, base);
		break;
	default:
		scalar_show(s, &way, key, field, false);
		break;
	}
}

static void group_show(const struct shower *s, const struct way *way, const struct conf_key *group,
	const void *base)
{
	for (const struct conf_key *key = group->keys; key->name; key++)
		if (!key->choice ||
			*(const unsigned *)((const char *)base + key->choice_offset) == key->choice)
			key_show(s, way, key, base);
}

void conf_show(const struct conf *conf, conf_show_fn *each, void *arg)
{
	const struct shower s = {.conf = conf, .each = each, .arg = arg};
	const struct way root = {.effect = CONF_AT_START};

	group_show(&s, &root, &conf_schema, conf);
}
