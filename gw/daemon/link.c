// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/link.h"

#include "base/clock.h"
#include "gw/daemon/alarm.h"
#include "gw/os/kernel_tap.h"
#include "gw/os/log.h"
#include "gw/os/presence.h"

#include <rte_ethdev.h>

#include <string.h>
#include <sys/epoll.h>

#define LOOK_MS 500 // between two looks, which read a register of a NIC

bool link_is_up(const struct daemon_port *port)
{
	struct rte_eth_link link = {0};

	// A driver without link state counts as up, and so does a TAP: its other end may be in a
	// namespace that cannot be looked into.
	return !port->device_gone &&
		(port->conf->kind == CONF_PORT_TAP ||
			rte_eth_link_get_nowait(port->port_id, &link) || link.link_status);
}

static bool device_is_gone(const struct daemon_port *port)
{
	return (port->driver_fd >= 0 && presence_tap_gone(port->driver_fd)) ||
		(port->netdev && presence_netdev_gone(port->netdev)) ||
		rte_eth_dev_is_removed(port->port_id);
}

static void tell_gone(struct daemon *daemon, const struct daemon_port *port, const char *name)
{
	static const char sentence[] =
		"the network device of a port was removed: restart the gateway";

	log_error("port %s: %s was removed", port->conf->name, name);
	alarm_raise(daemon, sentence);
}

// What was removed stays so: a device made anew under its name is another one, which neither driver
// nor socket has, and to open it takes privileges of the start.
static void presence_look(struct daemon *daemon, struct daemon_port *port)
{
	if (!port->device_gone && device_is_gone(port)) {
		port->device_gone = true;
		tell_gone(daemon, port, port->conf->device);
	}
	if (!port->kernel_gone && port->tap_fd >= 0 && presence_tap_gone(port->tap_fd)) {
		port->kernel_gone = true;
		tell_gone(daemon, port, port->conf->kernel);
		// It would wake main for ever.
		(void)epoll_ctl(daemon->epoll_fd, EPOLL_CTL_DEL, port->tap_fd, NULL);
	}
}

static void link_look(struct daemon_port *port)
{
	const bool down = !link_is_up(port);
	int rc = 0;

	if (down == port->link_down)
		return;
	port->link_down = down;
	if (port->device_gone)
		return; // that was said
	if (down)
		log_warning("port %s: the link is down", port->conf->name);
	else
		log_notice("port %s: the link is up", port->conf->name);
	if (port->tap_fd >= 0)
		rc = kernel_tap_set_carrier(port->tap_fd, !down);
	if (rc)
		log_warning("port %s: %s does not take the state of the link: %s", port->conf->name,
			port->conf->kernel, strerror(-rc));
}

// udev gives a netdev that has no MAC of its own yet one, and does so late on a busy machine: with
// it the kernel would answer ARP by a MAC that the port does not take.
static void mac_look(struct daemon_port *port)
{
	struct rte_ether_addr mac;
	int rc;

	if (port->tap_fd < 0 || port->kernel_gone || rte_eth_macaddr_get(port->port_id, &mac))
		return;
	rc = kernel_tap_keep_mac(port->tap_fd, mac.addr_bytes);
	if (rc > 0)
		log_notice("port %s: something gave %s another MAC: it has the port's again",
			port->conf->name, port->conf->kernel);
	else if (rc < 0 && rc != port->mac_error)
		log_warning("port %s: %s does not take the port's MAC: %s", port->conf->name,
			port->conf->kernel, strerror(-rc));
	port->mac_error = rc < 0 ? rc : 0;
}

// Keeps what a driver counts, so that who reads counters needs no driver.
static void driver_look(struct daemon_port *port)
{
	struct rte_eth_stats stats;

	if (rte_eth_stats_get(port->port_id, &stats))
		return;
	__atomic_store_n(&port->driver_missed, stats.imissed, __ATOMIC_RELAXED);
	__atomic_store_n(&port->driver_errors, stats.ierrors, __ATOMIC_RELAXED);
	__atomic_store_n(&port->driver_no_mbuf, stats.rx_nombuf, __ATOMIC_RELAXED);
	__atomic_store_n(&port->driver_tx_errors, stats.oerrors, __ATOMIC_RELAXED);
}

void link_turn(struct daemon *daemon)
{
	const uint64_t now_ms = clock_ms();

	if (now_ms < daemon->link_look_ms)
		return;
	daemon->link_look_ms = now_ms + LOOK_MS;
	for (size_t i = 0; i < daemon->port_count; i++) {
		presence_look(daemon, &daemon->port[i]);
		link_look(&daemon->port[i]);
		mac_look(&daemon->port[i]);
		driver_look(&daemon->port[i]);
	}
}
