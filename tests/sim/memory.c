// SPDX-License-Identifier: BSD-3-Clause
// In the place of dataplane/shared/memory.c, and of calloc() for what is large: memory is kept for
// the next life of the gateway. Tables that are made for a million devices have few pages here that
// anybody touches, so the kernel takes these back and nobody wipes the others.

#include "dataplane/shared/memory.h"

#include "tests/sim/sim.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGN      4096
#define LARGE      (64 << 10) // bytes of a table from which on it is such a one
#define ARENA      ((size_t)1 << 30)
#define MOST       (4 << 20) // .. and above which it is not looked at
#define STAY       32        // pages of a table that stay in any case
#define LARGES_MAX 256

// --- what is large ----------------------------------------------------------------------------

static uint8_t *arena; // address space, of which little is memory
static size_t arena_used;
static struct {
	uint8_t *at;
	size_t bytes;
	bool taken, wiped;
} larges[LARGES_MAX];
static unsigned large_count;

static bool is_large(const void *memory)
{
	return arena && (const uint8_t *)memory >= arena && (const uint8_t *)memory < arena + ARENA;
}

static void arena_make(void)
{
	arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	// A huge page would have to be wiped as a whole.
	if (arena == MAP_FAILED || madvise(arena, ARENA, MADV_NOHUGEPAGE))
		abort();
}

static void *large_take(size_t bytes)
{
	bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
	for (unsigned i = 0; i < large_count; i++)
		if (!larges[i].taken && larges[i].bytes == bytes) {
			larges[i].taken = true;
			larges[i].wiped = false;
			return larges[i].at;
		}
	if (!arena)
		arena_make();
	must(large_count < LARGES_MAX && arena_used + bytes <= ARENA, "too much is large");
	larges[large_count].at = arena + arena_used;
	larges[large_count].bytes = bytes;
	larges[large_count].taken = true;
	larges[large_count].wiped = false;
	arena_used += bytes;
	return larges[large_count++].at;
}

// As zeros it comes again. Pages that were touched stay, if they are few: to take them back and to
// get them again costs more than to wipe them.
static void wipe(uint8_t *at, size_t bytes)
{
	static unsigned char there[MOST / ALIGN];
	size_t pages = bytes / ALIGN, touched = 0;

	if (bytes > MOST) { // nobody touches much of it
		if (madvise(at, bytes, MADV_DONTNEED))
			abort();
		return;
	}
	must(!mincore(at, bytes, there), "a large table");
	for (size_t i = 0; i < pages; i++)
		touched += there[i] & 1;
	if (touched > STAY && touched <= pages / 4) {
		if (madvise(at, bytes, MADV_DONTNEED))
			abort();
		return;
	}
	for (size_t i = 0; i < pages; i++)
		if (there[i] & 1)
			memset(at + i * ALIGN, 0, ALIGN);
}

static unsigned large_find(const void *memory)
{
	unsigned i = 0;

	while (i < large_count && (larges[i].at != memory || !larges[i].taken))
		i++;
	return i;
}

static void large_give(const void *memory)
{
	unsigned i = large_find(memory);

	must(i < large_count, "what was not taken is given back");
	if (!larges[i].wiped)
		wipe(larges[i].at, larges[i].bytes);
	larges[i].taken = false;
}

// Who wipes a whole table gives it back next.
void __real_sodium_memzero(void *memory, size_t bytes);
void __wrap_sodium_memzero(void *memory, size_t bytes);
void __wrap_sodium_memzero(void *memory, size_t bytes)
{
	unsigned i = bytes >= LARGE && is_large(memory) ? large_find(memory) : large_count;

	if (i == large_count || bytes + ALIGN <= larges[i].bytes) {
		__real_sodium_memzero(memory, bytes);
		return;
	}
	wipe(larges[i].at, larges[i].bytes);
	larges[i].wiped = true;
}

// --- dataplane/shared/memory.h ----------------------------------------------------------------

struct block {
	struct block *next;
	size_t bytes;
};

static struct block *free_blocks;

void *dp_map(size_t bytes, enum dp_map_use use)
{
	struct block **at = &free_blocks, *block;

	if (bytes >= LARGE)
		return large_take(bytes);
	while (*at && (*at)->bytes != bytes)
		at = &(*at)->next;
	block = *at;
	if (block) {
		*at = block->next;
	} else {
		block = aligned_alloc(ALIGN, ALIGN + (bytes + ALIGN - 1) / ALIGN * ALIGN);
		if (!block)
			return NULL;
		block->bytes = bytes;
	}
	memset((uint8_t *)block + ALIGN, 0, bytes);
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
	if (bytes >= LARGE) {
		large_give(map);
		return;
	}
	struct block *block = (struct block *)((uint8_t *)map - ALIGN);

	if (block->bytes != bytes)
		abort();
	block->next = free_blocks;
	free_blocks = block;
}

// --- calloc() ---------------------------------------------------------------------------------

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
#ifndef __SANITIZE_ADDRESS__ // which knows where they end
	size_t bytes;

	if (!__builtin_mul_overflow(count, size, &bytes) && bytes >= LARGE && bytes < ARENA)
		return large_take(bytes);
#endif
	return __real_calloc(count, size);
}

void __real_free(void *memory);
void __wrap_free(void *memory);
void __wrap_free(void *memory)
{
	if (is_large(memory))
		large_give(memory);
	else
		__real_free(memory);
}

void *__real_realloc(void *memory, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes)
{
	must(!is_large(memory), "what is large does not grow");
	return __real_realloc(memory, bytes);
}
