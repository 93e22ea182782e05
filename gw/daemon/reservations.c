// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/reservations.h"

#include "dataplane/shared/memory.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

// A bit for each serial is kept. Of longer identifiers the upper bits are chosen at the start.
#define SERIALS_MAX (UINT32_C(1) << 24)
#define TRIES       (4 * CONNECTIONS_FILL) // serials of one call that are looked at, for a thread

struct reservations {
	struct dp *dp;
	struct device_reserved *passed; // NULL: nothing is passed through
	struct shard_plan plan;
	unsigned threads;
	uint32_t base;          // is added to all serials
	uint32_t serials;       // a power of two
	uint32_t next;          // below it
	uint8_t *taken;         // [serials / 8]; main writes, atomic
	struct connections *of; // [threads], mapped lazily by the kernel
};

struct reservations *reservations_create(struct dp *dp, struct device_reserved *passed,
	unsigned threads, uint8_t id_len, const uint8_t key[SHARD_KEY_LEN])
{
	struct reservations *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->dp = dp;
	r->passed = passed;
	r->threads = threads;
	r->plan.id_len = id_len;
	memcpy(r->plan.key, key, SHARD_KEY_LEN);
	const uint32_t all = shard_serials(&r->plan);

	r->serials = all < SERIALS_MAX ? all : SERIALS_MAX;
	r->next = randombytes_uniform(r->serials);
	r->base = randombytes_uniform(all / r->serials) * r->serials;
	r->taken = calloc(r->serials / 8, 1);
	r->of = dp_map(threads * sizeof(*r->of), DP_MAP_LAZY);
	if (!r->taken || !r->of) {
		reservations_free(r);
		errno = ENOMEM;
		return NULL;
	}
	for (unsigned i = 0; i < threads; i++)
		connections_init(&r->of[i]);
	return r;
}

void reservations_free(struct reservations *r)
{
	if (!r)
		return;
	for (unsigned i = 0; r->of && i < r->threads; i++)
		connections_fini(&r->of[i]);
	dp_unmap(r->of, r->threads * sizeof(*r->of));
	free(r->taken);
	sodium_memzero(r, sizeof(*r));
	free(r);
}

struct connections *reservations_of(struct reservations *r, unsigned thread)
{
	return &r->of[thread];
}

static void taken_set(struct reservations *r, uint32_t serial, bool taken)
{
	uint8_t *byte = &r->taken[serial / 8];
	const uint8_t bit = (uint8_t)(1 << serial % 8);

	__atomic_store_n(byte, (uint8_t)(taken ? *byte | bit : *byte & ~bit), __ATOMIC_RELAXED);
}

static void key_make(const struct reservations *r, const struct edhoc_connection *connection,
	struct dp_context_key *key)
{
	dp_context_key_make(
		dp_contexts(r->dp), key, connection->bytes, connection->len, false, NULL, 0);
}

bool reservations_passed(const struct reservations *r, const struct edhoc_connection *connection)
{
	const struct device_ids ids = {.kid = connection->bytes, .kid_len = connection->len};

	return device_reserved_has(r->passed, &ids);
}

bool reservations_lost(const struct reservations *r, const struct edhoc_connection *connection)
{
	struct dp_context_key key;

	key_make(r, connection, &key);
	return dp_names_has_kid(&dp_contexts(r->dp)->names, &key) ||
		reservations_passed(r, connection);
}

// Makes the identifier of a serial. Returns the thread that a worker would send its messages to, or
// -1 if it is another's.
static int connection_make(
	const struct reservations *r, uint32_t serial, struct edhoc_connection *connection)
{
	const struct dp_context_table *table = dp_contexts(r->dp);
	struct dp_context_key key;

	connection->len = r->plan.id_len;
	shard_id_make(&r->plan, 0, r->base + serial, connection->bytes);
	key_make(r, connection, &key);
	return reservations_lost(r, connection) ? -1
						: (int)(dp_context_hash(table, &key) % r->threads);
}

void reservations_fill(struct reservations *r)
{
	uint32_t lacks[DP_SLOW_THREADS_MAX], all = 0;

	for (unsigned i = 0; i < r->threads; i++) {
		const uint32_t count = connections_count(&r->of[i]);

		lacks[i] = count < CONNECTIONS_FILL / 2 ? CONNECTIONS_FILL - count : 0;
		all += lacks[i];
	}
	for (uint32_t tries = 0; all && tries < TRIES * r->threads; tries++) {
		const uint32_t serial = r->next;
		struct edhoc_connection connection = {0};

		r->next = (serial + 1) % r->serials;
		if (r->taken[serial / 8] >> serial % 8 & 1)
			continue;
		const int thread = connection_make(r, serial, &connection);

		if (thread < 0 || !lacks[thread])
			continue;
		taken_set(r, serial, true);
		connections_put(&r->of[thread], &connection);
		lacks[thread]--;
		all--;
	}
}

bool reservations_has(const struct reservations *r, const uint8_t *kid, uint8_t kid_len)
{
	unsigned shard;
	uint32_t serial;

	if (kid_len != r->plan.id_len)
		return false;
	shard_id_read(&r->plan, kid, &shard, &serial);
	serial -= r->base;
	return !shard && serial < r->serials &&
		__atomic_load_n(&r->taken[serial / 8], __ATOMIC_RELAXED) >> serial % 8 & 1;
}

void reservations_end(struct reservations *r, const struct edhoc_connection *connection)
{
	unsigned shard;
	uint32_t serial;

	shard_id_read(&r->plan, connection->bytes, &shard, &serial);
	serial -= r->base;
	if (serial < r->serials)
		taken_set(r, serial, false);
}
