// SPDX-License-Identifier: BSD-3-Clause
// What a life of the gateway would make anew at a high price, and what is no part of any rule:
// pools of packet buffers, tables of AEAD functions, guard pages around secrets, derived keys, the
// memory of SQLite, the parsed configuration. The next life gets it as if it were new.

#include "tests/sim/reuse.h"

#include "crypto/aead.h"
#include "dataplane/oscore/context.h"
#include "dataplane/port/mbuf_pool.h"
#include "dataplane/shared/copy_ring.h"
#include "dataplane/shared/ring.h"
#include "gw/conf/conf.h"

#include <rte_common.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <sodium.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

// --- packet buffers ---------------------------------------------------------------------------

#define POOLS_MAX 4

static struct rte_mempool *free_pools[POOLS_MAX];
static unsigned free_pool_count;

// Whatever a process that died held, all buffers are there again.
static void pool_fill(struct rte_mempool *pool, void *opaque, void *object, unsigned index)
{
	struct rte_mbuf *m = object;

	m->next = NULL;
	m->nb_segs = 1;
	m->ol_flags = 0;
	rte_mbuf_refcnt_set(m, 1);
	if (rte_ring_mp_enqueue(pool->pool_data, object))
		abort();
}

struct rte_mempool *__real_dp_mbuf_pool_create(const struct dp_mbuf_pool_conf *conf);
struct rte_mempool *__wrap_dp_mbuf_pool_create(const struct dp_mbuf_pool_conf *conf);
struct rte_mempool *__wrap_dp_mbuf_pool_create(const struct dp_mbuf_pool_conf *conf)
{
	if (!free_pool_count)
		return __real_dp_mbuf_pool_create(conf);
	struct rte_mempool *pool = free_pools[--free_pool_count];

	if (pool->size != conf->count)
		abort();
	rte_ring_reset(pool->pool_data);
	for (unsigned i = 0; i < RTE_MAX_LCORE; i++)
		pool->local_cache[i].len = 0;
	rte_mempool_obj_iter(pool, pool_fill, NULL);
	return pool;
}

void __wrap_rte_mempool_free(struct rte_mempool *pool);
void __wrap_rte_mempool_free(struct rte_mempool *pool)
{
	if (!pool)
		return;
	if (free_pool_count == POOLS_MAX)
		abort();
	free_pools[free_pool_count++] = pool;
}

// Rings that fill within a schedule: those of 4096 places never would.
struct rte_ring *__real_dp_ring_create(size_t elem, unsigned slots);
struct rte_ring *__wrap_dp_ring_create(size_t elem, unsigned slots);
struct rte_ring *__wrap_dp_ring_create(size_t elem, unsigned slots)
{
	return __real_dp_ring_create(elem, RTE_MIN(slots, (unsigned)REUSE_RING_SLOTS));
}

struct dp_copy_ring *__real_dp_copy_ring_create(size_t bytes);
struct dp_copy_ring *__wrap_dp_copy_ring_create(size_t bytes);
struct dp_copy_ring *__wrap_dp_copy_ring_create(size_t bytes)
{
	return __real_dp_copy_ring_create(RTE_MIN(bytes, (size_t)REUSE_COPY_RING));
}

// --- AEAD -------------------------------------------------------------------------------------

#define ENGINES_MAX 4

static struct aead_engine *free_engines[ENGINES_MAX];
static unsigned free_engine_count;

struct aead_engine *__real_aead_engine_create(const char *isa);
struct aead_engine *__wrap_aead_engine_create(const char *isa);
struct aead_engine *__wrap_aead_engine_create(const char *isa)
{
	return free_engine_count ? free_engines[--free_engine_count]
				 : __real_aead_engine_create(isa);
}

void __wrap_aead_engine_free(struct aead_engine *engine);
void __wrap_aead_engine_free(struct aead_engine *engine)
{
	if (!engine)
		return;
	if (free_engine_count == ENGINES_MAX)
		abort();
	aead_engine_wipe(engine);
	free_engines[free_engine_count++] = engine;
}

// --- keys -------------------------------------------------------------------------------------

// What is derived follows from the parameters alone, and devices have the same in each life.
#define DERIVED 1024 // a power of two

