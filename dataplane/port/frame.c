// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/port/frame.h"

#include "dataplane/port/headers.h"

#define IPV6_HEADER_MAX 8 // extension headers of a packet

#define ND_FIRST 133 // ICMPv6 types of neighbour discovery (RFC 4861 section 4)
#define ND_LAST  137

#define IPV4_FRAGMENT_MASK 0x3fff // more fragments, and the offset

// The IP packet around a UDP header.
struct ip_view {
	const uint8_t *src;
	const uint8_t *dst;
	uint16_t header_len; // with options or extension headers
	uint16_t packet_len; // as the IP header says, at most what came
	uint8_t family;
	bool fragment;
};

// udp is a whole datagram of len bytes.
static uint16_t udp_checksum(
	uint8_t family, const uint8_t *src, const uint8_t *dst, const uint8_t *udp, uint16_t len)
{
	size_t addr_len = family == 4 ? 4 : 16;
	uint64_t sum = htons(IPPROTO_UDP) + (uint64_t)htons(len);

	sum = sum_add(sum, src, addr_len);
	sum = sum_add(sum, dst, addr_len);
	return sum_finish(sum_add(sum, udp, len));
}

static bool is_group_mac(const uint8_t *mac)
{
	return mac[0] & 1;
}

static enum dp_frame_verdict refuse(enum dp_stat *drop, enum dp_stat reason)
{
	*drop = reason;
	return DP_FRAME_DROP;
}

// Whether all options may be skipped: a source route (RFC 791 section 3.1) may mean that we are
// not the last stop.
static bool ipv4_options_skippable(const uint8_t *p, size_t len)
{
	while (len) {
		if (p[0] == 0) // end of options
			return true;
		if (p[0] == 1) { // no operation
			p++;
			len--;
			continue;
		}
		if (p[0] == 131 || p[0] == 137 || len < 2 || p[1] < 2 || p[1] > len)
			return false;
		len -= p[1];
		p += p[1];
	}
	return true;
}

// DP_FRAME_COAP: it is UDP, and *ip is set.
static enum dp_frame_verdict ipv4_view(
	const uint8_t *p, size_t len, struct ip_view *ip, enum dp_stat *drop)
{
	if (len < IPV4_LEN_MIN)
		return refuse(drop, DP_STAT_drop_runt);
	ip->family = 4;
	ip->header_len = (p[0] & 0xf) * 4;
	ip->packet_len = load_be16(p + 2);
	if (p[0] >> 4 != 4 || ip->header_len < IPV4_LEN_MIN || ip->packet_len < ip->header_len)
		return refuse(drop, DP_STAT_drop_ip_header);
	if (ip->packet_len > len)
		return refuse(drop, DP_STAT_drop_runt);
	if (p[9] != IPPROTO_UDP)
		return DP_FRAME_KERNEL;
	if (ip->header_len > IPV4_LEN_MIN &&
		!ipv4_options_skippable(p + IPV4_LEN_MIN, ip->header_len - IPV4_LEN_MIN))
		return DP_FRAME_KERNEL;
	ip->src = p + 12;
	ip->dst = p + 16;
	ip->fragment = load_be16(p + 6) & IPV4_FRAGMENT_MASK;
	return DP_FRAME_COAP;
}

// Options of a hop-by-hop or destination options header. The two high bits of a type say what
// becomes of a packet whose receiver does not know it: 00 is "skip" (RFC 8200 section 4.2).
static bool ipv6_options_skippable(const uint8_t *p, size_t len)
{
	while (len) {
		if (p[0] == 0) { // Pad1
			p++;
			len--;
			continue;
		}
		if (p[0] & 0xc0 || len < 2 || p[1] + 2u > len)
			return false;
		len -= p[1] + 2u;
		p += p[1] + 2u;
	}
	return true;
}

