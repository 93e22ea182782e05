// SPDX-License-Identifier: BSD-3-Clause
// DPDK ports: made from a configuration, started with one queue pair a worker.

#ifndef POSTERN_DATAPLANE_PORT_H
#define POSTERN_DATAPLANE_PORT_H

#include "dataplane/net.h"

#include <stddef.h>
#include <stdint.h>

struct rte_mempool;

enum dp_port_kind {
	DP_PORT_PCI,       // a NIC bound to vfio-pci
	DP_PORT_TAP,       // net_tap: makes a kernel netdev of that name
	DP_PORT_AF_PACKET, // net_af_packet on an existing netdev
	DP_PORT_AF_XDP,    // net_af_xdp on an existing netdev
	DP_PORT_MEMIF,     // net_memif over a UNIX socket
};

struct dp_port_conf {
	const char *name; // of the configuration
	const char *dev;  // PCI address, netdev or socket path, as the kind says
	enum dp_port_kind kind;
	bool memif_client;
	uint16_t mtu;
	uint16_t queues; // rx and tx, one of each a worker
};

// Hot-plugs the device (EAL is up), configures it (MTU, promiscuous off where the driver can
// filter, allmulticast, RSS over addresses and ports where there are several queues), sets up
// queues on the worker's pools[queue] and starts it. Sets *port_id and mac. Returns 0 or -errno
// with a message that names the port and what to do in err.
int dp_port_open(const struct dp_port_conf *conf, struct rte_mempool *const *pools,
	uint16_t *port_id, uint8_t mac[6], char *err, size_t err_len)
	__attribute__((warn_unused_result));
// Stops and removes it.
void dp_port_close(uint16_t port_id);
// Whether packets come from the kernel through software (then naps of an idle worker are cheap).
bool dp_port_is_software(enum dp_port_kind kind);

#endif
