// SPDX-License-Identifier: BSD-3-Clause
// The usual frame around a CoAP message, told by a few wide compares: what nearly all packets are.
// Everything else is for dp_frame_classify().

#ifndef POSTERN_DATAPLANE_PORT_FRAME_USUAL_H
#define POSTERN_DATAPLANE_PORT_FRAME_USUAL_H

#include "dataplane/port/frame.h"

// The addresses of a port as the words that frames are compared with. Immutable once workers run.
struct dp_frame_usual {
	uint64_t mac;       // the port's, as the first eight bytes of a frame under MAC_MASK
	uint64_t udp_bits;  // of RTE_MBUF_F_RX_L4_CKSUM_MASK if the driver checks, else 0 ...
	uint64_t udp_good;  // ... and what these are when it found the checksum right; else 1
	uint16_t coap_port; // network order
	uint8_t count4;
	uint8_t count6;
	uint32_t addr4[DP_PORT_ADDRESSES_MAX];
	uint64_t addr6[DP_PORT_ADDRESSES_MAX][2];
};

void dp_frame_usual_init(struct dp_frame_usual *usual, const struct dp_port_addresses *port);

// Looks at n packets, at most DP_BURST. Returns a bit for each of the usual shape: those for which
// dp_frame_classify() would return DP_FRAME_COAP, and whose info[] is complete, as from there.
// About the others nothing is known, and their info[] is undefined.
//
// Usual is: to the port's own MAC, with one VLAN tag or none, IPv4 without options or IPv6 without
// extension headers, not a fragment, to the CoAP port of any of the port's addresses, with a UDP
// checksum that is right by the driver or by summing up, from an address that may be answered.
uint64_t dp_frame_usual_classify(const struct dp_frame_usual *usual, struct rte_mbuf *const *mbufs,
	unsigned n, struct dp_frame_info *info) __attribute__((warn_unused_result));

#endif
