// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/memory.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)

static bool no_numa; // the kernel has none

// In front of the C library's. The kernel's own calls are made by asm there, not by this.
long syscall(long number, ...)
{
	long a[6];
	va_list list;
	register long r10 asm("r10");
	register long r8 asm("r8");
	register long r9 asm("r9");
	long rc;

	va_start(list, number);
	for (unsigned i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	if (no_numa && (number == SYS_mbind || number == SYS_get_mempolicy)) {
		errno = ENOSYS;
		return -1;
	}
	r10 = a[3];
	r8 = a[4];
	r9 = a[5];
	asm volatile("syscall"
		     : "=a"(rc)
		     : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
		     : "rcx", "r11", "memory");
	if (rc < 0) {
		errno = (int)-rc;
		return -1;
	}
	return rc;
}

// The policy of a mapping as the kernel tells it; false if it has no NUMA.
static bool policy_of(const void *map, char policy[64])
{
	FILE *in = fopen("/proc/self/numa_maps", "re");
	char line[512];
	bool found = false;

	while (in && !found && fgets(line, sizeof(line), in)) {
		unsigned long at;

		found = sscanf(line, "%lx %63s", &at, policy) == 2 && at == (uintptr_t)map;
	}
	if (in)
		fclose(in);
	return found;
}

static bool is_mapped(const void *page)
{
	unsigned char in_core;

	return !mincore((void *)(uintptr_t)page, 1, &in_core);
}

static bool is_zero(const uint8_t *map, size_t bytes)
{
	return !map[0] && !memcmp(map, map + 1, bytes - 1);
}

Test(dp_memory, what_all_use_is_on_all_nodes)
{
	const size_t bytes = 3 * HUGE_PAGE;
	char policy[64];
	void *hot = dp_map(bytes, DP_MAP_HOT), *all = dp_map(bytes, DP_MAP_ALL);

	cr_assert(hot && all);
	cr_expect(is_zero(all, bytes));
	if (!policy_of(all, policy))
		cr_skip("the kernel has no NUMA");
	cr_expect_eq(strncmp(policy, "interleave:", 11), 0, "%s", policy);
	cr_assert(policy_of(hot, policy));
	cr_expect_str_eq(policy, "default");
	dp_unmap(hot, bytes);
	dp_unmap(all, bytes);
}

Test(dp_memory, without_numa_it_is_memory_all_the_same)
{
	no_numa = true;
	uint8_t *all = dp_map(4096, DP_MAP_ALL);

	cr_assert_not_null(all);
	cr_expect(is_zero(all, 4096));
	dp_unmap(all, 4096);
}

Test(dp_memory, what_fills_a_huge_page_starts_at_one)
{
	static const size_t sizes[] = {1, 4096, 4097, HUGE_PAGE - 1, HUGE_PAGE, HUGE_PAGE + 1,
		5 * HUGE_PAGE - 4096, 5 * HUGE_PAGE};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (unsigned use = DP_MAP_HOT; use <= DP_MAP_ALL; use++) {
			uint8_t *map = dp_map(sizes[i], use);

			cr_assert_not_null(map);
			cr_expect(sizes[i] < HUGE_PAGE || (uintptr_t)map % HUGE_PAGE == 0);
			map[0] = map[sizes[i] - 1] = 1;
			dp_unmap(map, sizes[i]);
			cr_expect_not(is_mapped(map));
			cr_expect_not(is_mapped(map + (sizes[i] - 1) / 4096 * 4096));
		}
	}
}

Test(dp_memory, too_much_is_refused)
{
	cr_expect_null(dp_map((size_t)1 << 60, DP_MAP_HOT));
	cr_expect_eq(errno, ENOMEM);
}
