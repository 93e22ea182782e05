// SPDX-License-Identifier: BSD-3-Clause

#include "gw/body/table.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BODIES_A_TURN 64 // that expire

static void bytes_set(struct body_table *table)
{
	__atomic_store_n(&table->stat[BODY_STAT_bytes], table->used, __ATOMIC_RELAXED);
}

// ---- holders

static struct body_holder_chain *holder_chain(struct body_table *table, uint32_t context)
{
	return &table->holders[(context * UINT64_C(0x9e3779b97f4a7c15) >> 32) & table->mask];
}

// Four classes for each power of two.
static unsigned class_of(size_t bytes)
{
	unsigned log = 63 - (unsigned)__builtin_clzll(bytes | 4);

	return log * 4 + (bytes >> (log - 2) & 3);
}

static void class_enter(struct body_table *table, struct body_holder *holder)
{
	unsigned class = class_of(holder->loose);

	if (!holder->loose)
		return;
	TAILQ_INSERT_TAIL(&table->class[class], holder, of_class);
	table->class_map[class / 64] |= UINT64_C(1) << class % 64;
}

static void class_leave(struct body_table *table, struct body_holder *holder)
{
	unsigned class = class_of(holder->loose);

	if (!holder->loose)
		return;
	TAILQ_REMOVE(&table->class[class], holder, of_class);
	if (TAILQ_EMPTY(&table->class[class]))
		table->class_map[class / 64] &= ~(UINT64_C(1) << class % 64);
}

struct body_holder *body_holder_largest(const struct body_table *table)
{
	for (unsigned i = BODY_CLASSES / 64; i--;)
		if (table->class_map[i])
			return TAILQ_FIRST(&table->class[i * 64 + 63 -
				(unsigned)__builtin_clzll(table->class_map[i])]);
	return NULL;
}

struct body *body_holder_oldest(const struct body_holder *holder)
{
	struct body *body;

	TAILQ_FOREACH(body, &holder->bodies, of_holder)
	if (body->listed)
		return body;
	return NULL;
}

// They are lost with their device, its keys or their route.
static void body_lose(struct body_table *table, struct body *body)
{
	if (body->findable)
		body_count(table, BODY_STAT_lost);
	body_drop(table, body);
}

static void holder_drop_bodies(struct body_table *table, struct body_holder *holder)
{
	struct body *body, *next;

	for (body = TAILQ_FIRST(&holder->bodies); body; body = next) {
		next = TAILQ_NEXT(body, of_holder);
		body_lose(table, body);
	}
}

static struct body_holder *holder_at(struct body_table *table, uint32_t context)
{
	struct body_holder *holder;

	LIST_FOREACH (holder, holder_chain(table, context), chain)
		if (holder->context == context)
			return holder;
	return NULL;
}

struct body_holder *body_holder_find(
	struct body_table *table, uint32_t context, uint32_t generation)
{
	struct body_holder *holder = holder_at(table, context);

	if (!holder || holder->generation == generation)
		return holder;
	if ((int32_t)(generation - holder->generation) < 0)
		return NULL;
	holder->claims++; // stays, though it has no bodies for now
	holder_drop_bodies(table, holder);
	holder->claims--;
	holder->generation = generation;
	return holder;
}

struct body_holder *body_holder_get(struct body_table *table, uint32_t context, uint32_t generation)
{
	struct body_holder *holder = body_holder_find(table, context, generation);

	if (holder || holder_at(table, context))
		return holder;
	holder = calloc(1, sizeof(*holder));
	if (!holder)
		return NULL;
	holder->context = context;
	holder->generation = generation;
	TAILQ_INIT(&holder->bodies);
	LIST_INSERT_HEAD(holder_chain(table, context), holder, chain);
	return holder;
}

void body_holder_put(struct body_table *table, struct body_holder *holder)
{
	(void)table;
	if (holder->count || holder->claims)
		return;
	assert(!holder->bytes && !holder->loose);
	LIST_REMOVE(holder, chain);
	free(holder);
}

