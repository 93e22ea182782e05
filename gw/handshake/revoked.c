// SPDX-License-Identifier: BSD-3-Clause
// What a list names is one byte of kind and length, then the bytes of the key, in pieces of memory
// that never move. The hash table, without chains, has where each begins. It is made when their
// number is known, so that it never grows.

#include "gw/handshake/revoked.h"

#include "crypto/keyed_hash.h"
#include "dataplane/shared/memory.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX    EDHOC_HASH_LEN
#define PIECE      (256 << 10)                    // bytes
#define PIECES_MAX (REVOKED_FILE_MAX / PIECE + 1) // each entry is shorter than its line

enum kind { KIND_SHA256 = 0x80, KIND_SERIAL = 0x40 };

// In a piece without the bytes that it does not need. The first byte is never 0.
struct entry {
	uint8_t kind_len; // enum kind, and bytes of the key
	uint8_t key[KEY_MAX];
};

// The place of an entry among all.
struct place {
	uint32_t piece, at;
};

struct revoked {
	size_t count;
	unsigned line; // the last one that was taken
	uint8_t *piece[PIECES_MAX];
	uint32_t pieces;   // that there are
	uint32_t used;     // of the last one
	struct place next; // that is put into the table next
	uint32_t *slot;    // [slots] 1 + piece * PIECE + at; 0: empty
	size_t slots;      // a power of two
	size_t touched;    // of them, so far
	struct keyed_hash hash;
};

_Static_assert(TRUST_SERIAL_MAX <= KEY_MAX, "a serial number has room");
_Static_assert(KEY_MAX < KIND_SERIAL, "a length has room beside the kind");
_Static_assert((uint64_t)PIECES_MAX *PIECE < UINT32_MAX, "a slot has room for each place");

static size_t entry_len(const uint8_t *entry)
{
	return 1 + (size_t)(*entry & (KIND_SERIAL - 1));
}

static int entry_add(struct revoked *revoked, const struct entry *entry, struct error *error)
{
	const size_t len = entry_len(&entry->kind_len);

	if (!revoked->pieces || revoked->used + len > PIECE) {
		if (revoked->pieces == PIECES_MAX)
			return error_set(error, -EFBIG, "it names too many");
		uint8_t *piece = dp_map(PIECE, DP_MAP_LAZY);

		if (!piece)
			return error_set(error, -ENOMEM, "no memory");
		revoked->piece[revoked->pieces++] = piece;
		revoked->used = 0;
	}
	memcpy(revoked->piece[revoked->pieces - 1] + revoked->used, entry, len);
	revoked->used += (uint32_t)len;
	revoked->count++;
	return 0;
}

// --- The text

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
		entry->kind_len = KIND_SHA256;
	else if (word_take(&at, &len, "serial"))
		entry->kind_len = KIND_SERIAL;
	else
		return "neither sha256 nor serial";
	if (sodium_hex2bin(bytes, sizeof(bytes), at, len, ":", &n, &end) || end != at + len || !n)
		return "not hex, two digits a byte";
	if (entry->kind_len == KIND_SHA256 && n != EDHOC_HASH_LEN)
		return "a fingerprint has 64 digits";
	const uint8_t *from = bytes;

	// As credential_mark_read() has them.
	while (entry->kind_len == KIND_SERIAL && n && !*from) {
		from++;
		n--;
	}
	if (entry->kind_len == KIND_SERIAL && (!n || n > TRUST_SERIAL_MAX))
		return "a serial number is not 0 and has 20 bytes at most";
	entry->kind_len = (uint8_t)(entry->kind_len | n);
	memcpy(entry->key, from, n);
	return NULL;
}

static int line_take(struct revoked *revoked, const char *line, size_t len, struct error *error)
{
	const size_t n = line_trim(&line, len);
	struct entry entry;

	revoked->line++;
	if (!n)
		return 0;
	const char *wrong = entry_read(line, n, &entry);

	if (wrong)
		return error_set(error, -EINVAL, "line %u: %s", revoked->line, wrong);
	return entry_add(revoked, &entry, error);
}

ssize_t revoked_take(
	struct revoked *revoked, const char *text, size_t len, bool last, struct error *error)
{
	const char *at = text, *end = text + len;

	assert(!revoked->slot);
	while (at < end) {
		const char *feed = memchr(at, '\n', (size_t)(end - at));

		if (!feed && !last)
			break;
		const int rc = line_take(revoked, at, (size_t)((feed ? feed : end) - at), error);

		if (rc)
			return rc;
		at = feed ? feed + 1 : end;
	}
	if (end - at > REVOKED_LINE_MAX)
		return error_set(error, -EINVAL, "line %u: it has more than %d bytes",
			revoked->line + 1, REVOKED_LINE_MAX);
	return at - text;
}

// --- The table

