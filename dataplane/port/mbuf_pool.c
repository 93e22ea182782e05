// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/port/mbuf_pool.h"

#include "dataplane/shared/memory.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <sodium.h>
#include <unistd.h>

#define HUGE_PAGE   ((size_t)2 << 20) // the smallest
#define PAGES_BYTES (16 * 1024)       // of what EAL keeps of each piece of memory and of its ends

static void chunk_free(struct rte_mempool_memhdr *chunk, void *arg)
{
	(void)arg;
	sodium_memzero(chunk->addr, chunk->len);
	dp_unmap(chunk->addr, chunk->len);
}

// Fills an empty pool with objects in one mapping. Returns 0 or -errno.
static int populate(struct rte_mempool *pool)
{
	const size_t stride = (size_t)pool->header_size + pool->elt_size + pool->trailer_size;
	const size_t len = stride * pool->size;
	char *map = dp_map(len, DP_MAP_HOT);

	if (!map)
		return -ENOMEM;
	// The addresses that software drivers use are virtual ones.
	int added = rte_mempool_populate_iova(
		pool, map, (rte_iova_t)(uintptr_t)map, len, chunk_free, NULL);

	if (added <= 0)
		dp_unmap(map, len); // else it is the pool's
	return added == (int)pool->size ? 0 : added < 0 ? added : -ENOBUFS;
}

// Bytes of mbufs that EAL puts into its pages, none of which may lie across two.
static size_t eal_mbufs_bytes(const struct dp_mbuf_pool_conf *conf, bool huge_pages)
{
	const size_t page = huge_pages ? HUGE_PAGE : (size_t)sysconf(_SC_PAGESIZE);
	const size_t stride =
		rte_mempool_calc_obj_size(sizeof(struct rte_mbuf) + conf->data_room, 0, NULL);
	const size_t in_page = page / stride;

	if (!in_page) // it takes several
		return conf->count * RTE_ALIGN_CEIL(stride, page);
	return (conf->count + in_page - 1) / in_page * page;
}

size_t dp_mbuf_pool_eal_bytes(const struct dp_mbuf_pool_conf *conf, bool huge_pages)
{
	// The pool's own ring and its caches, one of each lcore.
	const size_t own = sizeof(struct rte_mempool) +
		RTE_MAX_LCORE * sizeof(struct rte_mempool_cache) +
		(size_t)rte_ring_get_memsize(rte_align32pow2(conf->count + 1)) + PAGES_BYTES;

	return own + (huge_pages || conf->for_nic ? eal_mbufs_bytes(conf, huge_pages) : 0);
}

static struct rte_mempool *create_side_by_side(const struct dp_mbuf_pool_conf *conf)
{
	struct rte_pktmbuf_pool_private private = {.mbuf_data_room_size = conf->data_room};
	// The flag lets an mbuf lie across two pages. EAL spreads objects over the channels of the
	// memory, which makes the stride an odd number of cache lines.
	struct rte_mempool *pool = rte_mempool_create_empty(conf->name, conf->count,
		sizeof(struct rte_mbuf) + conf->data_room, conf->cache, sizeof(private),
		conf->socket, RTE_MEMPOOL_F_NO_IOVA_CONTIG);

	if (!pool)
		return NULL;
	int rc = rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL);

	rte_pktmbuf_pool_init(pool, &private);
	if (!rc)
		rc = populate(pool);
	if (rc) {
		rte_mempool_free(pool);
		rte_errno = -rc;
		return NULL;
	}
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	return pool;
}

struct rte_mempool *dp_mbuf_pool_create(const struct dp_mbuf_pool_conf *conf)
{
	if (rte_eal_has_hugepages() || conf->for_nic)
		return rte_pktmbuf_pool_create(
			conf->name, conf->count, conf->cache, 0, conf->data_room, conf->socket);
	return create_side_by_side(conf);
}
