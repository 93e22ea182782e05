// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/port/mbuf_pool.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_memory.h>
#include <rte_mempool.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MBUFS 1023
#define ROOM  (RTE_PKTMBUF_HEADROOM + 2048)
#define LINE  64u
#define SETS  64u // of an L1 data cache
#define BURST 64u

static struct {
	const void *map; // watched for
	bool unmapped;
	bool wiped; // when it was
} watch;

// In front of the C library's: sees what is given back.
int munmap(void *map, size_t bytes)
{
	const uint8_t *at = map;

	if (map == watch.map && map) {
		watch.unmapped = true;
		watch.wiped = !at[0] && !memcmp(at, at + 1, bytes - 1);
	}
	return (int)syscall(SYS_munmap, map, bytes);
}

static void start(void)
{
	char *argv[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"64", "--lcores", "0", "--log-level", "error", NULL};

	cr_assert_geq(rte_eal_init(RTE_DIM(argv) - 1, argv), 0);
}

static struct dp_mbuf_pool_conf usual(void)
{
	return (struct dp_mbuf_pool_conf){
		.name = "pool",
		.count = MBUFS,
		.cache = 256,
		.data_room = ROOM,
		.socket = SOCKET_ID_ANY,
	};
}

static struct rte_mempool *make(const struct dp_mbuf_pool_conf *conf)
{
	struct rte_mempool *pool = dp_mbuf_pool_create(conf);

	cr_assert_not_null(pool, "%s", strerror(rte_errno));
	return pool;
}

TestSuite(mbuf_pool, .init = start);

Test(mbuf_pool, all_mbufs_are_there_and_apart)
{
	static struct rte_mbuf *m[MBUFS + 1];
	const struct dp_mbuf_pool_conf conf = usual();
	struct rte_mempool *pool = make(&conf);

	cr_assert_eq(rte_mempool_avail_count(pool), MBUFS);
	for (unsigned i = 0; i < MBUFS; i++) {
		m[i] = rte_pktmbuf_alloc(pool);
		cr_assert_not_null(m[i]);
		cr_expect_eq(m[i]->buf_len, ROOM);
		cr_expect_eq(m[i]->pool, pool);
		cr_expect_eq(rte_pktmbuf_headroom(m[i]), RTE_PKTMBUF_HEADROOM);
		memset(m[i]->buf_addr, i, ROOM);
	}
	cr_expect_null(rte_pktmbuf_alloc(pool));
	for (unsigned i = 0; i < MBUFS; i++) {
		const uint8_t *room = m[i]->buf_addr;

		cr_expect(room[0] == (uint8_t)i && !memcmp(room, room + 1, ROOM - 1));
		__rte_mbuf_sanity_check(m[i], 1);
	}
	rte_pktmbuf_free_bulk(m, MBUFS);
	cr_expect_eq(rte_mempool_avail_count(pool), MBUFS);
	rte_mempool_free(pool);
}

// Most mbufs of a burst that have a line at this offset in one set of the cache.
static unsigned most_in_a_set(struct rte_mempool *pool, size_t offset)
{
	struct rte_mbuf *m[BURST];
	unsigned in[SETS] = {0}, most = 0;

	cr_assert_eq(rte_pktmbuf_alloc_bulk(pool, m, BURST), 0);
	for (unsigned i = 0; i < BURST; i++) {
		unsigned *n = &in[((uintptr_t)m[i] + offset) / LINE % SETS];

		most = ++*n > most ? *n : most;
	}
	rte_pktmbuf_free_bulk(m, BURST);
	return most;
}

Test(mbuf_pool, a_burst_is_spread_over_the_cache)
{
	for (unsigned room = RTE_PKTMBUF_HEADROOM + 2048; room < UINT16_MAX; room += 1024) {
		struct dp_mbuf_pool_conf conf = usual();

		conf.data_room = room;
		conf.count = 127;
		conf.cache = 32;
		struct rte_mempool *pool = make(&conf);

		// 64 neighbours, of which each has a set of its own.
		cr_expect_eq(
			most_in_a_set(pool, 0), 1, "room %u: %u", room, most_in_a_set(pool, 0));
		rte_mempool_free(pool);
	}
}

