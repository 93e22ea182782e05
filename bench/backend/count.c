// SPDX-License-Identifier: BSD-3-Clause

#include "bench/backend/count.h"

#include "base/fnv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void be_count_init(struct be_count *c)
{
	*c = (struct be_count){.lock = PTHREAD_MUTEX_INITIALIZER};
}

static void *allocated(void *memory)
{
	if (memory)
		return memory;
	fputs("postern-backend: out of memory\n", stderr);
	exit(1);
}

// The place of a key: its own, or an empty one.
static struct be_key *key_place(struct be_count *c, const char *text)
{
	uint64_t hash = fnv_text(text);

	hash ^= hash >> 32;
	for (;; hash++) {
		struct be_key *key = &c->keys[hash & (c->keys_room - 1)];

		if (!key->text || !strcmp(key->text, text))
			return key;
	}
}

static void keys_grow(struct be_count *c)
{
	struct be_key *before = c->keys;
	size_t room = c->keys_room;

	c->keys_room = room ? room * 2 : 1024;
	c->keys = allocated(calloc(c->keys_room, sizeof(*c->keys)));
	for (size_t i = 0; i < room; i++)
		if (before[i].text)
			*key_place(c, before[i].text) = before[i];
	free(before);
}

void be_count_key(struct be_count *c, const char *text)
{
	pthread_mutex_lock(&c->lock);
	if (text) {
		if (2 * c->distinct >= c->keys_room)
			keys_grow(c);
		struct be_key *key = key_place(c, text);
		if (!key->text) {
			key->text = allocated(strdup(text));
			c->distinct++;
		}
		key->count++;
	} else {
		c->without_key++;
	}
	pthread_mutex_unlock(&c->lock);
}

void be_count_json(struct be_count *c, bool all, struct be_text *out)
{
	const char *comma = "";

	be_text_print(out,
		"{\"connections\":%" PRIu64 ",\"open\":%" PRIu64 ",\"requests\":%" PRIu64
		",\"answers\":%" PRIu64 ",\"malformed\":%" PRIu64 ",\"rekeys\":%" PRIu64
		",\"body_bytes\":%" PRIu64,
		c->connections, c->open, c->requests, c->answers, c->malformed, c->rekeys,
		c->body_bytes);
	pthread_mutex_lock(&c->lock);
	be_text_print(out, ",\"without_key\":%" PRIu64 ",\"distinct_keys\":%zu,\"%s\":{",
		c->without_key, c->distinct, all ? "keys" : "repeated");
	for (size_t i = 0; i < c->keys_room; i++) {
		if (!c->keys[i].text || (!all && c->keys[i].count < 2))
			continue;
		be_text_print(out, "%s", comma);
		be_text_json(out, c->keys[i].text, strlen(c->keys[i].text));
		be_text_print(out, ":%" PRIu64, c->keys[i].count);
		comma = ",";
	}
	pthread_mutex_unlock(&c->lock);
	be_text_print(out, "}}\n");
}

void be_count_free(struct be_count *c)
{
	for (size_t i = 0; i < c->keys_room; i++)
		free(c->keys[i].text);
	free(c->keys);
}
