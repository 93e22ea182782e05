// SPDX-License-Identifier: BSD-3-Clause
// In the place of dataplane/shared/memory.c: mappings are kept for the next life of the gateway,
// whose start would else be spent on page faults.

#include "dataplane/shared/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN 4096
#define WIPED_MAX \
	(1 << 20) // larger ones are of packet buffers, which are made before they are used

struct block {
	struct block *next;
	size_t bytes;
};

static struct block *free_blocks;
static size_t taken;

void *dp_map(size_t bytes, enum dp_map_use use)
{
	struct block **at = &free_blocks, *block;

	while (*at && (*at)->bytes != bytes)
		at = &(*at)->next;
	block = *at;
	if (block) {
		*at = block->next;
		if (bytes < WIPED_MAX)
			memset((uint8_t *)block + ALIGN, 0, bytes);
	} else {
		block = aligned_alloc(ALIGN, ALIGN + (bytes + ALIGN - 1) / ALIGN * ALIGN);
		if (!block)
			return NULL;
		memset((uint8_t *)block + ALIGN, 0, bytes);
		block->bytes = bytes;
	}
	taken++;
	return (uint8_t *)block + ALIGN;
}

bool dp_map_lock(const void *map, size_t bytes)
{
	return true;
}

void dp_unmap(void *map, size_t bytes)
{
	if (!map)
		return;
	struct block *block = (struct block *)((uint8_t *)map - ALIGN);

	if (block->bytes != bytes)
		abort();
	block->next = free_blocks;
	free_blocks = block;
	taken--;
}