// As ipv4_view().
static enum dp_frame_verdict ipv6_view(
	const uint8_t *p, size_t len, struct ip_view *ip, enum dp_stat *drop)
{
	size_t at = IPV6_LEN, header_len;
	uint8_t next;

	if (len < IPV6_LEN)
		return refuse(drop, DP_STAT_drop_runt);
	if (p[0] >> 4 != 6)
		return refuse(drop, DP_STAT_drop_ip_header);
	if (load_be16(p + 4) > len - IPV6_LEN)
		return refuse(drop, DP_STAT_drop_runt);
	len = IPV6_LEN + load_be16(p + 4);
	ip->fragment = false;

	next = p[6];
	for (unsigned headers = 0; next != IPPROTO_UDP; headers++) {
		const uint8_t *h = p + at;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
			next != IPPROTO_FRAGMENT)
			return DP_FRAME_KERNEL;
		if (headers == IPV6_HEADER_MAX)
			return DP_FRAME_KERNEL;
		if (len - at < 8)
			return refuse(drop, DP_STAT_drop_runt);
		header_len = next == IPPROTO_FRAGMENT ? 8 : (h[1] + 1u) * 8;
		if (header_len > len - at)
			return refuse(drop, DP_STAT_drop_runt);
		if (next == IPPROTO_HOPOPTS && headers)
			return DP_FRAME_KERNEL; // it may only come first
		if (next == IPPROTO_ROUTING && h[3])
			return DP_FRAME_KERNEL; // segments left: we are not the last stop
		if ((next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS) &&
			!ipv6_options_skippable(h + 2, header_len - 2))
			return DP_FRAME_KERNEL;
		// A fragment that is the whole packet is none (RFC 6946).
		if (next == IPPROTO_FRAGMENT && load_be16(h + 2) & 0xfff9) {
			if (h[0] != IPPROTO_UDP)
				return DP_FRAME_KERNEL;
			ip->fragment = true;
		}
		next = h[0];
		at += header_len;
	}
	ip->family = 6;
	ip->header_len = (uint16_t)at;
	ip->packet_len = (uint16_t)len;
	ip->src = p + 8;
	ip->dst = p + 24;
	return DP_FRAME_COAP;
}

static bool port_owns(const struct dp_port_addresses *port, uint8_t family, const uint8_t *addr)
{
	for (unsigned i = 0; i < port->count; i++) {
		if (port->address[i].family != family)
			continue;
		if (family == 4 ? !memcmp(port->address[i].addr, addr, 4)
				: !memcmp(port->address[i].addr, addr, 16))
			return true;
	}
	return false;
}

// Multicast, or the limited broadcast. The broadcast address of a subnet comes in a broadcast
// frame.
static bool addr_is_group(uint8_t family, const uint8_t *addr)
{
	return family == 4 ? addr[0] >> 4 == 0xe || !memcmp(addr, "\xff\xff\xff\xff", 4)
			   : addr[0] == 0xff;
}

// Whether an answer could be sent there: not an unspecified, loopback, multicast or reserved
// address (RFC 1122 section 3.2.1.3, RFC 4291 sections 2.5 and 2.7), and not one of ours.
static bool source_is_answerable(
	const struct dp_port_addresses *port, uint8_t family, const uint8_t *addr)
{
	static const uint8_t zero[8];

	if (family == 4) {
		if (addr[0] == 0 || addr[0] == 127 || addr[0] >= 224)
			return false;
	} else {
		// ::/96 holds "unspecified" and "loopback"; IPv4-mapped ones are never on a wire.
		if (addr[0] == 0xff ||
			(!memcmp(addr, zero, 8) && !memcmp(addr + 8, zero, 2) &&
				(!memcmp(addr + 10, zero, 2) || !memcmp(addr + 10, "\xff\xff", 2))))
			return false;
	}
	return !port_owns(port, family, addr);
}

bool dp_frame_is_neighbour(const struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	size_t len = rte_pktmbuf_data_len(m), at = ETH_LEN;

	if (len < ETH_LEN + VLAN_LEN)
		return false;
	if (load_be16(frame + 12) == ETHERTYPE_VLAN)
		at += VLAN_LEN;
	uint16_t type = load_be16(frame + at - 2);
	const uint8_t *ip = frame + at;

	if (type == ETHERTYPE_ARP)
		return true;
	return type == ETHERTYPE_IPV6 && len > at + IPV6_LEN && ip[6] == IPPROTO_ICMPV6 &&
		ip[7] == 255 && ip[IPV6_LEN] >= ND_FIRST && ip[IPV6_LEN] <= ND_LAST;
}

// Finds the packet behind Ethernet and one VLAN tag: *type is its EtherType, info->l2_len where it
// starts. Returns DP_FRAME_COAP, or DP_FRAME_DROP and the reason.
static inline enum dp_frame_verdict ethernet_view(const struct rte_mbuf *m,
	const struct dp_port_addresses *port, struct dp_frame_info *info, uint16_t *type,
	enum dp_stat *drop)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const size_t len = m->data_len;

	if (m->nb_segs != 1 || m->next || m->pkt_len != len)
		return refuse(drop, DP_STAT_drop_multi_segment);
	if (len < ETH_LEN || (size_t)m->data_off + len > m->buf_len)
		return refuse(drop, DP_STAT_drop_runt);
	if (!is_group_mac(frame) && memcmp(frame, port->mac, MAC_LEN) &&
		memcmp(frame, port->kernel_mac, MAC_LEN))
		return refuse(drop, DP_STAT_drop_other_mac);

	info->l2_len = ETH_LEN;
	info->has_vlan = m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED;
	info->vlan_tci = info->has_vlan ? m->vlan_tci : 0;
	*type = load_be16(frame + 12);
	if (*type == ETHERTYPE_VLAN && !info->has_vlan) {
		if (len < ETH_LEN + VLAN_LEN)
			return refuse(drop, DP_STAT_drop_runt);
		info->has_vlan = true;
		info->vlan_tci = load_be16(frame + 14);
		info->l2_len += VLAN_LEN;
		*type = load_be16(frame + 16);
	}
	return DP_FRAME_COAP;
}

