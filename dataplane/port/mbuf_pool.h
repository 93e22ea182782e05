// SPDX-License-Identifier: BSD-3-Clause
// Pools of packet buffers (mbufs) that lie side by side.

#ifndef POSTERN_DATAPLANE_PORT_MBUF_POOL_H
#define POSTERN_DATAPLANE_PORT_MBUF_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rte_mempool;

struct dp_mbuf_pool_conf {
	const char *name;   // unique in the process, of EAL
	unsigned count;     // of mbufs
	unsigned cache;     // of each lcore, in mbufs; at most RTE_MEMPOOL_CACHE_MAX_SIZE
	uint16_t data_room; // of each, with headroom, in bytes
	int socket;         // NUMA node of EAL's part, or SOCKET_ID_ANY: the calling lcore's
	bool for_nic;       // a NIC on the PCI bus reads and writes its mbufs
};

// Makes a pool; rte_mempool_free() wipes its packets and gives all memory back. NULL and rte_errno
// on failure.
//
// Without huge pages EAL puts each mbuf at the same offset of a page of 4 KB, so that the first
// lines of all share one set of the L1 cache, which has 8 or 12 places. So the pool then has a
// mapping of its own, where mbufs follow each other at an odd number of cache lines, and a burst is
// spread over all sets. In huge pages EAL does the same. A NIC reaches only memory that EAL has
// mapped for it (VFIO): for_nic keeps EAL's memory in any case.
struct rte_mempool *dp_mbuf_pool_create(const struct dp_mbuf_pool_conf *conf);
// Bytes that it takes of EAL's memory; EAL need not be up.
size_t dp_mbuf_pool_eal_bytes(const struct dp_mbuf_pool_conf *conf, bool huge_pages);

#endif
