// SPDX-License-Identifier: BSD-3-Clause
// Where a request came from and where its answer goes to.

#ifndef POSTERN_DATAPLANE_SHARED_FLOW_H
#define POSTERN_DATAPLANE_SHARED_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Complete: answers return to the MAC and VLAN of the request, from the address that was asked (RFC
// 7252 section 5.3.2 rule 1).
struct dp_flow {
	// The endpoint, in front: it is compared and kept as so many bytes.
	uint8_t local_addr[16];  // IPv4 in the first 4 bytes, zeros behind
	uint8_t remote_addr[16]; // as local_addr
	uint16_t local_port;     // network order
	uint16_t remote_port;    // network order
	uint16_t port_id;        // of DPDK
	uint8_t family;          // 4 or 6
	uint8_t zero;
	// Not part of it: another router may have another MAC.
	uint8_t local_mac[6];
	uint8_t remote_mac[6];
	uint16_t vlan_tci; // host order, meaningful if has_vlan
	bool has_vlan;
	uint8_t pad;
	uint32_t kept[2]; // whatever who keeps the flow keeps here
};
#define DP_ENDPOINT_LEN 40
_Static_assert(offsetof(struct dp_flow, local_mac) == DP_ENDPOINT_LEN, "all of the endpoint");
_Static_assert(sizeof(struct dp_flow) == 64, "copied once into each exchange");

static inline bool dp_flow_same_endpoint(const struct dp_flow *a, const struct dp_flow *b)
{
	return !memcmp(a, b, DP_ENDPOINT_LEN);
}

// The network that a request came from, its /24 or /56, and the family, as one number.
static inline uint64_t dp_flow_network(const struct dp_flow *flow)
{
	uint64_t network = 0;

	memcpy(&network, flow->remote_addr, flow->family == 4 ? 3 : 7);
	return network << 8 | flow->family;
}

#endif
