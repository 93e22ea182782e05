// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/memory.h"

#include <linux/mempolicy.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define NODES_MAX 1024 // of the kernel

// Maps bytes at an address that is a multiple of a huge page's size if they fill one: older kernels
// put a mapping anywhere, and give it no huge pages at its ends.
static void *map_aligned(size_t bytes)
{
	const size_t spare = bytes < HUGE_PAGE ? 0 : HUGE_PAGE;
	char *map = mmap(
		NULL, bytes + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || !spare)
		return map;
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const size_t before = -(uintptr_t)map % HUGE_PAGE;
	const size_t used = before + (bytes + page - 1) / page * page;

	if (before)
		munmap(map, before);
	if (used < bytes + spare)
		munmap(map + used, bytes + spare - used);
	return map + before;
}

// Has pages taken from all nodes in turn that this process may use. A kernel without NUMA, and a
// container that forbids the calls, leave it as it is: all are from the node of who touches them.
static void interleave(void *map, size_t bytes)
{
	unsigned long nodes[NODES_MAX / (8 * sizeof(unsigned long))] = {0};

	if (!syscall(SYS_get_mempolicy, NULL, nodes, NODES_MAX, NULL, MPOL_F_MEMS_ALLOWED))
		(void)syscall(SYS_mbind, map, bytes, MPOL_INTERLEAVE, nodes, NODES_MAX, 0);
}

void *dp_map(size_t bytes, enum dp_map_use use)
{
	void *map = map_aligned(bytes);

	if (map == MAP_FAILED)
		return NULL;
	// All of it is advice: a kernel without it makes us slower, or a core dump larger.
	(void)madvise(map, bytes, MADV_HUGEPAGE);
	(void)madvise(map, bytes, MADV_DONTDUMP);
	if (use == DP_MAP_ALL)
		interleave(map, bytes);
	if (use != DP_MAP_LAZY)
		(void)madvise(map, bytes, MADV_POPULATE_WRITE);
	return map;
}

bool dp_map_lock(const void *map, size_t bytes)
{
	return !mlock2(map, bytes, MLOCK_ONFAULT);
}

void dp_unmap(void *map, size_t bytes)
{
	if (map)
		munmap(map, bytes);
}
