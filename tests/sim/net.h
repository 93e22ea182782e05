// SPDX-License-Identifier: BSD-3-Clause
// The network between devices and the gateway's port: it loses, copies, delays, reorders and spoils
// datagrams, and whoever listens sends them again, whenever.

#ifndef POSTERN_TESTS_SIM_NET_H
#define POSTERN_TESTS_SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_COAP_PORT   5683
#define NET_MESSAGE_MAX 320

struct rte_mbuf;
struct rte_mempool;

struct net_message {
	uint16_t port; // of the device's end
	uint16_t len;
	uint8_t coap[NET_MESSAGE_MAX];
};

void net_begin(void);
// To the gateway, whose worker `queue` gets it. `faults`: as the network does it; else it arrives
// at once and as it is.
void net_send(const struct net_message *message, unsigned queue, bool faults);
// The next datagram that is there for a device. false: there is none.
bool net_take(struct net_message *message);
// When the next one arrives, on either side, sim.ms; UINT64_MAX: none is under way.
uint64_t net_next_ms(void);
// Whether one waits for a worker now.
bool net_waits(unsigned queue);
unsigned net_count(void);

// The port's driver: frames for a worker, and one that it sends.
uint16_t net_arrive(
	unsigned queue, struct rte_mempool *pool, struct rte_mbuf **frames, uint16_t room);
void net_leave(struct rte_mbuf *frame, uint16_t port_id);

#endif