// Whether the IP header's checksum is right, or the driver says so.
static inline bool ip_checksum_good(const struct rte_mbuf *m, const struct dp_port_addresses *port,
	const struct ip_view *ip, const uint8_t *packet)
{
	const bool good = port->ip_checksum_offload &&
		(m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD;

	return ip->family == 6 || good || !sum_finish(sum_add(0, packet, ip->header_len));
}

// The same of a UDP datagram of udp_len bytes. A driver's GOOD may stand for "no checksum".
static inline bool udp_checksum_good(const struct rte_mbuf *m, const struct dp_port_addresses *port,
	const struct ip_view *ip, const uint8_t *udp, uint16_t udp_len)
{
	const bool good = port->udp_checksum_offload &&
		(m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD;

	if (!load_be16(udp + 6))
		return ip->family == 4;
	return good || !udp_checksum(ip->family, ip->src, ip->dst, udp, udp_len);
}

enum dp_frame_verdict dp_frame_classify(const struct rte_mbuf *m,
	const struct dp_port_addresses *port, struct dp_frame_info *info, enum dp_stat *drop)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	uint16_t type;
	enum dp_frame_verdict verdict = ethernet_view(m, port, info, &type, drop);
	struct ip_view ip;

	if (verdict != DP_FRAME_COAP)
		return verdict;
	const uint8_t *packet = frame + info->l2_len;

	if (type == ETHERTYPE_IPV4)
		verdict = ipv4_view(packet, m->data_len - info->l2_len, &ip, drop);
	else if (type == ETHERTYPE_IPV6)
		verdict = ipv6_view(packet, m->data_len - info->l2_len, &ip, drop);
	else
		return DP_FRAME_KERNEL;
	if (verdict != DP_FRAME_COAP)
		return verdict;

	const bool ours = port_owns(port, ip.family, ip.dst);

	if (ip.fragment)
		return ours ? refuse(drop, DP_STAT_drop_fragment) : DP_FRAME_KERNEL;
	const uint8_t *udp = packet + ip.header_len;
	const uint16_t udp_room = ip.packet_len - ip.header_len;

	if (udp_room < UDP_LEN)
		return refuse(drop, DP_STAT_drop_runt);
	if (memcmp(udp + 2, &port->coap_port, sizeof(port->coap_port)))
		return DP_FRAME_KERNEL;
	if (is_group_mac(frame) || addr_is_group(ip.family, ip.dst))
		return refuse(drop, DP_STAT_drop_multicast);
	if (!ours)
		return DP_FRAME_KERNEL;
	if (!ip_checksum_good(m, port, &ip, packet))
		return refuse(drop, DP_STAT_drop_l3_checksum);
	const uint16_t udp_len = load_be16(udp + 4);

	if (udp_len < UDP_LEN || udp_len > udp_room)
		return refuse(drop, DP_STAT_drop_udp_length);
	if (!udp_checksum_good(m, port, &ip, udp, udp_len))
		return refuse(drop, DP_STAT_drop_udp_checksum);
	if (!load_be16(udp) || is_group_mac(frame + MAC_LEN) ||
		!source_is_answerable(port, ip.family, ip.src))
		return refuse(drop, DP_STAT_drop_source);

	info->family = ip.family;
	info->l3_len = ip.header_len;
	info->coap_off = info->l2_len + ip.header_len + UDP_LEN;
	info->coap_len = udp_len - UDP_LEN;
	return DP_FRAME_COAP;
}

void dp_frame_flow(const struct rte_mbuf *m, const struct dp_frame_info *info, struct dp_flow *flow)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint8_t *packet = frame + info->l2_len;
	const uint8_t *udp = packet + info->l3_len;

	*flow = (struct dp_flow){
		.port_id = m->port,
		.vlan_tci = info->vlan_tci,
		.family = info->family,
		.has_vlan = info->has_vlan,
	};
	memcpy(flow->local_mac, frame, MAC_LEN);
	memcpy(flow->remote_mac, frame + MAC_LEN, MAC_LEN);
	if (info->family == 4) {
		memcpy(flow->remote_addr, packet + 12, 4);
		memcpy(flow->local_addr, packet + 16, 4);
	} else {
		memcpy(flow->remote_addr, packet + 8, 16);
		memcpy(flow->local_addr, packet + 24, 16);
	}
	memcpy(&flow->remote_port, udp, sizeof(flow->remote_port));
	memcpy(&flow->local_port, udp + 2, sizeof(flow->local_port));
}