static const uint8_t *entry_at(const struct revoked *revoked, uint32_t slot)
{
	return revoked->piece[(slot - 1) / PIECE] + (slot - 1) % PIECE;
}

// Both are of one length if their first bytes are equal.
static bool entry_equal(const uint8_t *a, const uint8_t *b)
{
	return *a == *b && !memcmp(a, b, entry_len(b));
}

// The slot that an entry has, or would have.
static uint32_t *slot_of(const struct revoked *revoked, const uint8_t *entry)
{
	size_t at = keyed_hash(&revoked->hash, entry, entry_len(entry)) & (revoked->slots - 1);

	while (revoked->slot[at] && !entry_equal(entry_at(revoked, revoked->slot[at]), entry))
		at = (at + 1) & (revoked->slots - 1);
	return &revoked->slot[at];
}

// The next entry to put into the table, and what its slot has then. NULL: there is none.
static const uint8_t *entry_next(struct revoked *revoked, uint32_t *slot)
{
	struct place *next = &revoked->next;

	if (next->piece == revoked->pieces)
		return NULL;
	// What no entry filled of a piece is 0.
	if (next->at == PIECE || !revoked->piece[next->piece][next->at]) {
		*next = (struct place){.piece = next->piece + 1};
		return entry_next(revoked, slot);
	}
	const uint8_t *entry = revoked->piece[next->piece] + next->at;

	*slot = 1 + next->piece * PIECE + next->at;
	next->at += (uint32_t)entry_len(entry);
	return entry;
}

static int table_begin(struct revoked *revoked, struct error *error)
{
	revoked->slots = 2;
	while (revoked->slots < 2 * revoked->count)
		revoked->slots *= 2;
	revoked->slot = dp_map(revoked->slots * sizeof(*revoked->slot), DP_MAP_LAZY);
	return revoked->slot ? 0 : error_set(error, -ENOMEM, "no memory");
}

// Touches the next so many slots, in their order: entries go anywhere, so that the first few of
// them would have the kernel make all huge pages of the table at once.
static void slots_touch(struct revoked *revoked, size_t most)
{
	if (most > revoked->slots - revoked->touched)
		most = revoked->slots - revoked->touched;
	memset(revoked->slot + revoked->touched, 0, most * sizeof(*revoked->slot));
	revoked->touched += most;
}

int revoked_index(struct revoked *revoked, size_t most, struct error *error)
{
	const uint8_t *entry;
	uint32_t slot;

	if (!revoked->slot)
		return table_begin(revoked, error) ? -ENOMEM : 1;
	if (revoked->touched < revoked->slots) {
		slots_touch(revoked, most);
		return 1;
	}
	for (; most; most--) {
		entry = entry_next(revoked, &slot);
		if (!entry)
			return 0;
		*slot_of(revoked, entry) = slot; // of two equal ones the last
	}
	return 1;
}

// --- Life

struct revoked *revoked_begin(void)
{
	struct revoked *revoked = calloc(1, sizeof(*revoked));

	if (revoked)
		keyed_hash_init(&revoked->hash);
	return revoked;
}

struct revoked *revoked_create(const char *text, size_t len, struct error *error)
{
	struct revoked *revoked = revoked_begin();

	if (!revoked) {
		error_set(error, -ENOMEM, "no memory");
		return NULL;
	}
	int rc = revoked_take(revoked, text, len, true, error) < 0 ? -EINVAL : 1;

	while (rc > 0)
		rc = revoked_index(revoked, SIZE_MAX, error);
	if (!rc)
		return revoked;
	revoked_free(revoked);
	return NULL;
}

void revoked_free(struct revoked *revoked)
{
	if (!revoked)
		return;
	for (uint32_t i = 0; i < revoked->pieces; i++)
		dp_unmap(revoked->piece[i], PIECE);
	dp_unmap(revoked->slot, revoked->slots * sizeof(*revoked->slot));
	free(revoked);
}

size_t revoked_count(const struct revoked *revoked)
{
	return revoked ? revoked->count : 0;
}

static bool has(const struct revoked *revoked, enum kind kind, const uint8_t *key, uint8_t len)
{
	struct entry entry = {.kind_len = (uint8_t)(kind | len)};

	memcpy(entry.key, key, len);
	return *slot_of(revoked, &entry.kind_len) != 0;
}

bool revoked_has(const struct revoked *revoked, const struct credential_mark *mark)
{
	if (!revoked)
		return false;
	assert(revoked->slot);
	return has(revoked, KIND_SHA256, mark->digest, sizeof(mark->digest)) ||
		(mark->serial_len && has(revoked, KIND_SERIAL, mark->serial, mark->serial_len));
}

bool revoked_has_any(const struct revoked *revoked, const struct credential_issuers *issuers)
{
	for (unsigned i = 0; i < issuers->count; i++)
		if (revoked_has(revoked, &issuers->mark[i]))
			return true;
	return false;
}