Test(mbuf_pool, a_freed_pool_is_wiped_and_given_back)
{
	const struct dp_mbuf_pool_conf conf = usual();
	struct rte_mempool *pool = make(&conf);
	const struct rte_mempool_memhdr *chunk = STAILQ_FIRST(&pool->mem_list);
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	memset(m->buf_addr, 0xaa, ROOM);
	rte_pktmbuf_free(m);
	watch.map = chunk->addr;
	rte_mempool_free(pool);
	cr_expect(watch.unmapped);
	cr_expect(watch.wiped);
}

// net_af_xdp takes the first chunk of a pool, from the start of its page, as one array of frames.
Test(mbuf_pool, is_what_af_xdp_takes_it_for)
{
	const struct dp_mbuf_pool_conf conf = usual();
	struct rte_mempool *pool = make(&conf);
	const struct rte_mempool_memhdr *chunk = STAILQ_FIRST(&pool->mem_list);
	const size_t frame = rte_mempool_calc_obj_size(pool->elt_size, pool->flags, NULL);

	cr_assert_eq(pool->nb_mem_chunks, 1);
	cr_expect_eq((uintptr_t)chunk->addr % (uintptr_t)sysconf(_SC_PAGESIZE), 0);
	cr_expect_eq(chunk->len, pool->populated_size * frame);
	for (unsigned i = 0; i < MBUFS; i++) {
		const struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
		const size_t at = (uintptr_t)m - pool->header_size - (uintptr_t)chunk->addr;

		cr_expect(at < chunk->len && at % frame == 0);
	}
}

// VFIO maps EAL's memory for a NIC, and no other.
Test(mbuf_pool, a_nic_gets_memory_of_eal)
{
	struct dp_mbuf_pool_conf conf = usual();
	const struct rte_mempool *own = make(&conf);

	conf.name = "nic";
	conf.for_nic = true;
	const struct rte_mempool *eal = make(&conf);

	cr_expect_null(rte_mem_virt2memseg(STAILQ_FIRST(&own->mem_list)->addr, NULL));
	cr_expect_not_null(rte_mem_virt2memseg(STAILQ_FIRST(&eal->mem_list)->addr, NULL));
}

static size_t eal_used(void)
{
	struct rte_malloc_socket_stats stats;

	cr_assert_eq(rte_malloc_get_socket_stats(0, &stats), 0);
	return stats.heap_allocsz_bytes;
}

Test(mbuf_pool, takes_no_more_of_eal_than_it_said)
{
	for (unsigned i = 0; i < 4; i++) {
		struct dp_mbuf_pool_conf conf = usual();

		conf.for_nic = i % 2;
		conf.data_room = i < 2 ? ROOM : 4 * 2048;
		const size_t before = eal_used(), said = dp_mbuf_pool_eal_bytes(&conf, false);
		struct rte_mempool *pool = make(&conf);
		const size_t took = eal_used() - before;

		cr_expect_leq(took, said, "%u: took %zu, said %zu", i, took, said);
		cr_expect_gt(took, said / 2);
		rte_mempool_free(pool);
		cr_expect_eq(eal_used(), before);
	}
}

Test(mbuf_pool, too_much_is_refused)
{
	struct dp_mbuf_pool_conf conf = usual();

	conf.cache = RTE_MEMPOOL_CACHE_MAX_SIZE + 1;
	cr_expect_null(dp_mbuf_pool_create(&conf));
	cr_expect_eq(rte_errno, EINVAL);
	conf = usual();
	conf.count = 1u << 31; // 4 TB
	cr_expect_null(dp_mbuf_pool_create(&conf));
	const struct dp_mbuf_pool_conf sane = usual();

	rte_mempool_free(make(&sane)); // nothing stayed behind under its name
}
