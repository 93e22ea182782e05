// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/port/pci.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH_LEN      256
#define NAME_LEN      64
#define CLASS_NETWORK 0x02

// Where the message goes.
struct report {
	const struct dp_pci_conf *conf;
	struct error *error;
};

// Writes "port NAME: ..." and returns -code.
__attribute__((format(printf, 3, 4))) static int fail(
	const struct report *report, int code, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return error_set(report->error, -code, "port %s: %s", report->conf->name, text);
}

static void device_path(const struct dp_pci_conf *conf, const char *file, char path[PATH_LEN])
{
	snprintf(path, PATH_LEN, "%s/sys/bus/pci/devices/%s%s", conf->root, conf->address, file);
}

// The last part of what a link of the device points to; "" without such a link.
static void link_name(const struct dp_pci_conf *conf, const char *file, char name[NAME_LEN])
{
	char path[PATH_LEN], target[PATH_MAX];
	const char *slash;
	ssize_t n;

	name[0] = 0;
	device_path(conf, file, path);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return;
	target[n] = 0;
	slash = strrchr(target, '/');
	snprintf(name, NAME_LEN, "%.*s", NAME_LEN - 1, slash ? slash + 1 : target);
}

// The first word of a file of the device; false if there is no such file.
static bool read_word(const struct dp_pci_conf *conf, const char *file, char word[NAME_LEN])
{
	char path[PATH_LEN];
	FILE *in;
	bool read;

	device_path(conf, file, path);
	in = fopen(path, "re");
	if (!in)
		return false;
	read = fscanf(in, "%63s", word) == 1;
	fclose(in);
	return read;
}

static int check_class(const struct report *report)
{
	const struct dp_pci_conf *conf = report->conf;
	char path[PATH_LEN], word[NAME_LEN];

	device_path(conf, "", path);
	if (access(path, F_OK))
		return fail(report, ENODEV,
			"there is no PCI device %s ('dpdk-devbind.py --status' lists them)",
			conf->address);
	if (read_word(conf, "/class", word) && strtoul(word, NULL, 16) >> 16 != CLASS_NETWORK)
		return fail(report, ENODEV,
			"PCI device %s is no network device ('dpdk-devbind.py --status' lists "
			"those)",
			conf->address);
	return 0;
}

// A driver of the kernel, or none.
static int check_kernel_driver(const struct report *report, const char *driver)
{
	const struct dp_pci_conf *conf = report->conf;
	const char *to = driver[0] ? driver : "no driver";
	char group[NAME_LEN];

	// Those of DPDK for these devices work on top of the kernel's.
	if (!strncmp(driver, "mlx", 3))
		return 0;
	link_name(conf, "/iommu_group", group);
	if (group[0])
		return fail(report, EBUSY,
			"PCI device %s is bound to %s, not to vfio-pci: "
			"'dpdk-devbind.py --bind=vfio-pci %s'",
			conf->address, to, conf->address);
	return fail(report, EBUSY,
		"PCI device %s is bound to %s, and there is no IOMMU that vfio-pci could use: turn "
		"it on (firmware; Intel: intel_iommu=on for the kernel), or use huge pages and "
		"'dpdk-devbind.py --bind=uio_pci_generic %s'",
		conf->address, to, conf->address);
}

// Without an IOMMU the device needs physical addresses that stay.
static int check_without_iommu(const struct report *report, const char *driver)
{
	const struct dp_pci_conf *conf = report->conf;

	if (conf->huge_pages)
		return 0;
	return fail(report, ENOMEM,
		"PCI device %s is bound to %s, which works with huge pages only, and EAL has none: "
		"'sysctl vm.nr_hugepages=%zu', or bind it to vfio-pci with an IOMMU",
		conf->address, driver, (conf->memory_mb + 1) / 2);
}

static int check_group_node(const struct report *report, const char *group)
{
	const struct dp_pci_conf *conf = report->conf;
	struct vfio_group_status status = {.argsz = sizeof(status)};
	char path[PATH_LEN];
	int fd, rc, asked;

	snprintf(path, sizeof(path), "%s/dev/vfio/%s", conf->root, group);
	fd = open(path, O_RDWR | O_CLOEXEC);
	rc = errno;
	if (fd >= 0) {
		asked = ioctl(fd, VFIO_GROUP_GET_STATUS, &status);
		close(fd);
		if (asked || status.flags & VFIO_GROUP_FLAGS_VIABLE)
			return 0;
		return fail(report, EBUSY,
			"devices of IOMMU group %s beside %s are bound to other drivers: bind all "
			"of %s/sys/kernel/iommu_groups/%s/devices to vfio-pci",
			group, conf->address, conf->root, group);
	}
	if (rc == EBUSY)
		return fail(report, rc,
			"PCI device %s is in use by another process ('fuser -v %s' names it)",
			conf->address, path);
	if (rc == EACCES || rc == EPERM)
		return fail(report, rc, "this user may not open %s: 'chown %ld %s'", path,
			(long)geteuid(), path);
	return fail(report, rc,
		"cannot open %s: %s ('modprobe vfio-pci'; does the container pass it on?)", path,
		strerror(rc));
}

static bool may_lock_memory(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	return !syscall(SYS_capget, &header, data) && data[0].effective & 1U << CAP_IPC_LOCK;
}

// All memory that the device may reach stays in RAM, and counts as locked.
static int check_locked_memory(const struct report *report)
{
	const struct dp_pci_conf *conf = report->conf;
	struct rlimit limit;

	if (may_lock_memory() || getrlimit(RLIMIT_MEMLOCK, &limit))
		return 0;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)!setrlimit(RLIMIT_MEMLOCK, &limit);
	}
	if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >> 20 >= conf->memory_mb)
		return 0;
	return fail(report, ENOMEM,
		"vfio-pci locks %zu MB of memory, and this process may lock %lu KB: 'ulimit -l "
		"unlimited', in a unit of systemd LimitMEMLOCK=infinity",
		conf->memory_mb, (unsigned long)limit.rlim_cur >> 10);
}

static int check_vfio(const struct report *report)
{
	const struct dp_pci_conf *conf = report->conf;
	char group[NAME_LEN], kind[NAME_LEN], node[2 * NAME_LEN];
	bool no_iommu;
	int rc;

	link_name(conf, "/iommu_group", group);
	if (!group[0])
		return check_kernel_driver(report, "vfio-pci");
	no_iommu = read_word(conf, "/iommu_group/name", kind) && !strcmp(kind, "vfio-noiommu");
	if (no_iommu) {
		rc = check_without_iommu(report, "vfio-pci without IOMMU");
		if (rc)
			return rc;
	}
	snprintf(node, sizeof(node), "%s%s", no_iommu ? "noiommu-" : "", group);
	rc = check_group_node(report, node);
	return rc || no_iommu ? rc : check_locked_memory(report);
}

int dp_pci_check(const struct dp_pci_conf *conf, struct error *error)
{
	const struct report report = {conf, error};
	char driver[NAME_LEN];
	int rc = check_class(&report);

	if (rc)
		return rc;
	link_name(conf, "/driver", driver);
	if (!strcmp(driver, "vfio-pci"))
		return check_vfio(&report);
	if (!strcmp(driver, "uio_pci_generic") || !strcmp(driver, "igb_uio"))
		return check_without_iommu(&report, driver);
	return check_kernel_driver(&report, driver);
}
