// SPDX-License-Identifier: BSD-3-Clause
// What is wrong with a PCI device is told apart, in one line with its remedy: on a tree of files
// that stands for /sys and /dev.

#include "dataplane/port/pci.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ADDRESS "0000:01:00.0"

static char root[] = "/tmp/postern-pci-XXXXXX";

static const char *at(const char *path)
{
	static char text[PATH_MAX];

	snprintf(text, sizeof(text), "%s%s", root, path);
	return text;
}

static void folder(const char *path)
{
	cr_assert(!mkdir(at(path), 0755) || errno == EEXIST, "%s", path);
}

static void file(const char *path, const char *text)
{
	FILE *out = fopen(at(path), "w");

	cr_assert_not_null(out, "%s", path);
	fputs(text, out);
	fclose(out);
}

static void device_link(const char *name, const char *target)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/" ADDRESS "/%s", name);
	unlink(at(path));
	if (target)
		cr_assert_eq(symlink(target, at(path)), 0);
}

// A NIC whose driver and IOMMU group are these; NULL for none.
static void device(const char *class, const char *driver, const char *group)
{
	file("/sys/bus/pci/devices/" ADDRESS "/class", class);
	device_link("driver", driver);
	device_link("iommu_group", group);
}

static void tree(void)
{
	cr_assert_not_null(mkdtemp(root));
	cr_assert_eq(chmod(root, 0755), 0);
	folder("/sys");
	folder("/sys/bus");
	folder("/sys/bus/pci");
	folder("/sys/bus/pci/devices");
	folder("/sys/bus/pci/devices/" ADDRESS);
	folder("/sys/groups");
	folder("/sys/groups/7");
	folder("/sys/groups/8");
	folder("/dev");
	folder("/dev/vfio");
	file("/dev/vfio/7", "");
	file("/dev/vfio/noiommu-8", "");
	file("/sys/groups/8/name", "vfio-noiommu\n");
}

static void tree_remove(void)
{
	static const char *const paths[] = {"/sys/groups/8/name", "/sys/groups/8", "/sys/groups/7",
		"/sys/groups", "/sys/bus/pci/devices/" ADDRESS "/class",
		"/sys/bus/pci/devices/" ADDRESS "/driver",
		"/sys/bus/pci/devices/" ADDRESS "/iommu_group", "/sys/bus/pci/devices/" ADDRESS,
		"/sys/bus/pci/devices", "/sys/bus/pci", "/sys/bus", "/sys", "/dev/vfio/7",
		"/dev/vfio/noiommu-8", "/dev/vfio", "/dev", ""};

	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		remove(at(paths[i]));
	cr_expect_neq(access(root, F_OK), 0, "left behind: %s", root);
}

// said: what the line has in it, NULL for success.
static void expect(const char *what, const struct dp_pci_conf *change, int rc, const char *said)
{
	const struct dp_pci_conf conf = {
		.name = "wan",
		.address = change && change->address ? change->address : ADDRESS,
		.root = root,
		.huge_pages = change && change->huge_pages,
		.memory_mb = 143,
	};
	struct error error;

	cr_expect_eq(dp_pci_check(&conf, &error), rc, "%s: %s", what, error.text);
	if (!said)
		return;
	cr_expect_not_null(
		strstr(error.text, said), "%s: '%s' does not say '%s'", what, error.text, said);
	cr_expect_eq(strncmp(error.text, "port wan: ", 10), 0, "%s: %s", what, error.text);
	cr_expect_null(strchr(error.text, '\n'), "%s", what);
}

Test(pci, what_is_wrong_is_told_with_a_remedy)
{
	const struct dp_pci_conf huge = {.huge_pages = true}, other = {.address = "0000:09:00.0"};

	tree();
	expect("not there", &other, -ENODEV, "there is no PCI device 0000:09:00.0");
	device("0x010601\n", "../ahci", "../../../../groups/7");
	expect("not a NIC", NULL, -ENODEV, "is no network device");

	device("0x020000\n", "../../drivers/e1000e", "../../../../groups/7");
	expect("of the kernel", NULL, -EBUSY, "bound to e1000e, not to vfio-pci: 'dpdk-devbind.py");
	device("0x020000\n", NULL, "../../../../groups/7");
	expect("of nobody", NULL, -EBUSY, "bound to no driver, not to vfio-pci: 'dpdk-devbind.py");
	device("0x020000\n", "../../drivers/e1000e", NULL);
	expect("no IOMMU", NULL, -EBUSY, "no IOMMU that vfio-pci could use: turn it on");
	device("0x020000\n", "../../drivers/mlx5_core", NULL);
	expect("DPDK's driver uses the kernel's", NULL, 0, NULL);

	device("0x020000\n", "../../drivers/uio_pci_generic", NULL);
	expect("uio", NULL, -ENOMEM, "with huge pages only, and EAL has none: 'sysctl");
	expect("uio and huge pages", &huge, 0, NULL);
	device("0x020000\n", "../../drivers/vfio-pci", "../../../../groups/8");
	expect("VFIO without IOMMU", NULL, -ENOMEM, "with huge pages only, and EAL has none");
	expect("VFIO without IOMMU and huge pages", &huge, 0, NULL);

	device("0x020000\n", "../../drivers/vfio-pci", "../../../../groups/7");
	expect("all is well", NULL, 0, NULL);
	tree_remove();
}

// Gives up all privileges, or takes those back that this process may have.
static void privileges(bool all)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	cr_assert_eq(syscall(SYS_capget, &header, data), 0);
	for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i].effective = all ? data[i].permitted : 0;
	cr_assert_eq(syscall(SYS_capset, &header, data), 0);
}

Test(pci, rights_and_limits_are_told)
{
	const struct rlimit little = {64 << 10, 64 << 10};

	tree();
	device("0x020000\n", "../../drivers/vfio-pci", "../../../../groups/7");
	cr_assert_eq(chmod(at("/dev/vfio/7"), 0), 0);
	privileges(false);
	expect("no right", NULL, -EACCES, "this user may not open");
	cr_assert_eq(chmod(at("/dev/vfio/7"), 0600), 0);
	cr_assert_eq(setrlimit(RLIMIT_MEMLOCK, &little), 0);
	expect("locked memory", NULL, -ENOMEM,
		"locks 143 MB of memory, and this process may lock 64 KB: 'ulimit -l unlimited'");
	privileges(true);
	cr_assert_eq(unlink(at("/dev/vfio/7")), 0);
	expect("no node", NULL, -ENOENT, "modprobe vfio-pci");
	tree_remove();
}
