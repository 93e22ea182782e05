// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/port/frame.h"
#include "dataplane/port/headers.h"

// Checksums of what is sent are made of values, not of the headers in memory: reading in one word
// what was just written in pieces stalls.

static void ipv4_write(uint8_t *p, const struct dp_flow *flow, uint16_t udp_len, uint64_t addr_sum)
{
	const uint16_t version_tos = (4 << 4 | IPV4_LEN_MIN / 4) << 8;
	const uint16_t ttl_proto = HOP_LIMIT << 8 | IPPROTO_UDP;
	const uint16_t checksum = sum_finish(addr_sum + htons(version_tos) +
		htons(IPV4_LEN_MIN + udp_len) + htons(IPV4_DONT_FRAGMENT) + htons(ttl_proto));

	store_be16(p, version_tos);
	store_be16(p + 2, IPV4_LEN_MIN + udp_len);
	store_be16(p + 4, 0);
	store_be16(p + 6, IPV4_DONT_FRAGMENT);
	store_be16(p + 8, ttl_proto);
	memcpy(p + 10, &checksum, sizeof(checksum));
	memcpy(p + 12, flow->local_addr, 4);
	memcpy(p + 16, flow->remote_addr, 4);
}

static void ipv6_write(uint8_t *p, const struct dp_flow *flow, uint16_t udp_len)
{
	store_be16(p, 6 << 12);
	store_be16(p + 2, 0);
	store_be16(p + 4, udp_len);
	store_be16(p + 6, IPPROTO_UDP << 8 | HOP_LIMIT);
	memcpy(p + 8, flow->local_addr, 16);
	memcpy(p + 24, flow->remote_addr, 16);
}

static void udp_write(uint8_t *p, const struct dp_flow *flow, uint16_t udp_len, uint64_t addr_sum)
{
	const uint16_t len = htons(udp_len);
	// The length is in the pseudo header and in the header.
	const uint64_t sum = addr_sum + htons(IPPROTO_UDP) + 2 * (uint64_t)len + flow->local_port +
		flow->remote_port;
	uint16_t checksum = sum_finish(sum_add(sum, p + UDP_LEN, udp_len - UDP_LEN));

	if (!checksum)
		checksum = UINT16_MAX; // 0 would say that none was sent (RFC 768)
	memcpy(p, &flow->local_port, 2);
	memcpy(p + 2, &flow->remote_port, 2);
	memcpy(p + 4, &len, 2);
	memcpy(p + 6, &checksum, 2);
}

void dp_frame_encapsulate(struct rte_mbuf *m, const struct dp_flow *flow, uint16_t coap_len)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	const uint16_t udp_len = UDP_LEN + coap_len;
	// The zeros behind an IPv4 address add nothing.
	const uint64_t addr_sum = sum_add(sum_add(0, flow->local_addr, sizeof(flow->local_addr)),
		flow->remote_addr, sizeof(flow->remote_addr));

	m->data_len = dp_frame_overhead(flow) + coap_len;
	m->pkt_len = m->data_len;

	memcpy(p, flow->remote_mac, MAC_LEN);
	memcpy(p + MAC_LEN, flow->local_mac, MAC_LEN);
	p += 2 * MAC_LEN;
	if (flow->has_vlan) {
		store_be16(p, ETHERTYPE_VLAN);
		store_be16(p + 2, flow->vlan_tci);
		p += VLAN_LEN;
	}
	store_be16(p, flow->family == 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
	p += 2;
	if (flow->family == 4) {
		ipv4_write(p, flow, udp_len, addr_sum);
		p += IPV4_LEN_MIN;
	} else {
		ipv6_write(p, flow, udp_len);
		p += IPV6_LEN;
	}
	udp_write(p, flow, udp_len, addr_sum);
}
