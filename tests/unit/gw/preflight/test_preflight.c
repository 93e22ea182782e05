// SPDX-License-Identifier: BSD-3-Clause
// What preflight says of a machine, with a root of its own for /proc, /sys and /dev.

#include "gw/preflight/preflight.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GOOD_STATUS "Name:\tx\nCapEff:\t000001ffffffffff\nCpus_allowed_list:\t0-3\n"
#define GOOD_LIMITS                                                                   \
	"Limit                     Soft Limit           Hard Limit\n"                 \
	"Max open files            1024                 524288               files\n" \
	"Max locked memory         unlimited            unlimited            bytes\n"
#define TCP_HEAD "  sl  local_address rem_address   st\n"

static char root[64];
static struct preflight flight;

// Writes a file below the root, with the directories above it.
static void put(const char *name, const char *text)
{
	char path[512];

	snprintf(path, sizeof(path), "%s%s", root, name);
	for (char *c = path + strlen(root) + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = 0;
		mkdir(path, 0755);
		*c = '/';
	}
	FILE *out = fopen(path, "w");

	cr_assert(out, "%s: %s", path, strerror(errno));
	fputs(text, out);
	fclose(out);
}

static struct conf *conf; // what was configured last

static struct conf *configure(const char *text)
{
	char path[128];

	conf_free(conf);
	conf = NULL;
	put("/postern.yaml", text);
	snprintf(path, sizeof(path), "%s/postern.yaml", root);
	cr_assert_eq(conf_load(path, &conf, stderr), 0);
	return conf;
}

// A machine on which all is well for `configure`d TAPs and af_xdp eth1.
static void machine(void)
{
	snprintf(root, sizeof(root), "/tmp/preflight-XXXXXX");
	cr_assert(mkdtemp(root));
	put("/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu sse4_2 aes vaes\n");
	put("/proc/self/status", GOOD_STATUS);
	put("/proc/self/limits", GOOD_LIMITS);
	put("/proc/net/tcp", TCP_HEAD);
	put("/proc/net/tcp6", TCP_HEAD);
	put("/proc/net/dev", "Inter-|   Receive\n face |bytes\n    lo: 1 1\n  eth1: 2 2\n");
	put("/dev/net/tun", "");
	put("/sys/devices/system/cpu/isolated", "1-2\n");
	put("/sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1\n");
	put("/sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "2\n");
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "256\n");
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "200\n");
	put("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "150\n");
	put("/sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages", "50\n");
	put("/sys/class/net/eth1/operstate", "up\n");
	put("/sys/class/net/eth1/mtu", "1500\n");
	put("/sys/class/net/eth1/queues/rx-0/x", "");
	put("/sys/class/net/eth1/queues/rx-1/x", "");
}

