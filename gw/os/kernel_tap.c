// SPDX-License-Identifier: BSD-3-Clause

#include "gw/os/kernel_tap.h"

#include "gw/os/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TUN_PATH "/dev/net/tun"
#define TAP      "kernel TAP %s: "

// Opens the driver and makes the netdev. Returns its descriptor or -errno.
static int make(const struct kernel_tap_conf *conf, struct error *error)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL};
	int fd, rc;

	if (!conf->name[0] || strlen(conf->name) >= sizeof(ifr.ifr_name))
		return error_set(
			error, -EINVAL, TAP "this is no name for a network device", conf->name);
	memcpy(ifr.ifr_name, conf->name, strlen(conf->name));
	fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		rc = errno;
		if (rc == ENOENT || rc == ENODEV || rc == ENXIO)
			return error_set(error, -rc,
				TAP "no " TUN_PATH ": the kernel lacks the tun driver ('modprobe "
				    "tun'), or the container does not pass the device on",
				conf->name);
		return error_set(
			error, -rc, TAP "cannot open " TUN_PATH ": %s", conf->name, strerror(rc));
	}
	if (!ioctl(fd, TUNSETIFF, &ifr))
		return fd;
	rc = errno;
	close(fd);
	if (rc == EBUSY || rc == EEXIST)
		return error_set(error, -rc,
			TAP "a network device of this name exists already: choose another name, or "
			    "remove it with 'ip link delete %s'",
			conf->name, conf->name);
	return error_set(error, -rc, TAP "cannot make it: %s%s", conf->name, strerror(rc),
		rc == EPERM ? " (this needs CAP_NET_ADMIN)" : "");
}

static int set_up(const struct kernel_tap_conf *conf, struct error *error)
{
	char text[INET6_ADDRSTRLEN];
	int rc;

	rc = netlink_set_mac(conf->name, conf->mac);
	if (rc)
		return error_set(
			error, rc, TAP "cannot set its MAC: %s", conf->name, strerror(-rc));
	rc = netlink_set_mtu(conf->name, conf->mtu);
	if (rc)
		return error_set(error, rc, TAP "cannot set an MTU of %u: %s", conf->name,
			conf->mtu, strerror(-rc));
	for (size_t i = 0; i < conf->address_count; i++) {
		const struct conf_prefix *prefix = &conf->addresses[i];

		rc = netlink_add_address(conf->name, prefix);
		if (rc)
			return error_set(error, rc, TAP "cannot add address %s/%u: %s%s",
				conf->name,
				inet_ntop(prefix->family, prefix->addr, text, sizeof(text)),
				prefix->len, strerror(-rc),
				prefix->family == AF_INET6 && rc == -EACCES
					? " (is IPv6 disabled by sysctl?)"
					: "");
	}
	rc = netlink_set_up(conf->name);
	if (rc)
		return error_set(error, rc, TAP "cannot set it up: %s", conf->name, strerror(-rc));
	return 0;
}

int kernel_tap_open(const struct kernel_tap_conf *conf, struct error *error)
{
	int fd = make(conf, error), rc;

	if (fd < 0)
		return fd;
	rc = set_up(conf, error);
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

int kernel_tap_set_carrier(int fd, bool up)
{
	int carrier = up;

	return ioctl(fd, TUNSETCARRIER, &carrier) ? -errno : 0;
}

int kernel_tap_keep_mac(int fd, const uint8_t mac[6])
{
	struct ifreq ifr = {0};

	if (ioctl(fd, SIOCGIFHWADDR, &ifr))
		return -errno;
	if (!memcmp(ifr.ifr_hwaddr.sa_data, mac, 6))
		return 0;
	memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
	return ioctl(fd, SIOCSIFHWADDR, &ifr) ? -errno : 1;
}

int kernel_tap_read(int fd, uint8_t *frame, size_t room)
{
	ssize_t n;

	do {
		n = read(fd, frame, room);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return (int)n;
}

int kernel_tap_write(int fd, const uint8_t *frame, size_t len)
{
	ssize_t n;

	do {
		n = write(fd, frame, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}
