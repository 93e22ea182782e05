// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/ports.h"

#include "gw/os/eal.h"
#include "gw/os/kernel_tap.h"
#include "gw/os/log.h"
#include "gw/os/netlink.h"
#include "gw/os/presence.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

static enum dp_port_kind port_kind(enum conf_port_kind kind)
{
	switch (kind) {
	case CONF_PORT_TAP:
		return DP_PORT_TAP;
	case CONF_PORT_AF_PACKET:
		return DP_PORT_AF_PACKET;
	case CONF_PORT_AF_XDP:
		return DP_PORT_AF_XDP;
	case CONF_PORT_MEMIF:
		return DP_PORT_MEMIF;
	case CONF_PORT_PCI:
		break;
	}
	return DP_PORT_PCI;
}

bool ports_are_software(const struct conf *conf)
{
	bool software = true;

	for (size_t i = 0; i < conf->port_count; i++)
		software &= dp_port_is_software(port_kind(conf->ports[i].kind));
	return software;
}

unsigned ports_queue_mbufs(const struct conf *conf)
{
	unsigned mbufs = 0;

	for (size_t i = 0; i < conf->port_count; i++)
		mbufs += dp_port_queue_mbufs(port_kind(conf->ports[i].kind));
	return mbufs;
}

// AF_XDP: what is not CoAP stays in the kernel, whose netdev below gets the addresses.
static int netdev_addresses(const struct conf_port *conf)
{
	int rc = netlink_set_up(conf->device);

	for (size_t i = 0; !rc && i < conf->address_count; i++)
		rc = netlink_add_address(conf->device, &conf->addresses[i]);
	if (rc)
		log_error("port %s: %s does not take its addresses: %s", conf->name, conf->device,
			strerror(-rc));
	return rc;
}

// Notes by what link.c sees that the port's network device was removed.
static void watched(struct daemon_port *port)
{
	const struct conf_port *conf = port->conf;

	port->driver_fd = conf->kind == CONF_PORT_TAP ? presence_tap_find(conf->device) : -1;
	if (conf->kind == CONF_PORT_AF_PACKET || conf->kind == CONF_PORT_AF_XDP)
		port->netdev = if_nametoindex(conf->device);
	if (conf->kind == CONF_PORT_TAP && port->driver_fd < 0)
		log_warning("port %s: nobody will notice if %s is removed: %s", conf->name,
			conf->device, strerror(-port->driver_fd));
}

static int start_port(struct daemon *daemon, const struct conf_port *conf)
{
	struct daemon_port *port = &daemon->port[daemon->port_count];
	const struct dp_port_conf dp_conf = {
		.name = conf->name,
		.dev = conf->device,
		.kind = port_kind(conf->kind),
		.memif_client = conf->memif_role == CONF_MEMIF_CLIENT,
		.mtu = conf->mtu,
		.queues = daemon->conf->workers.core_count,
		.any_queue = daemon->conf->workers.affinity == CONF_AFFINITY_KID,
	};
	struct dp_port_addresses addresses = {.coap_port = htons(conf->coap)};
	struct error error;

	for (size_t i = 0; i < conf->address_count; i++) {
		addresses.address[i].family = conf->addresses[i].family == AF_INET ? 4 : 6;
		memcpy(addresses.address[i].addr, conf->addresses[i].addr, 16);
	}
	addresses.count = conf->address_count;
	int rc = conf->kernel ? 0 : netdev_addresses(conf);

	if (rc)
		return rc;
	rc = dp_port_add(daemon->dp, &dp_conf, &addresses, &error);

	if (rc < 0) {
		eal_log_join(&error);
		log_error("%s", error.text);
		return rc;
	}
	*port = (struct daemon_port){.conf = conf, .port_id = rc, .tap_fd = -1};
	watched(port);
	daemon->port_count++;
	const struct kernel_tap_conf tap = {
		.name = conf->kernel,
		.mac = addresses.mac,
		.mtu = conf->mtu,
		.addresses = conf->addresses,
		.address_count = conf->address_count,
	};

	if (!conf->kernel)
		return 0;
	port->tap_fd = kernel_tap_open(&tap, &error);
	if (port->tap_fd < 0) {
		log_error("%s", error.text);
		return port->tap_fd;
	}
	return 0;
}

int ports_start(struct daemon *daemon)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < daemon->conf->port_count; i++)
		rc = start_port(daemon, &daemon->conf->ports[i]);
	return rc;
}