void body_holder_add(struct body_table *table, struct body_holder *holder, size_t bytes)
{
	holder->bytes += bytes;
	table->used += bytes;
	bytes_set(table);
}

void body_holder_sub(struct body_table *table, struct body_holder *holder, size_t bytes)
{
	assert(holder->bytes >= bytes && table->used >= bytes);
	holder->bytes -= bytes;
	table->used -= bytes;
	bytes_set(table);
}

void body_device_gone(struct body_table *table, uint32_t context, uint32_t generation)
{
	struct body_holder *holder = holder_at(table, context);

	if (!holder || (int32_t)(holder->generation - generation) > 0)
		return;
	holder->claims++;
	holder_drop_bodies(table, holder);
	holder->claims--;
	body_holder_put(table, holder);
}

// ---- bodies

struct body *body_find(struct body_table *table, const struct body_request *r,
	bool (*is)(const struct body *body, const struct body_request *request))
{
	struct body *body;

	// Ends the bodies of an earlier generation.
	struct body_holder *holder = body_holder_find(table, r->context, r->generation);

	if (!holder)
		return NULL;
	if (!holder->count) {
		body_holder_put(table, holder);
		return NULL;
	}
	TAILQ_FOREACH_REVERSE(body, &holder->bodies, body_list, of_holder)
	{
		if (body->findable && body->route == r->route &&
			!memcmp(body->key, r->key, sizeof(r->key)) && is(body, r))
			return body;
	}
	return NULL;
}

void body_insert(struct body_table *table, struct body_holder *holder, struct body *body)
{
	body->holder = holder;
	body->findable = true;
	TAILQ_INSERT_TAIL(&holder->bodies, body, of_holder);
	holder->count++;
	body_count(table, BODY_STAT_bodies);
}

static struct body_list *list_of(struct body_table *table, const struct body *body)
{
	return body->delivered ? &table->delivered : &table->idle;
}

static void loose_set(struct body_table *table, struct body_holder *holder, size_t loose)
{
	class_leave(table, holder);
	holder->loose = loose;
	class_enter(table, holder);
}

void body_list(struct body_table *table, struct body *body, uint64_t now_ms)
{
	assert(!body->listed && body->state != BODY_ASKING);
	body->listed = true;
	body->used_ms = now_ms;
	TAILQ_INSERT_TAIL(list_of(table, body), body, by_use);
	loose_set(table, body->holder, body->holder->loose + body->charged);
}

void body_unlist(struct body_table *table, struct body *body)
{
	if (!body->listed)
		return;
	body->listed = false;
	TAILQ_REMOVE(list_of(table, body), body, by_use);
	loose_set(table, body->holder, body->holder->loose - body->charged);
}

void body_free_bytes(struct body_table *table, struct body *body)
{
	assert(!body->listed && body->charged >= body->bytes.room);
	body->charged -= body->bytes.room;
	body_holder_sub(table, body->holder, body->bytes.room);
	body_bytes_free(&body->bytes);
}

void body_free_options(struct body_table *table, struct body *body)
{
	assert(!body->listed && body->charged >= body->kept.options_len);
	body->charged -= body->kept.options_len;
	body_holder_sub(table, body->holder, body->kept.options_len);
	if (body->kept.options_len)
		sodium_memzero(body->kept.options, body->kept.options_len);
	free(body->kept.options);
	body->kept.options = NULL;
	body->kept.options_len = 0;
}

