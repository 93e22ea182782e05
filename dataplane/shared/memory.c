// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/memory.h"

#include <sys/mman.h>

void *dp_map(size_t bytes, enum dp_map_use use)
{
	void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return NULL;
	// All of it is advice: a kernel without it makes us slower, or a core dump larger.
	(void)madvise(map, bytes, MADV_HUGEPAGE);
	(void)madvise(map, bytes, MADV_DONTDUMP);
	if (use == DP_MAP_HOT)
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
