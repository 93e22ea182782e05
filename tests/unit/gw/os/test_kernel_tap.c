// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/kernel_tap.h"
#include "gw/os/netlink.h"
#include "tests/unit/netns.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEADLINE_MS 60000

static const uint8_t mac[6] = {2, 0xaa, 0xbb, 0xcc, 0xdd, 1};

static struct conf_prefix prefixes[] = {
	{.family = AF_INET, .addr = {192, 0, 2, 1}, .len = 24},
	{.family = AF_INET6, .addr = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, .len = 64},
	{.family = AF_INET, .addr = {198, 51, 100, 1}, .len = 32},
};

static const struct kernel_tap_conf conf = {
	.name = "gwk0",
	.mac = mac,
	.mtu = 1400,
	.addresses = prefixes,
	.address_count = 3,
};

// 0 or the errno of binding a UDP socket to the address.
static int try_bind(const struct conf_prefix *prefix)
{
	int fd = socket(prefix->family, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (prefix->family == AF_INET) {
		struct sockaddr_in to = {.sin_family = AF_INET};

		memcpy(&to.sin_addr, prefix->addr, 4);
		rc = bind(fd, (struct sockaddr *)&to, sizeof(to)) ? errno : 0;
	} else {
		struct sockaddr_in6 to = {.sin6_family = AF_INET6};

		memcpy(&to.sin6_addr, prefix->addr, 16);
		rc = bind(fd, (struct sockaddr *)&to, sizeof(to)) ? errno : 0;
	}
	close(fd);
	return rc;
}

Test(kernel_tap, is_up_with_mac_mtu_and_addresses)
{
	struct error error;
	uint8_t got[6];
	int fd;

	netns_enter();
	fd = kernel_tap_open(&conf, &error);
	cr_assert_geq(fd, 0, "%s", error.text);
	netns_mac("gwk0", got);
	cr_assert_arr_eq(got, mac, 6);
	cr_assert_eq(netns_mtu("gwk0"), 1400);
	cr_assert(netns_flags("gwk0") & IFF_UP);
	// An IPv6 address that is still probed for duplicates could not be bound to.
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(try_bind(&prefixes[i]), 0, "address %u", i);
	cr_assert_eq(netlink_add_address("gwk0", &prefixes[0]), 0, "it is there already");
	cr_assert_eq(netlink_add_address("gwk0", &prefixes[1]), 0, "it is there already");
	close(fd);
	cr_assert_eq(if_nametoindex("gwk0"), 0, "the TAP goes with its descriptor");
}

// The kernel changes the flag a little after the carrier.
static void wait_running(bool running)
{
	for (unsigned ms = 0; !!(netns_flags("gwk0") & IFF_RUNNING) != running; ms++) {
		cr_assert_lt(ms, DEADLINE_MS);
		poll(NULL, 0, 1);
	}
}

// What a NIC's link is, routing daemons see at the kernel's side.
Test(kernel_tap, carrier_is_the_links)
{
	struct error error;
	int fd;

	netns_enter();
	fd = kernel_tap_open(&conf, &error);
	cr_assert_geq(fd, 0, "%s", error.text);
	wait_running(true);
	cr_assert_eq(kernel_tap_set_carrier(fd, false), 0);
	wait_running(false);
	cr_assert(netns_flags("gwk0") & IFF_UP);
	cr_assert_eq(kernel_tap_set_carrier(fd, true), 0);
	wait_running(true);
	close(fd);
	cr_assert_eq(kernel_tap_set_carrier(-1, true), -EBADF);
}

// udev changes the MAC of netdevs that are new.
Test(kernel_tap, mac_is_given_back)
{
	static const uint8_t others[6] = {2, 0, 0, 0, 0, 9};
	struct error error;
	uint8_t got[6];
	int fd;

	netns_enter();
	fd = kernel_tap_open(&conf, &error);
	cr_assert_geq(fd, 0, "%s", error.text);
	cr_assert_eq(kernel_tap_keep_mac(fd, mac), 0);
	cr_assert_eq(netlink_set_mac("gwk0", others), 0);
	cr_assert_eq(kernel_tap_keep_mac(fd, mac), 1);
	netns_mac("gwk0", got);
	cr_assert_arr_eq(got, mac, 6);
	cr_assert_eq(kernel_tap_keep_mac(fd, mac), 0);
	close(fd);
	cr_assert_eq(kernel_tap_keep_mac(-1, mac), -EBADF);
}

// The kernel answers ARP for the address, with the MAC that the TAP was given.
// Ethernet, then ARP (RFC 826): who has 192.0.2.1, asks 192.0.2.9 at 02:00:00:00:00:09.
// clang-format off
static const uint8_t who_has[42] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 8, 6,
	0, 1, 8, 0, 6, 4, 0, 1, // Ethernet, IPv4, request
	2, 0, 0, 0, 0, 9, 192, 0, 2, 9,
	0, 0, 0, 0, 0, 0, 192, 0, 2, 1,
};
// clang-format on

