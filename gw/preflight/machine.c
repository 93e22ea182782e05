// SPDX-License-Identifier: BSD-3-Clause

#include "gw/preflight/look.h"

#include <dirent.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NODES           "/sys/devices/system/node"
#define CPUS            "/sys/devices/system/cpu"
#define NODES_MAX       64
#define CONTEXT_BYTES   200 // of keys, for a device
#define YEAR_2026       INT64_C(1767225600)
#define HUGE_PAGE_SIZES 2

static bool has_flag(const char *flags, const char *flag)
{
	size_t len = strlen(flag);

	for (const char *at = flags; (at = strstr(at, flag)); at += len)
		if ((at == flags || at[-1] == ' ') && (at[len] == 0 || at[len] == ' '))
			return true;
	return false;
}

static void look_at_cpu(struct preflight *p)
{
	char flags[LOOK_LINE_MAX];

	if (!look_field(p, "/proc/cpuinfo", "flags", flags, sizeof(flags)))
		preflight_add(p, PREFLIGHT_WARNING, "cpu", "/proc/cpuinfo does not tell its flags");
	else if (!has_flag(flags, "sse4_2"))
		preflight_add(p, PREFLIGHT_PROBLEM, "cpu", "no SSE4.2, which DPDK needs");
	else if (!has_flag(flags, "aes"))
		preflight_add(p, PREFLIGHT_WARNING, "cpu",
			"no AES instructions: several times slower, in a guest often because the "
			"host hides them (-cpu host)");
	else
		preflight_add(p, PREFLIGHT_OK, "cpu", "AES%s%s",
			has_flag(flags, "vaes") ? ", VAES" : "",
			has_flag(flags, "avx512vl") ? ", AVX-512" : "");
}

// Whether a port takes a NIC, whose queue overflows while a worker has no CPU.
static bool has_nic(const struct conf *conf)
{
	for (size_t i = 0; i < conf->port_count; i++)
		if (conf->ports[i].kind == CONF_PORT_PCI || conf->ports[i].kind == CONF_PORT_AF_XDP)
			return true;
	return false;
}

// A worker that is on the second thread of another worker's core has half a core.
static void look_at_siblings(struct preflight *p, size_t worker)
{
	const struct conf_workers *workers = &p->conf->workers;
	char name[128], list[256];

	snprintf(name, sizeof(name), CPUS "/cpu%u/topology/thread_siblings_list",
		workers->cores[worker]);
	if (!look_line(p, name, list, sizeof(list)))
		return;
	for (size_t i = 0; i < worker; i++)
		if (workers->cores[i] != workers->cores[worker] &&
			look_cpu_in(list, workers->cores[i]))
			preflight_add(p, PREFLIGHT_WARNING, "workers",
				"CPUs %u and %u are threads of one core: these workers share it",
				workers->cores[i], workers->cores[worker]);
}

static void look_at_workers(struct preflight *p)
{
	const struct conf_workers *workers = &p->conf->workers;
	char allowed[LOOK_LINE_MAX], isolated[LOOK_LINE_MAX];
	unsigned taken = 0, bad = 0, shared = 0;

	if (!look_field(p, "/proc/self/status", "Cpus_allowed_list", allowed, sizeof(allowed)))
		return;
	look_line(p, CPUS "/isolated", isolated, sizeof(isolated));
	for (size_t i = 0; i < workers->core_count; i++) {
		bool again = false;

		if (!look_cpu_in(allowed, workers->cores[i])) {
			bad++;
			preflight_remedy(
				preflight_add(p, PREFLIGHT_PROBLEM, "workers",
					"worker %zu: this process may not use CPU %u, only "
					"%s",
					i, workers->cores[i], allowed),
				"set workers.cores to CPUs of %s", allowed);
		}
		for (size_t k = 0; k < i; k++)
			again |= workers->cores[k] == workers->cores[i];
		taken += !again;
		shared += !look_cpu_in(isolated, workers->cores[i]);
		look_at_siblings(p, i);
	}
	if (bad)
		return;
	if (taken >= look_cpu_count(allowed))
		preflight_add(p, PREFLIGHT_WARNING, "workers",
			"no CPU is left for HTTP, store and control: give the workers one less");
	else if (shared && has_nic(p->conf))
		preflight_remedy(
			preflight_add(p, PREFLIGHT_WARNING, "workers",
				"%u of %zu workers are on CPUs that the kernel gives others, too",
				shared, workers->core_count),
			"isolcpus=managed_irq,domain,... on the kernel's command line");
	else
		preflight_add(p, PREFLIGHT_OK, "workers", "%zu on %u of %u CPUs",
			workers->core_count, taken, look_cpu_count(allowed));
}

// Free memory in huge pages of 2 MB and 1 GB below a directory, in MB.
static uint64_t pages_free_mb(const struct preflight *p, const char *directory)
{
	static const char *const size[HUGE_PAGE_SIZES] = {"2048kB", "1048576kB"};
	static const unsigned mb[HUGE_PAGE_SIZES] = {2, 1024};
	uint64_t sum = 0;

	for (unsigned i = 0; i < HUGE_PAGE_SIZES; i++) {
		char name[256];

		snprintf(name, sizeof(name), "%s/hugepages-%s/free_hugepages", directory, size[i]);
		long pages = look_number(p, name);

		sum += pages > 0 ? (uint64_t)pages * mb[i] : 0;
	}
	return sum;
}