static int removal(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void gone(void)
{
	conf_free(conf);
	nftw(root, removal, 16, FTW_DEPTH | FTW_PHYS);
}

#define CONF(port, workers)                                            \
	"ports: [{name: wan0, " port ", addresses: [192.0.2.1/24]}]\n" \
	"workers: {" workers "}\n"                                     \
	"routes: [{path: /*, to: \"builtin:echo\"}]\n"                 \
	"control: {socket: /nowhere/control.sock}\n"                   \
	"metrics: {listen: \"127.0.0.1:9683\"}\n"
#define XDP CONF("af_xdp: eth1", "cores: [1, 2]")

static void fly(const char *text)
{
	flight = (struct preflight){
		.conf = configure(text), .root = root, .memory_mb = 100, .descriptors = 1000};
	preflight_machine(&flight);
	preflight_ports(&flight);
}

// The finding of a topic whose text has these words; NULL if there is none.
static const struct preflight_finding *found(const char *topic, const char *words)
{
	for (unsigned i = 0; i < flight.count; i++)
		if (!strcmp(flight.finding[i].topic, topic) &&
			strstr(flight.finding[i].text, words))
			return &flight.finding[i];
	return NULL;
}

static void says(
	enum preflight_level level, const char *topic, const char *words, const char *remedy)
{
	const struct preflight_finding *finding = found(topic, words);

	if (!finding)
		for (unsigned i = 0; i < flight.count; i++)
			cr_log_warn("%d %s: %s", flight.finding[i].level, flight.finding[i].topic,
				flight.finding[i].text);
	cr_assert(finding, "%s: %s", topic, words);
	cr_assert_eq(finding->level, level, "%s: %s", topic, finding->text);
	cr_assert_str_eq(finding->remedy, remedy);
	cr_assert_geq(preflight_worst(&flight), level);
}

TestSuite(preflight, .init = machine, .fini = gone);

Test(preflight, a_machine_on_which_all_is_well_has_no_problem)
{
	fly(XDP);
	cr_expect_eq(preflight_worst(&flight), PREFLIGHT_OK);
	says(PREFLIGHT_OK, "cpu", "AES, VAES", "");
	says(PREFLIGHT_OK, "huge pages", "node 0: 300 MB, node 1: 100 MB; needed: 100 MB", "");
	says(PREFLIGHT_OK, "port", "wan0: eth1, 2 queues", "");
	says(PREFLIGHT_OK, "metrics", "is free", "");
}

Test(preflight, what_the_cpu_lacks)
{
	put("/proc/cpuinfo", "flags\t\t: fpu sse4_2 vaes aesx\n");
	fly(XDP);
	says(PREFLIGHT_WARNING, "cpu", "no AES instructions", "");
	put("/proc/cpuinfo", "flags\t\t: fpu aes\n");
	fly(XDP);
	says(PREFLIGHT_PROBLEM, "cpu", "SSE4.2", "");
}

Test(preflight, cpus_of_the_workers)
{
	fly(CONF("af_xdp: eth1", "cores: [1, 4]"));
	says(PREFLIGHT_PROBLEM, "workers", "worker 1: this process may not use CPU 4, only 0-3",
		"set workers.cores to CPUs of 0-3");
	put("/sys/devices/system/cpu/isolated", "\n");
	fly(XDP);
	says(PREFLIGHT_WARNING, "workers", "2 of 2 workers",
		"isolcpus=managed_irq,domain,... on the kernel's command line");
	put("/sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "1-2\n");
	fly(XDP);
	says(PREFLIGHT_WARNING, "workers", "CPUs 1 and 2 are threads of one core", "");
	put("/proc/self/status", "CapEff:\t000001ffffffffff\nCpus_allowed_list:\t1-2\n");
	fly(XDP);
	says(PREFLIGHT_WARNING, "workers", "no CPU is left", "");
}

Test(preflight, huge_pages_that_are_missing)
{
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "10\n");
	fly(XDP);
	says(PREFLIGHT_WARNING, "huge pages", "needed: 100 MB", "sysctl vm.nr_hugepages=296");
	fly(CONF("tap: dtap0", "huge_pages: yes"));
	says(PREFLIGHT_PROBLEM, "huge pages", "needed: 100 MB", "sysctl vm.nr_hugepages=296");
	fly(CONF("tap: dtap0", "huge_pages: no"));
	says(PREFLIGHT_OK, "huge pages", "none are used", "");
}

Test(preflight, limits_of_a_user)
{
	put("/proc/self/status", "CapEff:\t0000000000003000\nCpus_allowed_list:\t0-3\n");
	put("/proc/self/limits",
		"Max open files   256  512  files\n"
		"Max locked memory  65536  65536  bytes\n");
	fly(XDP);
	says(PREFLIGHT_PROBLEM, "descriptors", "1000 are needed, and the limit is 512",
		"ulimit -n 1000 (LimitNOFILE= of the unit)");
	says(PREFLIGHT_WARNING, "locked memory", "the limit is 64 KB",
		"ulimit -l unlimited (LimitMEMLOCK=infinity of the unit)");
	put("/proc/self/status", "CapEff:\t0000000000000000\nCpus_allowed_list:\t0-3\n");
	fly(XDP);
	says(PREFLIGHT_PROBLEM, "port", "CAP_NET_ADMIN",
		"start it by systemctl start postern, or as root");
	says(PREFLIGHT_PROBLEM, "port", "CAP_NET_RAW", "");
}

Test(preflight, netdevs)
{
	put("/sys/class/net/eth1/operstate", "down\n");
	put("/sys/class/net/eth1/mtu", "1280\n");
	put("/sys/class/net/eth1/queues/rx-2/x", "");
	fly(XDP);
	says(PREFLIGHT_WARNING, "port", "the link of eth1 is down", "ip link set eth1 up");
	says(PREFLIGHT_WARNING, "port", "MTU of 1280", "ip link set eth1 mtu 1500");
	says(PREFLIGHT_WARNING, "port", "3 queues and there are 2 workers",
		"ethtool -L eth1 combined 2");
	fly(CONF("af_xdp: eth1", "cores: [0, 1, 2, 3]"));
	says(PREFLIGHT_PROBLEM, "port", "3 queues and there are 4 workers",
		"ethtool -L eth1 combined 4");
	fly(CONF("af_packet: eth9", "cores: [1]"));
	says(PREFLIGHT_PROBLEM, "port", "there is no netdev eth9", "ip -br link");
}

Test(preflight, taps_and_names_that_are_taken)
{
	fly(CONF("tap: dtap0", "cores: [1]"));
	cr_expect_neq(preflight_worst(&flight), PREFLIGHT_PROBLEM);
	fly(CONF("tap: eth1", "cores: [1]"));
	says(PREFLIGHT_PROBLEM, "port", "there is a netdev eth1 already", "ip link delete eth1");
	char path[128];

	snprintf(path, sizeof(path), "%s/dev/net/tun", root);
	unlink(path);
	fly(CONF("tap: dtap0", "cores: [1]"));
	says(PREFLIGHT_PROBLEM, "port", "/dev/net/tun", "modprobe tun");
}

Test(preflight, a_nic_that_is_not_bound)
{
	put("/sys/bus/pci/devices/0000:01:00.0/class", "0x020000\n");
	put("/sys/bus/pci/drivers/ixgbe/x", "");
	char link[256];

	snprintf(link, sizeof(link), "%s/sys/bus/pci/devices/0000:01:00.0/driver", root);
	cr_assert_eq(symlink("../../drivers/ixgbe", link), 0);
	snprintf(link, sizeof(link), "%s/sys/bus/pci/devices/0000:01:00.0/iommu_group", root);
	cr_assert_eq(symlink("../../../kernel/iommu_groups/7", link), 0);
	fly(CONF("pci: \"0000:01:00.0\"", "cores: [1]"));
	says(PREFLIGHT_PROBLEM, "port", "bound to ixgbe, not to vfio-pci",
		"dpdk-devbind.py --bind=vfio-pci 0000:01:00.0");
	fly(CONF("pci: \"0000:02:00.0\"", "cores: [1]"));
	says(PREFLIGHT_PROBLEM, "port", "there is no PCI device 0000:02:00.0",
		"dpdk-devbind.py --status");
}

Test(preflight, a_port_of_metrics_that_is_taken)
{
	// 127.0.0.1:9683 listens; 127.0.0.2 of the same port is somebody else's.
	put("/proc/net/tcp", TCP_HEAD "   0: 0200007F:25D3 00000000:0000 0A 0:0\n");
	fly(XDP);
	says(PREFLIGHT_OK, "metrics", "is free", "");
	put("/proc/net/tcp", TCP_HEAD "   0: 0100007F:25D3 00000000:0000 0A 0:0\n");
	fly(XDP);
	says(PREFLIGHT_PROBLEM, "metrics", "in use", "ss -ltnp");
	put("/proc/net/tcp", TCP_HEAD "   0: 00000000:25D3 00000000:0000 0A 0:0\n");
	fly(XDP);
	says(PREFLIGHT_PROBLEM, "metrics", "in use", "ss -ltnp");
	put("/proc/net/tcp", TCP_HEAD "   0: 0100007F:25D3 0100007F:1234 01 0:0\n");
	fly(XDP);
	says(PREFLIGHT_OK, "metrics", "is free", "");
}

Test(preflight, a_clock_that_is_not_synchronised)
{
	fly(XDP);
	flight.count = 0;
	flight.clock_unsynchronised = true;
	preflight_machine(&flight);
	says(PREFLIGHT_WARNING, "clock", "not synchronised", "timedatectl set-ntp true");
}

Test(preflight, more_findings_than_there_is_room_keep_the_worst)
{
	flight = (struct preflight){.root = ""};
	for (unsigned i = 0; i < PREFLIGHT_MAX; i++)
		preflight_add(&flight, PREFLIGHT_OK, "x", "%u", i);
	preflight_add(&flight, PREFLIGHT_PROBLEM, "x", "the worst");
	preflight_add(&flight, PREFLIGHT_OK, "x", "one more");
	cr_expect_eq(flight.count, PREFLIGHT_MAX);
	cr_expect_eq(preflight_worst(&flight), PREFLIGHT_PROBLEM);
}
