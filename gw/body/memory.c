// SPDX-License-Identifier: BSD-3-Clause

#include "gw/body/table.h"

#include <stdlib.h>
#include <string.h>

#define EVICTIONS_MAX 1024 // for one request

// Who gives way to a holder that then has so many bytes, or NULL.
static struct body *victim_of(struct body_table *table, const struct body_holder *holder,
	size_t then, enum body_stat *why)
{
	struct body *body = TAILQ_FIRST(&table->delivered);

	*why = BODY_STAT_evicted_delivered;
	if (body)
		return body;
	body = TAILQ_FIRST(&table->idle);
	*why = BODY_STAT_evicted_idle;
	if (body && table->now_ms - body->used_ms >= table->config.keep_ms)
		return body;
	struct body_holder *largest = body_holder_largest(table);

	*why = BODY_STAT_evicted_largest;
	if (!largest || (largest != holder && largest->loose <= then))
		return NULL;
	return body_holder_oldest(largest);
}

// Sees that so many bytes more fit in the memory.
static bool room_make(struct body_table *table, const struct body_holder *holder, size_t bytes)
{
	size_t memory = table->config.memory, then = holder->bytes + bytes;
	enum body_stat why;

	if (bytes > memory / 2 || then > memory / 2)
		return false;
	for (unsigned i = 0; table->used + bytes > memory; i++) {
		struct body *body = i < EVICTIONS_MAX ? victim_of(table, holder, then, &why) : NULL;

		if (!body)
			return false;
		body_drop(table, body);
		body_count(table, why);
	}
	return true;
}

static bool holder_charge(struct body_table *table, struct body_holder *holder, size_t bytes)
{
	if (!room_make(table, holder, bytes)) {
		body_count(table, BODY_STAT_no_memory);
		return false;
	}
	body_holder_add(table, holder, bytes);
	return true;
}

bool body_charge(struct body_table *table, struct body *body, size_t bytes)
{
	if (!holder_charge(table, body->holder, bytes))
		return false;
	body->charged += bytes;
	return true;
}

bool body_grow(struct body_table *table, struct body *body, size_t len)
{
	size_t more = body_bytes_room(&body->bytes, len) - body->bytes.room;

	if (!body_charge(table, body, more))
		return false;
	if (body_bytes_grow(&body->bytes, len))
		return true;
	body->charged -= more;
	body_holder_sub(table, body->holder, more);
	body_count(table, BODY_STAT_no_memory);
	return false;
}

struct body *body_new(struct body_table *table, const struct body_request *r, size_t len)
{
	const struct body_bytes none = {0};
	size_t all = BODY_STRUCT_BYTES + (len ? body_bytes_room(&none, len) : 0);
	struct body_holder *holder = body_holder_get(table, r->context, r->generation);
	struct body *body = NULL;

	if (!holder) {
		body_count(table, BODY_STAT_no_memory);
		return NULL;
	}
	holder->claims++; // stays, whatever it gives
	bool room = holder->count < table->config.per_device;

	if (!room && (body = body_holder_oldest(holder))) {
		body_drop(table, body);
		body_count(table, BODY_STAT_evicted_own);
		room = true;
	}
	body = NULL;
	// Nobody gives way for the struct if the bytes behind it are refused then.
	if (room && room_make(table, holder, all))
		body = calloc(1, sizeof(*body));
	if (!body)
		body_count(table, BODY_STAT_no_memory);
	if (body) {
		body_holder_add(table, holder, BODY_STRUCT_BYTES);
		body->charged = BODY_STRUCT_BYTES;
		body->code = r->code;
		body->route = r->route;
		memcpy(body->key, r->key, sizeof(body->key));
		memcpy(body->digest, r->digest, sizeof(body->digest));
		body->content_format = r->content_format;
		body_insert(table, holder, body);
	}
	holder->claims--;
	body_holder_put(table, holder);
	return body;
}

bool body_claim(struct body_table *table, struct body_claim *claim, uint32_t context,
	uint32_t generation, size_t bytes)
{
	if (bytes <= claim->bytes)
		return true;
	if (!claim->bytes) {
		claim->holder = body_holder_get(table, context, generation);
		if (!claim->holder) {
			body_count(table, BODY_STAT_no_memory);
			return false;
		}
		claim->holder->claims++;
	}
	if (!holder_charge(table, claim->holder, bytes - claim->bytes)) {
		if (!claim->bytes) {
			claim->holder->claims--;
			body_holder_put(table, claim->holder);
			claim->holder = NULL;
		}
		return false;
	}
	claim->bytes = bytes;
	return true;
}

void body_unclaim(struct body_table *table, struct body_claim *claim)
{
	if (!claim->bytes)
		return;
	body_holder_sub(table, claim->holder, claim->bytes);
	claim->holder->claims--;
	body_holder_put(table, claim->holder);
	*claim = (struct body_claim){0};
}