// "node 0: 512 MB, node 1: 0 MB", in `text`.
static void pages_of_nodes(const struct preflight *p, char *text, size_t room)
{
	size_t len = 0;

	text[0] = 0;
	for (unsigned node = 0; node < NODES_MAX && len < room; node++) {
		char name[128];

		snprintf(name, sizeof(name), NODES "/node%u/hugepages", node);
		if (look_there(p, name))
			len += (size_t)snprintf(text + len, room - len, "%snode %u: %lu MB",
				len ? ", " : "", node, (unsigned long)pages_free_mb(p, name));
	}
}

static void look_at_huge_pages(struct preflight *p)
{
	const enum conf_huge_pages wanted = p->conf->workers.huge_pages;
	const uint64_t free_mb = pages_free_mb(p, "/sys/kernel/mm/hugepages");
	long pages = look_number(p, "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
	struct preflight_finding *finding;
	char nodes[256];

	pages_of_nodes(p, nodes, sizeof(nodes));
	if (wanted == CONF_HUGE_NO) {
		preflight_add(p, has_nic(p->conf) ? PREFLIGHT_WARNING : PREFLIGHT_OK, "huge pages",
			"none are used, as huge_pages: no says");
		return;
	}
	if (!p->memory_mb || free_mb >= p->memory_mb) {
		preflight_add(p, PREFLIGHT_OK, "huge pages", "free: %s; needed: %lu MB", nodes,
			(unsigned long)p->memory_mb);
		return;
	}
	finding = preflight_add(p,
		wanted == CONF_HUGE_YES    ? PREFLIGHT_PROBLEM
			: has_nic(p->conf) ? PREFLIGHT_WARNING
					   : PREFLIGHT_OK,
		"huge pages", "free: %s; needed: %lu MB", nodes, (unsigned long)p->memory_mb);
	preflight_remedy(finding, "sysctl vm.nr_hugepages=%lu",
		(unsigned long)((pages > 0 ? pages : 0) + (p->memory_mb - free_mb + 1) / 2));
}

// The hard and soft limit of /proc/self/limits, where -1 is "unlimited".
static bool limit_read(
	const struct preflight *p, const char *name, unsigned long *soft, unsigned long *hard)
{
	char value[256], words[2][32];

	if (!look_field(p, "/proc/self/limits", name, value, sizeof(value)) ||
		sscanf(value, "%31s %31s", words[0], words[1]) != 2)
		return false;
	*soft = words[0][0] == 'u' ? (unsigned long)-1 : strtoul(words[0], NULL, 10);
	*hard = words[1][0] == 'u' ? (unsigned long)-1 : strtoul(words[1], NULL, 10);
	return true;
}

static void look_at_limits(struct preflight *p)
{
	const unsigned long keys = (unsigned long)p->conf->devices.max * CONTEXT_BYTES;
	unsigned long soft, hard;

	if (limit_read(p, "Max open files", &soft, &hard) && p->descriptors) {
		if (hard < p->descriptors && !look_capability(p, CAP_SYS_RESOURCE))
			preflight_remedy(preflight_add(p, PREFLIGHT_PROBLEM, "descriptors",
						 "%lu are needed, and the limit is %lu",
						 (unsigned long)p->descriptors, hard),
				"ulimit -n %lu (LimitNOFILE= of the unit)",
				(unsigned long)p->descriptors);
		else
			preflight_add(p, PREFLIGHT_OK, "descriptors", "%lu are needed",
				(unsigned long)p->descriptors);
	}
	if (!limit_read(p, "Max locked memory", &soft, &hard))
		return;
	if (soft < keys && !look_capability(p, CAP_IPC_LOCK))
		preflight_remedy(preflight_add(p, PREFLIGHT_WARNING, "locked memory",
					 "keys of %u devices take %lu MB, the limit is %lu KB: "
					 "they may be swapped out",
					 p->conf->devices.max, keys >> 20, soft >> 10),
			"ulimit -l unlimited (LimitMEMLOCK=infinity of the unit)");
	else
		preflight_add(p, PREFLIGHT_OK, "locked memory", "enough for all keys");
}

static void look_at_clock(struct preflight *p)
{
	if (time(NULL) < YEAR_2026)
		preflight_remedy(preflight_add(p, PREFLIGHT_PROBLEM, "clock",
					 "it is before 2026: devices with own_piv: clock cannot be "
					 "served"),
			"timedatectl set-ntp true");
	else if (p->clock_unsynchronised)
		preflight_remedy(
			preflight_add(p, PREFLIGHT_WARNING, "clock",
				"it is not synchronised: own_piv: clock depends on it, and so do "
				"certificates"),
			"timedatectl set-ntp true");
	else
		preflight_add(p, PREFLIGHT_OK, "clock", "synchronised");
}

void preflight_machine(struct preflight *preflight)
{
	look_at_cpu(preflight);
	look_at_workers(preflight);
	look_at_huge_pages(preflight);
	look_at_limits(preflight);
	look_at_clock(preflight);
}
