// SPDX-License-Identifier: BSD-3-Clause
// Ethernet, VLAN, IPv4, IPv6 and UDP around a CoAP message: what came in, and what goes out.

#ifndef POSTERN_DATAPLANE_PORT_FRAME_H
#define POSTERN_DATAPLANE_PORT_FRAME_H

#include "dataplane/shared/flow.h"
#include "dataplane/shared/stats.h"

#include <rte_mbuf.h>

#include <stdbool.h>
#include <stdint.h>

#define DP_PORTS_MAX          16
#define DP_PORT_ADDRESSES_MAX 16
#define DP_BURST              64 // packets of one receive burst

// The addresses of one port. Immutable once workers run.
struct dp_port_addresses {
	uint16_t coap_port;    // network order
	uint8_t mac[6];        // of the DPDK port
	uint8_t kernel_mac[6]; // of the kernel TAP: gw/os/kernel_tap.h gives it the port's
	uint8_t count;
	// The driver checks them and says GOOD in ol_flags; dp_port_checksums() knows. Where it
	// does not, or says anything but GOOD, they are checked in software.
	bool ip_checksum_offload;
	bool udp_checksum_offload;
	struct {
		uint8_t family; // 4 or 6
		uint8_t addr[16];
	} address[DP_PORT_ADDRESSES_MAX];
};

enum dp_frame_verdict {
	DP_FRAME_COAP = 0, // UDP to the CoAP port of one of our addresses, checksums verified
	DP_FRAME_KERNEL,   // not CoAP for us: for the kernel TAP
	DP_FRAME_DROP,     // the reason is in *drop
};

// What classify found out about a packet.
struct dp_frame_info {
	uint16_t l2_len;   // Ethernet and VLAN tags, bytes
	uint16_t l3_len;   // IP header and extension headers, bytes
	uint16_t coap_off; // of the CoAP message in the packet, bytes
	uint16_t coap_len;
	uint16_t vlan_tci;
	uint8_t family;
	bool has_vlan;
};

// Looks at one packet and trusts nothing: every length and flag that the driver supplies is
// checked against data_len, every length in the packet against the driver's. *info is complete
// for DP_FRAME_COAP only.
//
// Dropped as a whole: packets of several segments, unicast frames for neither of the port's MACs,
// truncated packets and malformed IP headers. Everything else is the kernel's unless it is UDP for
// the CoAP port, or a fragment of UDP to one of our addresses (the ports are in the first fragment
// only, and nothing here reassembles). VLAN: one tag, in the frame or stripped into the mbuf.
// IPv4 options and IPv6 extension headers are skipped where a receiver may (RFC 8200 section 4.2);
// a packet with source routes or options that demand more is left to the kernel.
// A UDP checksum of 0 is "none" in IPv4 (RFC 768) and an error in IPv6 (RFC 8200 section 8.1).
enum dp_frame_verdict dp_frame_classify(const struct rte_mbuf *m,
	const struct dp_port_addresses *port, struct dp_frame_info *info, enum dp_stat *drop)
	__attribute__((warn_unused_result));

// Whether a frame that is not CoAP is of those by which neighbours find each other: ARP, or ICMPv6
// neighbour discovery, which only a neighbour can send (RFC 4861 section 3.1).
bool dp_frame_is_neighbour(const struct rte_mbuf *m);

// Completes *flow from a packet that dp_frame_classify() called DP_FRAME_COAP.
void dp_frame_flow(
	const struct rte_mbuf *m, const struct dp_frame_info *info, struct dp_flow *flow);

// Bytes in front of a CoAP message sent to this flow: Ethernet, VLAN, IP, UDP.
static inline uint16_t dp_frame_overhead(const struct dp_flow *flow)
{
	return 14 + (flow->has_vlan ? 4 : 0) + (flow->family == 4 ? 20 : 40) + 8;
}

// Writes those headers at the start of the mbuf's data, around a CoAP message of coap_len bytes
// that already stands dp_frame_overhead(flow) bytes behind it; sets lengths, and checksums in
// software. data_len and pkt_len of the mbuf are set to the whole. The mbuf has one segment and
// carries no transmit offload flags. IPv4 packets say "don't fragment" and have the identification
// 0 that RFC 6864 section 4.1 allows those.
void dp_frame_encapsulate(struct rte_mbuf *m, const struct dp_flow *flow, uint16_t coap_len);

// Whether a packet that dp_frame_classify() called DP_FRAME_COAP can become the frame of its
// answer: it has no IP options or extension headers, nobody else holds its buffer, and there is
// room for a VLAN tag that the driver took off.
static inline bool dp_frame_can_return(const struct rte_mbuf *m, const struct dp_frame_info *info)
{
	return info->l3_len == (info->family == 4 ? 20 : 40) && RTE_MBUF_DIRECT(m) &&
		rte_mbuf_refcnt_read(m) == 1 &&
		(!(m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) || rte_pktmbuf_headroom(m) >= 4);
}

// Makes it that frame: the same bytes that dp_frame_encapsulate() writes for its flow, around the
// CoAP message of coap_len >= 8 bytes that stands where the request's stood, within the buffer.
void dp_frame_return(struct rte_mbuf *m, const struct dp_frame_info *info, uint16_t coap_len);
// Writes that frame into another buffer, just allocated, and leaves the request's as it is.
void dp_frame_return_copy(struct rte_mbuf *m, const struct rte_mbuf *request,
	const struct dp_frame_info *info, uint16_t coap_len);

#endif
