// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/presence.h"
#include "tests/unit/netns.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int tap_make(const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	cr_assert(fd >= 0 && !ioctl(fd, TUNSETIFF, &ifr));
	return fd;
}

// Its header and that of TUN do not go together.
static unsigned index_of(const char *name)
{
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {0};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	cr_assert_eq(ioctl(fd, SIOCGIFINDEX, &ifr), 0);
	close(fd);
	return (unsigned)ifr.ifr_ifindex;
}

static void run(const char *format, const char *name)
{
	char command[128];

	snprintf(command, sizeof(command), format, name);
	cr_assert_eq(system(command), 0, "%s", command);
}

Test(presence, a_tap_is_found_by_its_name_among_others)
{
	netns_enter();
	const int first = tap_make("first"), second = tap_make("second");

	cr_expect_eq(presence_tap_find("first"), first);
	cr_expect_eq(presence_tap_find("second"), second);
	cr_expect_eq(presence_tap_find("firs"), -ENOENT);
	cr_expect_eq(presence_tap_find("lo"), -ENOENT);
}

Test(presence, a_tap_is_gone_when_it_is_removed_and_not_when_it_has_another_name)
{
	netns_enter();
	const int fd = tap_make("first"), other = tap_make("second");

	cr_expect_not(presence_tap_gone(fd));
	run("ip link set %s name third", "first");
	cr_expect_not(presence_tap_gone(fd));
	run("ip link del %s", "third");
	cr_expect(presence_tap_gone(fd));
	cr_expect_not(presence_tap_gone(other));
	const int again = tap_make("first");
	cr_expect(presence_tap_gone(fd), "another one of the same name");
	close(again);
}

Test(presence, a_netdev_is_gone_when_it_is_removed_and_not_when_it_has_another_name)
{
	netns_enter();
	run("ip link add %s type veth peer name second", "first");
	const unsigned index = index_of("first");

	cr_assert_neq(index, 0);
	cr_expect_not(presence_netdev_gone(index));
	run("ip link set %s name third", "first");
	cr_expect_not(presence_netdev_gone(index));
	run("ip link del %s", "third");
	cr_expect(presence_netdev_gone(index));
	run("ip link add %s type veth peer name second", "first");
	cr_expect(presence_netdev_gone(index), "another one of the same name");
}