Test(kernel_tap, arp_is_answered)
{
	uint8_t frame[2048];
	struct error error;
	int fd, len;

	netns_enter();
	fd = kernel_tap_open(&conf, &error);
	cr_assert_geq(fd, 0, "%s", error.text);
	cr_assert_eq(kernel_tap_write(fd, who_has, sizeof(who_has)), 0);
	do {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		cr_assert_eq(poll(&p, 1, DEADLINE_MS), 1, "no answer");
		len = kernel_tap_read(fd, frame, sizeof(frame));
		cr_assert_geq(len, 0);
	} while (len < 42 || frame[12] != 8 || frame[13] != 6);
	cr_assert_arr_eq(frame, who_has + 6, 6, "to who asked");
	cr_assert_arr_eq(frame + 6, mac, 6);
	cr_assert_eq(frame[21], 2, "a reply");
	cr_assert_arr_eq(frame + 22, mac, 6);

	cr_assert_eq(kernel_tap_write(fd, who_has, 5), -EINVAL, "shorter than a header");
	while ((len = kernel_tap_read(fd, frame, sizeof(frame))) > 0)
		;
	cr_assert_eq(len, 0, "nothing there is no error");
	close(fd);
}

Test(kernel_tap, errors_are_named)
{
	struct conf_prefix bad = {.family = AF_INET, .addr = {192, 0, 2, 7}, .len = 33};
	struct kernel_tap_conf other = conf;
	struct error error;
	int fd;

	netns_enter();
	fd = kernel_tap_open(&conf, &error);
	cr_assert_geq(fd, 0, "%s", error.text);
	cr_assert_eq(kernel_tap_open(&conf, &error), -EBUSY);
	cr_assert_not_null(strstr(error.text, "gwk0"), "%s", error.text);
	cr_assert_not_null(strstr(error.text, "exists already"), "%s", error.text);
	close(fd);

	other.name = "a-name-too-long-for-linux";
	cr_assert_eq(kernel_tap_open(&other, &error), -EINVAL);
	other = conf;
	other.addresses = &bad;
	other.address_count = 1;
	cr_assert_eq(kernel_tap_open(&other, &error), -EINVAL);
	cr_assert_not_null(strstr(error.text, "192.0.2.7/33"), "%s", error.text);
	cr_assert_eq(if_nametoindex("gwk0"), 0, "nothing is left of a TAP that failed");

	cr_assert_eq(netlink_set_up("nope0"), -ENODEV);
	cr_assert_eq(netlink_set_mtu("nope0", 1500), -ENODEV);
	cr_assert_eq(netlink_set_mac("nope0", mac), -ENODEV);
	cr_assert_eq(netlink_add_address("nope0", &prefixes[0]), -ENODEV);
	cr_assert_eq(netlink_set_mtu("lo", 0), 0);
	cr_assert_eq(netlink_set_mac("lo", (const uint8_t[6]){1}), -EADDRNOTAVAIL);
}
