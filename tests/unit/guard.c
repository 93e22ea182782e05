// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/guard.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATTERN 0xa5
#define WATCHED 256 // bytes before the taken ones that guard_intact() looks at

struct guard guard_create(size_t len)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	struct guard guard = {.room = (len + WATCHED + page - 1) / page * page};

	guard.map = mmap(NULL, guard.room + page, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (guard.map == MAP_FAILED || mprotect(guard.map + guard.room, page, PROT_NONE) != 0)
		abort();
	return guard;
}

void guard_free(struct guard *guard)
{
	munmap(guard->map, guard->room + sysconf(_SC_PAGESIZE));
}

uint8_t *guard_take(struct guard *guard, size_t len)
{
	uint8_t *taken = guard->map + guard->room - len;

	guard->len = len;
	memset(taken - WATCHED, PATTERN, WATCHED);
	return taken;
}

bool guard_intact(const struct guard *guard)
{
	const uint8_t *watched = guard->map + guard->room - guard->len - WATCHED;

	for (size_t i = 0; i < WATCHED; i++) {
		if (watched[i] != PATTERN)
			return false;
	}
	return true;
}
