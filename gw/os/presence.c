// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/presence.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TUN_MAJOR 10 // of /dev/net/tun: the same on each machine
#define TUN_MINOR 200

// What is asked of a descriptor's entry in `descriptors` leaves alone those of other threads.
static bool is_tap(DIR *descriptors, const char *entry, const char *name)
{
	const int fd = (int)strtol(entry, NULL, 10);
	struct ifreq ifr = {0};
	struct stat st;

	return !fstatat(dirfd(descriptors), entry, &st, 0) && S_ISCHR(st.st_mode) &&
		st.st_rdev == makedev(TUN_MAJOR, TUN_MINOR) && !ioctl(fd, TUNGETIFF, &ifr) &&
		!strncmp(ifr.ifr_name, name, sizeof(ifr.ifr_name));
}

int presence_tap_find(const char *name)
{
	DIR *descriptors = opendir("/proc/self/fd");
	const struct dirent *entry;
	int found = -ENOENT;

	if (!descriptors)
		return -errno;
	while (found < 0 && (entry = readdir(descriptors))) {
		// "." is a directory.
		if (is_tap(descriptors, entry->d_name, name))
			found = (int)strtol(entry->d_name, NULL, 10);
	}
	closedir(descriptors);
	return found;
}

bool presence_tap_gone(int fd)
{
	struct ifreq ifr = {0};

	return ioctl(fd, TUNGETIFF, &ifr) && errno == EBADFD;
}

bool presence_netdev_gone(unsigned index)
{
	struct ifreq ifr = {.ifr_ifindex = (int)index};
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	const bool gone = ioctl(fd, SIOCGIFNAME, &ifr) && errno == ENODEV;

	close(fd);
	return gone;
}
