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

// Finds the text of an entity tag, without quotes. false if there is none that is wanted.
static bool text_find(const char *value, bool weak, const char **text, size_t *len)
{
	if (!strncmp(value, "W/", 2)) {
		if (!weak)
			return false;
		value += 2;
	}
	if (*value != '"')
		return false;
	*text = value + 1;
	*len = strcspn(*text, "\"");
	if (!*len || *len > MAP_ETAG_TEXT_MAX || strcmp(*text + *len, "\""))
		return false;
	for (size_t i = 0; i < *len; i++) // RFC 9110 section 8.8.3: etagc
		if ((uint8_t)(*text)[i] < 0x21 || (*text)[i] == 0x7f)
			return false;
	return true;
}

// The hash of a text and a format. No text has a quotation mark, so no two of them are mixed alike.
static void hash_make(const struct map_etags *etags, const char *text, size_t len, int format,
	uint8_t hash[MAP_ETAG_MAX])
{
	uint8_t mixed[MAP_ETAG_TEXT_MAX + 3];

	memcpy(mixed, text, len);
	if (format != MAP_ETAG_AS_SENT) {
		mixed[len++] = '"';
		mixed[len++] = (uint8_t)(format >> 8);
		mixed[len++] = (uint8_t)format;
	}
	crypto_shorthash(hash, mixed, len, etags->key);
}

static void hash_remember(
	struct map_etags *etags, const char *text, size_t len, int format, struct map_etag *etag)
{
	uint64_t hash;

	hash_make(etags, text, len, format, etag->bytes);
	etag->len = MAP_ETAG_MAX;
	memcpy(&hash, etag->bytes, sizeof(hash));
	remember(etags, hash, text, len);
}

bool map_etag_from_http(
	struct map_etags *etags, const char *value, bool weak, struct map_etag *etag)
{
	const char *text;
	size_t len;

	if (!text_find(value, weak, &text, &len))
		return false;
	if (!from_hex(text, len, etag))
		hash_remember(etags, text, len, MAP_ETAG_AS_SENT, etag);
	return true;
}

bool map_etag_from_translated(struct map_etags *etags, const char *value, bool weak,
	uint16_t format, struct map_etag *etag)
{
	const char *text;
	size_t len;

	if (!text_find(value, weak, &text, &len))
		return false;
	hash_remember(etags, text, len, format, etag);
	return true;
}

static const struct entry *entry_find(
	const struct map_etags *etags, const uint8_t *bytes, size_t len)
{
	uint64_t hash;

	if (len != sizeof(hash))
		return NULL;
	memcpy(&hash, bytes, sizeof(hash));
	const struct entry *set = etags->entry[hash % SETS];
	for (const struct entry *e = set; e < set + WAYS; e++)
		if (e->len && e->hash == hash)
			return e;
	return NULL;
}

bool map_etag_is_of(const struct map_etags *etags, const uint8_t *bytes, size_t len, int format)
{
	const struct entry *found = entry_find(etags, bytes, len);
	uint8_t hash[MAP_ETAG_MAX];

	if (!found)
		return format == MAP_ETAG_AS_SENT;
	hash_make(etags, found->text, found->len, format, hash);
	return !memcmp(hash, bytes, sizeof(hash));
}

void map_etag_to_http(
	const struct map_etags *etags, struct http_text *text, const uint8_t *bytes, size_t len)
{
	const struct entry *found = entry_find(etags, bytes, len);

	http_text_char(text, '"');
	if (found)
		http_text_put(text, found->text, found->len);
	else
		http_text_hex(text, bytes, len);
	http_text_char(text, '"');
}
