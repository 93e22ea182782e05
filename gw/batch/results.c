// SPDX-License-Identifier: BSD-3-Clause

#include "gw/batch/results.h"

#include "gw/batch/json.h"

#include <stdbool.h>
#include <string.h>

#define HEX      16 // digits of a fingerprint
#define PIV_LEN  13 // digits, at most
#define ID_ROOM  (HEX + 1 + PIV_LEN + 4)
#define CONFLICT 1 // where a status stands: there were two, or one that is none of HTTP

struct results {
	struct json json;
	const struct batch_id *id;
	uint16_t *index; // number of a record and one, by a hash of its id; 0: free
	size_t index_mask;
	uint16_t *status;
	size_t count;
	bool found; // "items" or "results"
};

// ---- ids

static size_t hash(const struct batch_id *id)
{
	uint64_t x = (id->fingerprint ^ id->piv) * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(x >> 32);
}

static void index_make(struct results *r)
{
	size_t size = 4;

	while (size < 2 * r->count)
		size *= 2;
	r->index_mask = size - 1;
	memset(r->index, 0, size * sizeof(r->index[0]));
	for (size_t i = 0; i < r->count; i++) {
		size_t at = hash(&r->id[i]) & r->index_mask;

		while (r->index[at])
			at = (at + 1) & r->index_mask;
		r->index[at] = (uint16_t)(i + 1);
	}
}

// The number of a record, or -1.
static int index_find(const struct results *r, const struct batch_id *id)
{
	size_t at = hash(id) & r->index_mask;

	for (; r->index[at]; at = (at + 1) & r->index_mask) {
		const struct batch_id *have = &r->id[r->index[at] - 1];

		if (have->fingerprint == id->fingerprint && have->piv == id->piv)
			return r->index[at] - 1;
	}
	return -1;
}

static bool id_parse(const struct json *json, struct batch_id *id)
{
	uint8_t text[ID_ROOM];
	size_t len = json_unescape(json, text, sizeof(text)), i;

	*id = (struct batch_id){0};
	if (len == SIZE_MAX || len < HEX + 2 || len > HEX + 1 + PIV_LEN || text[HEX] != '-')
		return false;
	for (i = 0; i < HEX; i++) {
		uint8_t c = text[i];
		bool digit = c >= '0' && c <= '9';

		if (!digit && (c < 'a' || c > 'f'))
			return false;
		id->fingerprint = id->fingerprint << 4 | (uint64_t)(digit ? c - '0' : c - 'a' + 10);
	}
	for (i++; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' ||
			(text[i] == '0' && i == HEX + 1 && len > HEX + 2))
			return false;
		id->piv = id->piv * 10 + text[i] - '0';
	}
	return true;
}

// ---- statuses

// Three digits from 100 to 599, else CONFLICT.
static uint16_t status_of(const struct json *json)
{
	const uint8_t *t = json->text;

	if (json->len != 3 || t[0] < '1' || t[0] > '5')
		return CONFLICT;
	for (unsigned i = 1; i < 3; i++)
		if (t[i] < '0' || t[i] > '9')
			return CONFLICT;
	return (uint16_t)((t[0] - '0') * 100 + (t[1] - '0') * 10 + (t[2] - '0'));
}

struct item {
	struct batch_id id;
	bool has_id;
	uint16_t status;
	uint16_t inner; // the status one level deeper
};

static uint16_t status_join(uint16_t have, uint16_t status)
{
	return have && have != status ? CONFLICT : status;
}

// Reads what is inside of an item, behind its brace; `outer`: not one level deeper.
static bool item_read(struct results *r, struct item *item, bool outer)
{
	struct json *json = &r->json;
	enum json_token token;

	while ((token = json_next(json)) == TOKEN_NAME) {
		bool is_status = json_is(json, "status"), is_id = json_is(json, "id");

		token = json_next(json);
		if (is_status && token == TOKEN_NUMBER) {
			uint16_t *have = outer ? &item->status : &item->inner;

			*have = status_join(*have, status_of(json));
		} else if (outer && is_id && token == TOKEN_STRING) {
			item->has_id = !item->has_id && id_parse(json, &item->id);
		} else if (outer && token == TOKEN_OBJECT) {
			if (!item_read(r, item, false))
				return false;
		} else if (!json_skip(json, token)) {
			return false;
		}
	}
	return token == TOKEN_OBJECT_END;
}

static void status_take(struct results *r, size_t i, const struct item *item)
{
	uint16_t status = item->status ? item->status : item->inner;

	r->status[i] = status_join(r->status[i], status ? status : CONFLICT);
}

// Reads "items" or "results", from its value on.
static bool list_read(struct results *r, bool by_id)
{
	enum json_token token = json_next(&r->json);
	size_t position = 0;

	if (r->found || token != TOKEN_ARRAY)
		return false;
	r->found = true;
	while ((token = json_next(&r->json)) == TOKEN_OBJECT) {
		struct item item = {.status = 0};

		if (!item_read(r, &item, true))
			return false;
		if (by_id) {
			int i = item.has_id ? index_find(r, &item.id) : -1;

			if (i >= 0)
				status_take(r, (size_t)i, &item);
		} else if (position < r->count) {
			status_take(r, position++, &item);
		} else {
			return false; // more than there are: which is whose?
		}
	}
	return token == TOKEN_ARRAY_END && (by_id || position == r->count);
}

static enum batch_results results_read(struct results *r)
{
	struct json *json = &r->json;
	enum json_token token = json_next(json);

	if (token != TOKEN_OBJECT)
		return json_skip(json, token) && json_next(json) == TOKEN_END ? BATCH_RESULTS_NONE
									      : BATCH_RESULTS_WRONG;
	while ((token = json_next(json)) == TOKEN_NAME) {
		bool items = json_is(json, "items"), results = json_is(json, "results");

		if (items || results ? !list_read(r, results) : !json_skip(json, json_next(json)))
			return BATCH_RESULTS_WRONG;
	}
	if (token != TOKEN_OBJECT_END || json_next(json) != TOKEN_END)
		return BATCH_RESULTS_WRONG;
	return r->found ? BATCH_RESULTS_READ : BATCH_RESULTS_NONE;
}

enum batch_results batch_results_read(const uint8_t *body, size_t len, const struct batch_id *id,
	uint16_t *index, uint16_t *status, size_t count)
{
	struct results r = {.id = id, .index = index, .status = status, .count = count};

	memset(status, 0, count * sizeof(status[0]));
	index_make(&r);
	json_init_loose(&r.json, body, len);
	enum batch_results verdict = results_read(&r);
	for (size_t i = 0; i < count; i++)
		if (verdict == BATCH_RESULTS_WRONG || status[i] == CONFLICT)
			status[i] = 0;
	return verdict;
}
