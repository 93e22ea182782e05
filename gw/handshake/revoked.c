// SPDX-License-Identifier: BSD-3-Clause
// The list is sorted, so that a look-up takes as long in one of a million.

#include "gw/handshake/revoked.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX EDHOC_HASH_LEN

enum kind { KIND_SHA256, KIND_SERIAL };

struct entry {
	uint8_t kind, len;
	uint8_t key[KEY_MAX];
};

struct revoked {
	size_t count, room;
	struct entry *entry;
};

_Static_assert(TRUST_SERIAL_MAX <= KEY_MAX, "a serial number has room");

static int entry_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct entry));
}

static int entry_add(struct revoked *revoked, const struct entry *entry)
{
	if (revoked->count == revoked->room) {
		const size_t room = revoked->room ? 2 * revoked->room : 64;
		struct entry *grown = reallocarray(revoked->entry, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		revoked->entry = grown;
		revoked->room = room;
	}
	revoked->entry[revoked->count++] = *entry;
	return 0;
}

// What is left of a line without blanks at either end and without what follows a #.
static size_t line_trim(const char **line, size_t len)
{
	const char *mark = memchr(*line, '#', len);

	if (mark)
		len = (size_t)(mark - *line);
	while (len && strchr(" \t\r", (*line)[len - 1]))
		len--;
	while (len && strchr(" \t", **line)) {
		++*line;
		len--;
	}
	return len;
}

// Takes a word and the blanks behind it off the front.
static bool word_take(const char **at, size_t *len, const char *word)
{
	const size_t n = strlen(word);

	if (*len <= n || memcmp(*at, word, n) != 0 || !strchr(" \t=", (*at)[n]))
		return false;
	*at += n;
	*len -= n;
	while (*len && strchr(" \t=", **at)) {
		++*at;
		--*len;
	}
	return true;
}

static const char *entry_read(const char *at, size_t len, struct entry *entry)
{
	uint8_t bytes[KEY_MAX + 1];
	const char *end;
	size_t n;

	memset(entry, 0, sizeof(*entry));
	if (word_take(&at, &len, "sha256"))
		entry->kind = KIND_SHA256;
	else if (word_take(&at, &len, "serial"))
		entry->kind = KIND_SERIAL;
	else
		return "neither sha256 nor serial";
	if (sodium_hex2bin(bytes, sizeof(bytes), at, len, ":", &n, &end) || end != at + len || !n)
		return "not hex, two digits a byte";
	if (entry->kind == KIND_SHA256 && n != EDHOC_HASH_LEN)
		return "a fingerprint has 64 digits";
	const uint8_t *from = bytes;

	// As credential_mark_read() has them.
	while (entry->kind == KIND_SERIAL && n && !*from) {
		from++;
		n--;
	}
	if (entry->kind == KIND_SERIAL && (!n || n > TRUST_SERIAL_MAX))
		return "a serial number is not 0 and has 20 bytes at most";
	entry->len = (uint8_t)n;
	memcpy(entry->key, from, n);
	return NULL;
}

static int list_read(struct revoked *revoked, const char *text, size_t len, struct error *error)
{
	struct entry entry;
	unsigned number = 0;

	for (const char *end = text + len; text < end;) {
		const char *feed = memchr(text, '\n', (size_t)(end - text));
		const char *next = feed ? feed + 1 : end, *line = text;
		const size_t n = line_trim(&line, (size_t)((feed ? feed : end) - text));

		number++;
		text = next;
		if (!n)
			continue;
		const char *wrong = entry_read(line, n, &entry);

		if (wrong)
			return error_set(error, -EINVAL, "line %u: %s", number, wrong);
		if (entry_add(revoked, &entry))
			return error_set(error, -ENOMEM, "no memory");
	}
	return 0;
}

struct revoked *revoked_create(const char *text, size_t len, struct error *error)
{
	struct revoked *revoked = calloc(1, sizeof(*revoked));

	if (!revoked) {
		error_set(error, -ENOMEM, "no memory");
		return NULL;
	}
	if (list_read(revoked, text, len, error)) {
		revoked_free(revoked);
		return NULL;
	}
	if (revoked->count)
		qsort(revoked->entry, revoked->count, sizeof(*revoked->entry), entry_compare);
	return revoked;
}

void revoked_free(struct revoked *revoked)
{
	if (revoked)
		free(revoked->entry);
	free(revoked);
}

size_t revoked_count(const struct revoked *revoked)
{
	return revoked ? revoked->count : 0;
}

static bool has(const struct revoked *revoked, enum kind kind, const uint8_t *key, uint8_t len)
{
	struct entry entry = {.kind = (uint8_t)kind, .len = len};

	memcpy(entry.key, key, len);
	return bsearch(&entry, revoked->entry, revoked->count, sizeof(entry), entry_compare);
}

bool revoked_has(const struct revoked *revoked, const struct credential_mark *mark)
{
	if (!revoked || !revoked->count)
		return false;
	return has(revoked, KIND_SHA256, mark->digest, sizeof(mark->digest)) ||
		(mark->serial_len && has(revoked, KIND_SERIAL, mark->serial, mark->serial_len));
}
