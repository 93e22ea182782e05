// SPDX-License-Identifier: BSD-3-Clause

#include "base/bytes.h"
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

// Addresses and ports change places and so leave sums as they are: the headers of a request are
// read, and those of its answer written, in whole words.

static void macs_return(uint8_t *to, const uint8_t *frame)
{
	uint64_t first = load64(frame); // the destination, and two bytes of the source
	uint32_t rest = load32(frame + 8);

	store64(to, first >> 48 | (uint64_t)rest << 16 | first << 48);
	store32(to + 8, first >> 16);
}

// The same words as ipv4_write(). Returns the sum of the addresses.
static inline __attribute__((always_inline)) uint64_t ipv4_return(
	uint8_t *to, const uint8_t *p, uint16_t udp_len)
{
	const uint32_t src = load32(p + 12), dst = load32(p + 16);
	const uint64_t addr_sum = (uint64_t)src + dst;
	const uint32_t version_len =
		htonl((4u << 4 | IPV4_LEN_MIN / 4) << 24 | (IPV4_LEN_MIN + udp_len));
	const uint32_t id_fragment = htonl(IPV4_DONT_FRAGMENT);
	const uint16_t ttl_proto = htons(HOP_LIMIT << 8 | IPPROTO_UDP);
	const uint16_t checksum =
		sum_finish(addr_sum + (uint64_t)version_len + id_fragment + ttl_proto);

	store32(to, version_len);
	store32(to + 4, id_fragment);
	memcpy(to + 8, &ttl_proto, sizeof(ttl_proto));
	memcpy(to + 10, &checksum, sizeof(checksum));
	store32(to + 12, dst);
	store32(to + 16, src);
	return addr_sum;
}

// The same words as ipv6_write(). Returns the sum of the addresses.
static uint64_t ipv6_return(uint8_t *to, const uint8_t *p, uint16_t udp_len)
{
	const uint64_t src[2] = {load64(p + 8), load64(p + 16)};
	const uint64_t dst[2] = {load64(p + 24), load64(p + 32)};

	store32(to, htonl(6u << 28));
	store32(to + 4, htonl((uint32_t)udp_len << 16 | IPPROTO_UDP << 8 | HOP_LIMIT));
	store64(to + 8, dst[0]);
	store64(to + 16, dst[1]);
	store64(to + 24, src[0]);
	store64(to + 32, src[1]);
	return sum_words(sum_words(src[0], src[1]), sum_words(dst[0], dst[1]));
}

// Writes the headers of the answer to `frame` at `to`, which may be the same place or, for a VLAN
// tag to be put in, 4 bytes in front of it. What stands behind the MACs stays, if it is in place.
static inline __attribute__((always_inline)) void headers_return(uint8_t *to, const uint8_t *frame,
	const struct dp_frame_info *info, uint16_t coap_len, bool tag)
{
	const uint8_t *ip = frame + info->l2_len, *udp = ip + info->l3_len;
	const uint16_t udp_len = UDP_LEN + coap_len, len = htons(udp_len);

	macs_return(to, frame);
	if (tag) {
		store32(to + 2 * MAC_LEN, htonl((uint32_t)ETHERTYPE_VLAN << 16 | info->vlan_tci));
		to += VLAN_LEN;
	}
	to += info->l2_len;
	const uint64_t addr_sum =
		info->family == 4 ? ipv4_return(to, ip, udp_len) : ipv6_return(to, ip, udp_len);
	const uint32_t ports = load32(udp);
	// The length is in the pseudo header and in the header.
	uint64_t sum = sum_words(addr_sum, htons(IPPROTO_UDP) + 2 * (uint64_t)len + ports);
	uint16_t checksum = sum_finish(sum_words(sum, sum_bytes(udp + UDP_LEN, coap_len)));

	if (!checksum)
		checksum = UINT16_MAX; // as in udp_write()
	to += info->l3_len;
	store32(to, ports << 16 | ports >> 16);
	store32(to + 4, len | (uint32_t)checksum << 16);
}

void dp_frame_return(struct rte_mbuf *m, const struct dp_frame_info *info, uint16_t coap_len)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	uint16_t length = info->coap_off + coap_len;

	if (unlikely(m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)) {
		headers_return(frame - VLAN_LEN, frame, info, coap_len, true);
		m->data_off -= VLAN_LEN;
		length += VLAN_LEN;
	} else {
		headers_return(frame, frame, info, coap_len, false);
	}
	m->data_len = length;
	m->pkt_len = length;
	m->ol_flags = 0;
}

// Most messages are so short that a call of memcpy() takes longer.
static inline void message_copy(uint8_t *to, const uint8_t *from, size_t len)
{
	size_t at = 0;

	if (len < 16) {
		bytes_copy(to, from, len);
		return;
	}
	for (; at + 16 <= len; at += 16)
		memcpy(to + at, from + at, 16);
	memcpy(to + len - 16, from + len - 16, 16);
}

void dp_frame_return_copy(struct rte_mbuf *m, const struct rte_mbuf *request,
	const struct dp_frame_info *info, uint16_t coap_len)
{
	const uint8_t *frame = rte_pktmbuf_mtod(request, const uint8_t *);
	const bool tag = request->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED;
	const uint16_t length = info->coap_off + coap_len + (tag ? VLAN_LEN : 0);
	uint8_t *to = rte_pktmbuf_mtod(m, uint8_t *);
	const unsigned types = 2 * MAC_LEN; // from here to the end of the Ethernet header

	headers_return(to, frame, info, coap_len, tag);
	bytes_copy(to + types + (tag ? VLAN_LEN : 0), frame + types, info->l2_len - types);
	message_copy(to + length - coap_len, frame + info->coap_off, coap_len);
	m->data_len = length;
	m->pkt_len = length;
}