int __real_osc_derive(struct osc_keys *keys, const struct osc_params *params);
int __wrap_osc_derive(struct osc_keys *keys, const struct osc_params *params);
int __wrap_osc_derive(struct osc_keys *keys, const struct osc_params *params)
{
	static struct {
		struct osc_params params;
		struct osc_keys keys;
	} derived[DERIVED];
	uint64_t hash = params->recipient_id[0], part;

	for (unsigned i = 0; i < 4; i++) {
		memcpy(&part, (i < 2 ? params->secret : params->id_context) + i % 2 * 8, 8);
		hash = (hash ^ part) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	unsigned at = hash % DERIVED;

	// No parameters are all zeros.
	if (memcmp(&derived[at].params, params, sizeof(*params))) {
		int code = __real_osc_derive(keys, params);

		if (code)
			return code;
		derived[at].params = *params;
		derived[at].keys = *keys;
		return 0;
	}
	*keys = derived[at].keys;
	return 0;
}

// --- secrets ----------------------------------------------------------------------------------

void *__wrap_sodium_malloc(size_t size);
void *__wrap_sodium_malloc(size_t size)
{
	void *secret = malloc(size);

	if (secret)
		memset(secret, 0xdb, size);
	return secret;
}

void *__wrap_sodium_allocarray(size_t count, size_t size);
void *__wrap_sodium_allocarray(size_t count, size_t size)
{
	return __wrap_sodium_malloc(count * size);
}

// An import gives memory back to the kernel.
int __wrap_malloc_trim(size_t pad);
int __wrap_malloc_trim(size_t pad)
{
	return 0;
}

void __wrap_sodium_free(void *secret);
void __wrap_sodium_free(void *secret)
{
	free(secret);
}

int __wrap_sodium_mprotect_readonly(void *secret);
int __wrap_sodium_mprotect_readonly(void *secret)
{
	return 0;
}

// --- the configuration ------------------------------------------------------------------------

#define CONFS_MAX 32

static struct conf *kept[CONFS_MAX];
static unsigned kept_count;

void reuse_conf(struct conf *conf)
{
	if (kept_count == CONFS_MAX)
		abort();
	kept[kept_count++] = conf;
}

void __real_conf_free(struct conf *conf);
void __wrap_conf_free(struct conf *conf);
void __wrap_conf_free(struct conf *conf)
{
	for (unsigned i = 0; i < kept_count; i++)
		if (conf == kept[i])
			return;
	__real_conf_free(conf);
}

// --- SQLite -----------------------------------------------------------------------------------

#define CLASS_BYTES 64
#define CLASSES     160 // up to 10 KB; pages of the cache are 4 KB and some

struct piece {
	size_t bytes; // without this head
	struct piece *next;
};

static struct piece *free_pieces[CLASSES];

static int piece_round(int bytes)
{
	return (bytes + CLASS_BYTES - 1) / CLASS_BYTES * CLASS_BYTES;
}

static void *piece_take(int bytes)
{
	size_t rounded = piece_round(bytes), class = rounded / CLASS_BYTES;
	struct piece *piece;

	if (class < CLASSES && free_pieces[class]) {
		piece = free_pieces[class];
		free_pieces[class] = piece->next;
		return piece + 1;
	}
	piece = malloc(sizeof(*piece) + rounded);
	if (!piece)
		return NULL;
	piece->bytes = rounded;
	return piece + 1;
}

static void piece_give(void *memory)
{
	struct piece *piece = (struct piece *)memory - 1;
	size_t class = piece->bytes / CLASS_BYTES;

	if (class >= CLASSES) {
		free(piece);
		return;
	}
	piece->next = free_pieces[class];
	free_pieces[class] = piece;
}

static int piece_size(void *memory)
{
	return memory ? (int)((struct piece *)memory - 1)->bytes : 0;
}

static void *piece_again(void *memory, int bytes)
{
	void *other;

	if (piece_size(memory) >= bytes)
		return memory;
	other = piece_take(bytes);
	if (other) {
		memcpy(other, memory, piece_size(memory));
		piece_give(memory);
	}
	return other;
}

static int pieces_begin(void *arg)
{
	return SQLITE_OK;
}

static void pieces_end(void *arg)
{
}

void reuse_init(void)
{
	static const sqlite3_mem_methods pieces = {piece_take, piece_give, piece_again, piece_size,
		piece_round, pieces_begin, pieces_end, NULL};

	if (sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) != SQLITE_OK ||
		sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) != SQLITE_OK)
		abort();
#ifndef __SANITIZE_ADDRESS__
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &pieces) != SQLITE_OK)
		abort();
#else
	(void)pieces;
#endif
}
