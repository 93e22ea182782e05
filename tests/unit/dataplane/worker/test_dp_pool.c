// SPDX-License-Identifier: BSD-3-Clause
// A worker's pool is as large as what can be in use at once.

#include "tests/unit/dataplane/worker/bed_inside.h"

#include <rte_eal.h>
#include <rte_launch.h>

#include <criterion/criterion.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OWNERS    (BED_WORKERS_MAX - 1) // the other workers
#define DEVICES   12                    // of each
#define PIECE     32                    // of a cache
#define CACHES_AT 2                     // lcores from here on have a full one

static struct bed bed;
static struct bed_device devices[OWNERS][DEVICES];
static struct bed_device own;
static struct bed_request request;
static struct bed_answer answer;

static void init(void)
{
	bed_make_workers(&bed, BED_WORKERS_MAX, false);
	bed_stop_clock(&bed);
}

static void fini(void)
{
	bed_free(&bed);
}

TestSuite(dp_pool, .init = init, .fini = fini);

static void send(unsigned queue, const struct bed_device *device, uint64_t piv)
{
	bed.queue = queue;
	bed_seal_path(device, &request, COAP_NON, piv, piv, COAP_POST, "echo", "x");
	bed_send_request(&bed, &request);
}

static unsigned received(void)
{
	unsigned n = 0;

	while (bed_receive(&bed, &answer))
		n++;
	return n;
}

static size_t mapped[RTE_MAX_LCORE]; // bytes, by the lcore that asked for them

// In front of the C library's.
void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	if (rte_lcore_id() < RTE_MAX_LCORE)
		mapped[rte_lcore_id()] += bytes;
	return (void *)syscall(SYS_mmap, at, bytes, protection, flags, fd, offset);
}

// Memory is from the NUMA node of who asks for it, and touches it first.
Test(dp_pool, each_worker_is_made_by_its_lcore)
{
	const size_t pool = (size_t)bed_worker_pool(&bed, 0)->size *
		(bed_worker_pool(&bed, 0)->elt_size + sizeof(struct rte_mempool_objhdr));

	for (unsigned i = 0; i < BED_WORKERS_MAX; i++) {
		cr_expect_gt(mapped[1 + i], pool);
		cr_expect_eq(mapped[1 + i], mapped[1]);
	}
}

// Each device belongs to the worker that gets its first request.
static void devices_make(void)
{
	for (unsigned i = 0; i < OWNERS; i++) {
		for (unsigned k = 0; k < DEVICES; k++) {
			bed_device_make(
				&devices[i][k], 2 + i * DEVICES + k, AEAD_AES_CCM_16_64_128);
			bed_device_add(&bed, &devices[i][k], true);
			send(1 + i, &devices[i][k], 0);
		}
	}
	bed_device_make(&own, 0x80, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &own, true);
	send(0, &own, 0);
	bed_turn(&bed);
	cr_assert_eq(received(), OWNERS * DEVICES + 1);
}

// Sends to the first worker what is the others', who take nothing from their rings: new requests
// until each device found a ring full, and copies likewise.
static void rings_fill(void)
{
	uint64_t piv = 1;

	while (bed_count(&bed, DP_STAT_drop_handoff_full) < OWNERS * DEVICES * 40) {
		for (unsigned i = 0; i < OWNERS * DEVICES; i++)
			send(0, &devices[i / DEVICES][i % DEVICES], piv);
		piv++;
		bed_turn_one(&bed, 0);
	}
	for (unsigned n = 0; n < 80; n++) {
		for (unsigned i = 0; i < OWNERS * DEVICES; i++)
			send(0, &devices[i / DEVICES][i % DEVICES], 0);
		bed_turn_one(&bed, 0);
	}
	cr_assert_gt(bed_count(&bed, DP_STAT_drop_handoff_old), 40);
	cr_assert_eq(received(), 0);
}

// Takes mbufs past the cache of this lcore.
static void hold(struct rte_mempool *pool, void **held, unsigned n)
{
	cr_assert_eq(rte_mempool_generic_get(pool, held, n, NULL), 0, "there are no %u more", n);
}

// Fills the cache that this lcore has of the pool.
static int cache_fill(void *arg)
{
	struct rte_mempool *pool = arg;
	struct rte_mempool_cache *cache = rte_mempool_default_cache(pool, rte_lcore_id());
	void *some[PIECE];

	while (cache->len + PIECE <= cache->flushthresh) {
		if (rte_mempool_generic_get(pool, some, PIECE, NULL))
			return -1;
		rte_mempool_generic_put(pool, some, PIECE, cache);
	}
	return 0;
}

static int cache_flush(void *arg)
{
	rte_mempool_cache_flush(NULL, arg);
	return 0;
}

static int on_lcore(unsigned lcore, int (*f)(void *arg), void *arg)
{
	cr_assert_eq(rte_eal_remote_launch(f, arg, lcore), 0);
	return rte_eal_wait_lcore(lcore);
}

Test(dp_pool, lasts_when_all_queues_and_rings_and_caches_are_full)
{
	struct rte_mempool *frames = bed.pool;
	static void *in_queues[BED_QUEUE_MBUFS], *in_hand[OWNERS * DP_BURST];
	static void *to_send[DP_TX_ROOM];

	devices_make();
	// As a driver does it: packets come in mbufs of who receives them.
	bed.pool = bed_worker_pool(&bed, 0);
	bed.strange_frames = true;
	rings_fill();
	rte_mempool_cache_flush(NULL, bed.pool);
	for (unsigned lcore = CACHES_AT; lcore < CACHES_AT + 2; lcore++)
		cr_assert_eq(on_lcore(lcore, cache_fill, bed.pool), 0);
	hold(bed.pool, in_queues, BED_QUEUE_MBUFS);
	hold(bed.pool, in_hand, OWNERS * DP_BURST); // bursts that the others are at
	hold(bed.pool, to_send, DP_TX_ROOM);
	for (uint64_t burst = 0; burst < 4; burst++) {
		for (unsigned i = 0; i < DP_BURST; i++)
			send(0, &own, 1 + burst * DP_BURST + i);
		bed_turn_one(&bed, 0);
		cr_expect_eq(received(), DP_BURST);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_no_mbuf), 0);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_no_mbuf), 0);

	rte_mempool_generic_put(bed.pool, in_queues, BED_QUEUE_MBUFS, NULL);
	rte_mempool_generic_put(bed.pool, in_hand, OWNERS * DP_BURST, NULL);
	rte_mempool_generic_put(bed.pool, to_send, DP_TX_ROOM, NULL);
	for (unsigned lcore = CACHES_AT; lcore < CACHES_AT + 2; lcore++)
		on_lcore(lcore, cache_flush, bed.pool);
	bed_turn(&bed);
	received();
	bed.pool = frames;
	bed.strange_frames = false;
}
