// SPDX-License-Identifier: BSD-3-Clause

#include "gw/map/etag.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 4
#define SETS (MAP_ETAG_ENTRIES / WAYS)

struct entry {
	uint64_t hash;
	uint32_t used; // value of the clock when it was last sent or asked for
	uint8_t len;   // of text; 0: free
	char text[MAP_ETAG_TEXT_MAX];
};

_Static_assert(sizeof(struct entry) == 128, "two cache lines");
_Static_assert(MAP_ETAG_KEY_LEN == crypto_shorthash_KEYBYTES, "SipHash");
_Static_assert(MAP_ETAG_MAX == crypto_shorthash_BYTES, "SipHash");

struct map_etags {
	uint8_t key[MAP_ETAG_KEY_LEN];
	uint32_t clock;
	struct entry entry[SETS][WAYS];
};

struct map_etags *map_etags_create(const uint8_t key[MAP_ETAG_KEY_LEN])
{
	struct map_etags *etags = calloc(1, sizeof(*etags));

	if (etags)
		memcpy(etags->key, key, MAP_ETAG_KEY_LEN);
	return etags;
}

void map_etags_free(struct map_etags *etags)
{
	free(etags);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool from_hex(const char *text, size_t len, struct map_etag *etag)
{
	if (len < 2 || len > 2 * MAP_ETAG_MAX || len % 2)
		return false;
	for (size_t i = 0; i < len; i += 2) {
		int high = hex_value(text[i]), low = hex_value(text[i + 1]);

		if (high < 0 || low < 0)
			return false;
		etag->bytes[i / 2] = (uint8_t)(high << 4 | low);
	}
	etag->len = (uint8_t)(len / 2);
	return true;
}

static void remember(struct map_etags *etags, uint64_t hash, const char *text, size_t len)
{
	struct entry *set = etags->entry[hash % SETS], *victim = set;

	etags->clock++;
	for (struct entry *e = set; e < set + WAYS; e++) {
		if (e->len && e->hash == hash) {
			e->used = etags->clock;
			return;
		}
		if (!e->len || (victim->len && e->used < victim->used))
			victim = e;
	}
	victim->hash = hash;
	victim->used = etags->clock;
	victim->len = (uint8_t)len;
	memcpy(victim->text, text, len);
}

bool map_etag_from_http(
	struct map_etags *etags, const char *value, bool weak, struct map_etag *etag)
{
	uint64_t hash;

	if (!strncmp(value, "W/", 2)) {
		if (!weak)
			return false;
		value += 2;
	}
	if (*value != '"')
		return false;
	const char *text = value + 1;
	size_t len = strcspn(text, "\"");
	if (!len || len > MAP_ETAG_TEXT_MAX || strcmp(text + len, "\""))
		return false;
	for (size_t i = 0; i < len; i++) // RFC 9110 section 8.8.3: etagc
		if ((uint8_t)text[i] < 0x21 || text[i] == 0x7f)
			return false;
	if (from_hex(text, len, etag))
		return true;
	crypto_shorthash(etag->bytes, (const uint8_t *)text, len, etags->key);
	etag->len = MAP_ETAG_MAX;
	memcpy(&hash, etag->bytes, sizeof(hash));
	remember(etags, hash, text, len);
	return true;
}

void map_etag_to_http(
	const struct map_etags *etags, struct http_text *text, const uint8_t *bytes, size_t len)
{
	const struct entry *found = NULL;
	uint64_t hash;

	if (len == sizeof(hash)) {
		memcpy(&hash, bytes, sizeof(hash));
		const struct entry *set = etags->entry[hash % SETS];
		for (const struct entry *e = set; e < set + WAYS; e++)
			if (e->len && e->hash == hash)
				found = e;
	}
	http_text_char(text, '"');
	if (found)
		http_text_put(text, found->text, found->len);
	else
		http_text_hex(text, bytes, len);
	http_text_char(text, '"');
}
