// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/eal.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <regex.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The position of an argument, 0 if it is not there.
static int find(const struct eal_args *args, const char *arg)
{
	for (int i = 1; i < args->argc; i++)
		if (!strcmp(args->argv[i], arg))
			return i;
	return 0;
}

// The first CPU that this process may use.
static unsigned first_cpu(void)
{
	unsigned cpu = 0;
	cpu_set_t set;

	cr_assert_eq(sched_getaffinity(0, sizeof(set), &set), 0);
	while (!CPU_ISSET(cpu, &set))
		cpu++;
	return cpu;
}

Test(eal_args, without_huge_pages)
{
	const unsigned cpu = first_cpu();
	const struct eal_conf conf = {
		.cores = (const unsigned[]){cpu, cpu},
		.count = 2,
		.memory_mb = 123,
	};
	struct eal_args args;
	struct error error;
	char want[64];

	cr_assert_eq(eal_args_make(&conf, &args, &error), 0, "%s", error.text);
	cr_assert_null(args.argv[args.argc]);
	cr_assert(find(&args, "--no-huge"));
	cr_assert(find(&args, "--no-shconf"));
	cr_assert_not(find(&args, "--in-memory"), "DPDK 22.11 refuses it with --no-huge");
	cr_assert_str_eq(args.argv[find(&args, "-m") + 1], "123");
	cr_assert(find(&args, "--no-telemetry"));
	cr_assert(find(&args, "--no-pci"));
	// Two workers may share a CPU.
	snprintf(want, sizeof(want), "),1@%u,2@%u", cpu, cpu);
	cr_assert_eq(strncmp(args.argv[1], "--lcores=0@(", 12), 0, "%s", args.argv[1]);
	cr_assert_not_null(strstr(args.argv[1], want), "%s", args.argv[1]);
	eal_args_free(&args);
	cr_assert_null(args.argv);
}

// The argument for two workers, in a process that may use these CPUs.
static void lcores_with(const unsigned *cpus, unsigned count, const unsigned workers[2], char *text)
{
	const struct eal_conf conf = {.cores = workers, .count = 2, .memory_mb = 64};
	struct eal_args args;
	struct error error;
	cpu_set_t set;

	CPU_ZERO(&set);
	for (unsigned i = 0; i < count; i++)
		CPU_SET(cpus[i], &set);
	cr_assert_eq(sched_setaffinity(0, sizeof(set), &set), 0);
	cr_assert_eq(eal_args_make(&conf, &args, &error), 0, "%s", error.text);
	strcpy(text, args.argv[1]);
	eal_args_free(&args);
}

// A command must not take the CPU from a worker, wherever there is another one.
Test(eal_args, main_is_off_the_cpus_of_the_workers)
{
	unsigned cpus[2], count = 0;
	char text[256], want[256];
	cpu_set_t all;

	cr_assert_eq(sched_getaffinity(0, sizeof(all), &all), 0);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE && count < 2; cpu++)
		if (CPU_ISSET(cpu, &all))
			cpus[count++] = cpu;
	if (count < 2)
		cr_skip_test("one CPU only");
	lcores_with(cpus, 2, (const unsigned[]){cpus[1], cpus[1]}, text);
	snprintf(want, sizeof(want), "--lcores=0@(%u),1@%u,2@%u", cpus[0], cpus[1], cpus[1]);
	cr_assert_str_eq(text, want);
	lcores_with(cpus, 1, (const unsigned[]){cpus[0], cpus[0]}, text);
	snprintf(want, sizeof(want), "--lcores=0@(%u),1@%u,2@%u", cpus[0], cpus[0], cpus[0]);
	cr_assert_str_eq(text, want);
	cr_assert_eq(sched_setaffinity(0, sizeof(all), &all), 0);
}

// Keys are in this memory: nothing of it is shared or left behind.
Test(eal_args, with_huge_pages_in_memory_only)
{
	const struct eal_conf conf = {
		.cores = (const unsigned[]){first_cpu()},
		.count = 1,
		.huge_pages = true,
		.memory_mb = 123,
	};
	struct eal_args args;
	struct error error;

	cr_assert_eq(eal_args_make(&conf, &args, &error), 0, "%s", error.text);
	cr_assert(find(&args, "--in-memory"));
	cr_assert_not(find(&args, "--no-huge"));
	cr_assert_not(find(&args, "-m"));
	eal_args_free(&args);
}

// NICs that nobody named are left alone.
Test(eal_args, only_the_pci_devices_that_were_named)
{
	const struct eal_conf conf = {
		.cores = (const unsigned[]){first_cpu()},
		.count = 1,
		.memory_mb = 64,
		.pci = (const char *const[]){"0000:01:00.0", "0000:02:00.1"},
		.pci_count = 2,
	};
	struct eal_args args;
	struct error error;

	cr_assert_eq(eal_args_make(&conf, &args, &error), 0, "%s", error.text);
	cr_assert_not(find(&args, "--no-pci"));
	cr_assert(find(&args, "--allow=0000:01:00.0"));
	cr_assert(find(&args, "--allow=0000:02:00.1"));
	eal_args_free(&args);
}

Test(eal_args, wrong_cores_are_named)
{
	struct eal_conf conf = {.cores = (const unsigned[]){first_cpu(), 1023}, .count = 2};
	struct eal_args args;
	struct error error;

	cr_assert_eq(eal_args_make(&conf, &args, &error), -EINVAL);
	cr_assert_not_null(strstr(error.text, "worker 1"), "%s", error.text);
	cr_assert_not_null(strstr(error.text, "CPU 1023"), "%s", error.text);
	conf.count = 0;
	cr_assert_eq(eal_args_make(&conf, &args, &error), -EINVAL);
	conf.count = EAL_WORKERS_MAX + 1;
	cr_assert_eq(eal_args_make(&conf, &args, &error), -EINVAL);
}

// A 64-bit size does not wrap, and EAL and drivers have room beside the pools.
Test(eal_args, memory)
{
	cr_assert_eq(eal_memory_mb(0), 64);
	cr_assert_geq(eal_memory_mb(100 << 20), 64 + 100);
	cr_assert_geq(eal_memory_mb((size_t)8 << 30), 64 + 8192);
}

// The number in the message is what makes the next start work.
Test(eal_args, too_few_huge_pages_are_told_with_a_remedy)
{
	static const struct {
		size_t memory_mb, free_mb, pages;
		const char *wanted; // NULL: there are enough
	} cases[] = {
		{143, 143, 100, NULL},
		{143, 400, 200, NULL},
		{143, 0, 0, "no huge pages are free, .*needs 143 MB: 'sysctl vm.nr_hugepages=72'"},
		{143, 0, 50,
			"no huge pages are free, .*needs 143 MB: 'sysctl vm.nr_hugepages=122'"},
		{143, 20, 50,
			"only 20 MB .* are free, .*needs 143 MB: 'sysctl vm.nr_hugepages=112'"},
	};
	struct error error;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const int rc = eal_huge_pages_check(
			cases[i].memory_mb, cases[i].free_mb, cases[i].pages, &error);
		regex_t wanted;

		cr_expect_eq(rc, cases[i].wanted ? -ENOMEM : 0, "case %zu", i);
		if (!cases[i].wanted)
			continue;
		cr_assert_eq(regcomp(&wanted, cases[i].wanted, REG_NOSUB), 0);
		cr_expect_eq(
			regexec(&wanted, error.text, 0, NULL, 0), 0, "case %zu: %s", i, error.text);
		regfree(&wanted);
	}
}
