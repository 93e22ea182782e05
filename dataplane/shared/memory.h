// SPDX-License-Identifier: BSD-3-Clause
// Large tables in mappings of their own: zeroed, with huge pages advised, so that they work with
// and without huge pages set aside.

#ifndef POSTERN_DATAPLANE_SHARED_MEMORY_H
#define POSTERN_DATAPLANE_SHARED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

enum dp_map_use {
	DP_MAP_HOT,  // used at once: its pages are there when the call returns
	DP_MAP_LAZY, // maybe never used: a page costs memory and a fault when it is first touched
	DP_MAP_ALL,  // used at once and by all: hot pages, from all NUMA nodes in turn
};
// Pages are from the NUMA node of the CPU that first touches them (of DP_MAP_HOT, that calls), but
// for DP_MAP_ALL, and unless the process has a policy of its own (numactl).

// NULL and errno on failure. Kept out of core dumps: such tables hold keys and plaintexts.
void *dp_map(size_t bytes, enum dp_map_use use);
// Keeps a map out of the swap: a page is locked when it is first touched. false if the limit
// (RLIMIT_MEMLOCK) is too low for all of it.
bool dp_map_lock(const void *map, size_t bytes) __attribute__((warn_unused_result));
// Wipes nothing; NULL is allowed.
void dp_unmap(void *map, size_t bytes);

#endif