void body_drop(struct body_table *table, struct body *body)
{
	struct body_holder *holder = body->holder;

	if (body->state == BODY_ASKING) {
		if (body->findable && table->config.unwanted)
			table->config.unwanted(body);
		body->findable = false;
		return;
	}
	body->findable = false;
	body_unlist(table, body);
	body_free_bytes(table, body);
	body_free_options(table, body);
	body_holder_sub(table, holder, body->charged);
	TAILQ_REMOVE(&holder->bodies, body, of_holder);
	holder->count--;
	sodium_memzero(body, sizeof(*body));
	free(body);
	__atomic_store_n(&table->stat[BODY_STAT_bodies], table->stat[BODY_STAT_bodies] - 1,
		__ATOMIC_RELAXED);
	body_holder_put(table, holder);
}

void body_release(struct body_table *table, struct body *body)
{
	if (body->state == BODY_KEPT && !body->findable)
		body_drop(table, body);
}

void body_device(const struct body *body, uint32_t *context, uint32_t *generation)
{
	*context = body->holder->context;
	*generation = body->holder->generation;
}

static void holder_walk(struct body_table *table, struct body_holder *holder,
	bool (*dead)(void *arg, const struct body *body), void *arg)
{
	for (struct body *body = TAILQ_FIRST(&holder->bodies), *next; body; body = next) {
		next = TAILQ_NEXT(body, of_holder);
		if (body->findable && dead(arg, body))
			body_lose(table, body);
	}
}

bool body_walk(struct body_table *table, size_t *at, size_t places,
	bool (*dead)(void *arg, const struct body *body), void *arg)
{
	for (; places && *at <= table->mask; places--, ++*at)
		for (struct body_holder *holder = LIST_FIRST(&table->holders[*at]), *next; holder;
			holder = next) {
			next = LIST_NEXT(holder, chain); // this one may go with its last body
			holder_walk(table, holder, dead, arg);
		}
	return *at > table->mask;
}

// ---- the table

struct body_table *body_table_create(const struct body_config *config)
{
	size_t chains = 64;

	// Each holder has a body of 1.5 KB at least, so that chains have three of them at most.
	while (chains < config->memory / 4096)
		chains *= 2;
	struct body_table *table =
		calloc(1, sizeof(*table) + chains * sizeof(struct body_holder_chain));

	if (!table)
		return NULL;
	table->config = *config;
	table->mask = chains - 1;
	table->largest = body_bytes_most(config->memory / 2, BODY_STRUCT_BYTES);
	TAILQ_INIT(&table->delivered);
	TAILQ_INIT(&table->idle);
	for (unsigned i = 0; i < BODY_CLASSES; i++)
		TAILQ_INIT(&table->class[i]);
	return table;
}

void body_table_free(struct body_table *table)
{
	struct body *body;

	if (!table)
		return;
	while ((body = TAILQ_FIRST(&table->delivered)) || (body = TAILQ_FIRST(&table->idle)))
		body_drop(table, body);
	assert(!table->used);
	sodium_memzero(table->config.secret, sizeof(table->config.secret));
	free(table);
}

// When the first body of a list expires.
static uint64_t list_end(const struct body_list *list, uint32_t after_ms)
{
	const struct body *body = TAILQ_FIRST(list);

	return body ? body->used_ms + after_ms : UINT64_MAX;
}

uint64_t body_table_turn(struct body_table *table, uint64_t now_ms)
{
	const struct body_config *config = &table->config;

	table->now_ms = now_ms;
	for (unsigned i = 0;; i++) {
		uint64_t delivered = list_end(&table->delivered, config->keep_ms);
		uint64_t idle = list_end(&table->idle, config->idle_ms);
		bool first = delivered <= idle;

		if ((first ? delivered : idle) > now_ms || i == BODIES_A_TURN)
			return first ? delivered : idle;
		body_drop(table, TAILQ_FIRST(first ? &table->delivered : &table->idle));
		body_count(table, BODY_STAT_expired);
	}
}

uint64_t body_stat(const struct body_table *table, enum body_stat stat)
{
	return __atomic_load_n(&table->stat[stat], __ATOMIC_RELAXED);
}

const uint8_t *body_secret(const struct body_table *table)
{
	return table->config.secret;
}
