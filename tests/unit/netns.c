// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	abort();
}

int netns_enter(void)
{
	int fd;

	if (unshare(CLONE_NEWNET))
		die("a network namespace for this test");
	fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("/proc/thread-self/ns/net");
	return fd;
}

static struct ifreq query(const char *netdev, unsigned long request)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {0};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", netdev);
	if (fd < 0 || ioctl(fd, request, &ifr))
		die(netdev);
	close(fd);
	return ifr;
}

void netns_mac(const char *netdev, uint8_t mac[6])
{
	struct ifreq ifr = query(netdev, SIOCGIFHWADDR);

	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
}

int netns_mtu(const char *netdev)
{
	return query(netdev, SIOCGIFMTU).ifr_mtu;
}

int netns_flags(const char *netdev)
{
	return query(netdev, SIOCGIFFLAGS).ifr_flags;
}
