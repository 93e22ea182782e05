// SPDX-License-Identifier: BSD-3-Clause
// DPDK ports: made from a configuration, started with one queue pair a worker.

#ifndef POSTERN_DATAPLANE_PORT_PORT_H
#define POSTERN_DATAPLANE_PORT_PORT_H

#include "base/error.h"
#include "dataplane/port/frame.h"

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
	uint16_t queues;    // rx and tx, one of each a worker
	bool any_queue;     // it matters not by which queue a packet comes: workers pass it on
	uint16_t coap_port; // network order; all else stays with the kernel on an AF_XDP port
};

// Data room of an mbuf, with headroom, that holds any frame of a port with this MTU in one segment.
uint16_t dp_port_data_room(uint16_t mtu);

// Most mbufs of a worker's pool that its queue pair of such a port holds: descriptors, and what the
// driver keeps beside them.
unsigned dp_port_queue_mbufs(enum dp_port_kind kind);

// Hot-plugs the device (EAL is up) unless EAL has it, configures it (MTU, allmulticast for ND, RSS
// over addresses and ports where the device has several queues; promiscuous only where tagged
// frames would not arrive otherwise), sets up queues on the worker's pools[queue] and starts it.
// Refused: a NIC that cannot spread packets over several queues (unless any_queue), and an MTU
// whose frames the driver would split over several mbufs. Pools have mbufs of at least
// dp_port_data_room(). Sets *port_id and mac. Returns 0 or -errno with a message that names the
// port and what to do in *error.
//
// Receive queue q is the transmit queue q's partner; a worker uses both of one number. Where
// packets go among the queues: a NIC's RSS, for net_tap the kernel's flow hash, for AF_PACKET a
// fanout group, for AF_XDP the RSS of the NIC below, for memif the peer's choice.
//
// The kernel's side of a TAP gets a MAC of its own here; net_tap gives it the port's. An AF_XDP
// port takes UDP to coap_port of its addresses from its netdev and leaves all else to the kernel
// (xdp/steer.bpf.c).
int dp_port_open(const struct dp_port_conf *conf, struct rte_mempool *const *pools,
	uint16_t *port_id, uint8_t mac[6], struct error *error) __attribute__((warn_unused_result));
// Gives an AF_XDP port its addresses; it takes nothing from the kernel before. Does nothing for
// other kinds. Returns 0 or -errno with a line in *error.
int dp_port_set_addresses(const struct dp_port_conf *conf,
	const struct dp_port_addresses *addresses, struct error *error)
	__attribute__((warn_unused_result));
// Sets which checksums the device verifies.
void dp_port_checksums(uint16_t port_id, struct dp_port_addresses *addresses);
// Stops and removes it. No worker may poll it any more.
void dp_port_close(uint16_t port_id);
// Whether packets come from the kernel through software (then naps of an idle worker are cheap).
bool dp_port_is_software(enum dp_port_kind kind);

#endif
