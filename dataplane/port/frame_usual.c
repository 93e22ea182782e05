// SPDX-License-Identifier: BSD-3-Clause
// All words are as they lie in memory, of a little-endian machine.

#include "dataplane/port/frame_usual.h"

#include "dataplane/port/headers.h"

_Static_assert(DP_BURST <= 64, "a bit for each packet");

// The first eight bytes of a frame: the destination, and of the source the bit that says "group".
#define MAC_MASK UINT64_C(0x0001ffffffffffff)

#define AHEAD 6 // packets whose second lines, of mbuf and frame, are fetched meanwhile

#define IPV4_FRAGMENT_MASK htons(0x3fff) // more fragments, and the offset

// Whether such a sum over data that contains its checksum, and is not all 0, says that this is
// right: then it is a multiple of 65 535. One multiplication asks: the multiples of an odd number,
// times its inverse modulo 2^64, are the numbers up to 2^64 / 65 535, and no other product is.
static inline bool sum_right(uint64_t sum)
{
	const uint64_t quotient_max = UINT64_MAX / UINT16_MAX; // 0x0001000100010001
	const uint64_t inverse = -quotient_max;

	_Static_assert(UINT16_MAX * -(UINT64_MAX / UINT16_MAX) == 1, "the inverse of 65 535");
	return sum * inverse <= quotient_max;
}

// Whether the UDP checksum of a datagram of len bytes, at least UDP_LEN, is right. addresses is the
// sum of the IP addresses.
static inline bool udp_sum_right(const uint8_t *udp, size_t len, uint64_t addresses)
{
	const uint8_t *end = udp + len;
	// Two chains of additions, which do not wait for each other.
	uint64_t even = htons(IPPROTO_UDP) + (uint64_t)htons((uint16_t)len), odd = addresses;

	for (; end - udp >= 16; udp += 16) {
		even = sum_words(even, load64(udp));
		odd = sum_words(odd, load64(udp + 8));
	}
	if (end - udp >= 8) {
		even = sum_words(even, load64(udp));
		udp += 8;
	}
	// The rest is the end of the last eight bytes; an odd byte is followed by a 0.
	if (udp < end)
		odd = sum_words(odd, load64(end - 8) >> (64 - 8 * (end - udp)));
	return sum_right(sum_words(even, odd));
}

// What is the same for both families, behind an IP header that says UDP, to our address: ports,
// length and checksum. room is what the IP packet holds from here on, at least UDP_LEN.
static inline bool udp_usual(const struct dp_frame_usual *usual, const struct rte_mbuf *m,
	const uint8_t *udp, size_t room, uint64_t addresses)
{
	const uint64_t head = load64(udp);
	const uint16_t source = (uint16_t)head;
	const uint16_t len = ntohs((uint16_t)(head >> 32));
	const bool good = (m->ol_flags & usual->udp_bits) == usual->udp_good;

	// A checksum of 0 is "none", or wrong: not usual in either family.
	if ((uint16_t)(head >> 16) != usual->coap_port || !source || !(head >> 48) ||
		len < UDP_LEN || len > room)
		return false;
	return good || udp_sum_right(udp, len, addresses);
}

// Of the len bytes that came from ip on, IPV4_LEN_MIN + UDP_LEN are there. Returns the length of
// the datagram, or 0 if the packet is not usual.
static inline uint16_t ipv4_usual(
	const struct dp_frame_usual *usual, const struct rte_mbuf *m, const uint8_t *ip, size_t len)
{
	const uint64_t first = load64(ip), second = load64(ip + 8);
	const uint32_t source = load32(ip + 12), destination = load32(ip + 16);
	const uint8_t net = (uint8_t)source;
	const size_t packet_len = ntohs((uint16_t)(first >> 16));
	bool to_us = false, from_us = false;

	// Version 4 and five words of header; the fragment; the protocol.
	if (((first & 0xff) ^ 0x45) | (first >> 48 & IPV4_FRAGMENT_MASK) |
		((second >> 8 & 0xff) ^ IPPROTO_UDP))
		return 0;
	if (packet_len > len || packet_len < IPV4_LEN_MIN + UDP_LEN)
		return 0;
	for (unsigned i = 0; i < usual->count4; i++) {
		to_us |= destination == usual->addr4[i];
		from_us |= source == usual->addr4[i];
	}
	if (!to_us || from_us || net == 0 || net == 127 || net >= 224)
		return 0;
	// The driver's word on it does not matter: this costs less than to ask.
	if (!sum_right(sum_words(sum_words(first, second), destination)))
		return 0;
	if (!udp_usual(usual, m, ip + IPV4_LEN_MIN, packet_len - IPV4_LEN_MIN,
		    (uint64_t)source + destination))
		return 0;
	return ntohs(load16(ip + IPV4_LEN_MIN + 4));
}

// The same for IPv6; ip has at least IPV6_LEN + UDP_LEN bytes.
static inline uint16_t ipv6_usual(
	const struct dp_frame_usual *usual, const struct rte_mbuf *m, const uint8_t *ip, size_t len)
{
	const uint64_t first = load64(ip);
	const uint64_t source[2] = {load64(ip + 8), load64(ip + 16)};
	const uint64_t destination[2] = {load64(ip + 24), load64(ip + 32)};
	const size_t room = ntohs((uint16_t)(first >> 32));
	bool to_us = false, from_us = false;

	if (((first & 0xf0) ^ 0x60) | ((first >> 48 & 0xff) ^ IPPROTO_UDP))
		return 0;
	if (room > len - IPV6_LEN || room < UDP_LEN)
		return 0;
	for (unsigned i = 0; i < usual->count6; i++) {
		const uint64_t *ours = usual->addr6[i];

		to_us |= !((destination[0] ^ ours[0]) | (destination[1] ^ ours[1]));
		from_us |= !((source[0] ^ ours[0]) | (source[1] ^ ours[1]));
	}
	// All that is not answered but multicast begins with 64 zero bits.
	if (!to_us || from_us || !source[0] || (source[0] & 0xff) == 0xff)
		return 0;
	if (!udp_usual(usual, m, ip + IPV6_LEN, room,
		    sum_words(sum_words(source[0], source[1]),
			    sum_words(destination[0], destination[1]))))
		return 0;
	return ntohs(load16(ip + IPV6_LEN + 4));
}

static inline __attribute__((always_inline)) bool frame_usual(
	const struct dp_frame_usual *usual, const struct rte_mbuf *m, struct dp_frame_info *info)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const size_t len = m->data_len;
	const bool stripped = m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED;
	uint16_t at = ETH_LEN, l3_len, udp_len, tci = stripped ? m->vlan_tci : 0;
	bool tagged = stripped;

	if (m->nb_segs != 1 || m->next || m->pkt_len != len ||
		len < ETH_LEN + VLAN_LEN + IPV4_LEN_MIN + UDP_LEN || m->data_off + len > m->buf_len)
		return false;
	if ((load64(frame) & MAC_MASK) != usual->mac)
		return false;
	uint16_t type = load16(frame + 12);

	if (type == htons(ETHERTYPE_VLAN) && !stripped) {
		tagged = true;
		tci = ntohs(load16(frame + 14));
		type = load16(frame + 16);
		at += VLAN_LEN;
	}
	if (type == htons(ETHERTYPE_IPV4)) {
		l3_len = IPV4_LEN_MIN;
		udp_len = ipv4_usual(usual, m, frame + at, len - at);
	} else if (type == htons(ETHERTYPE_IPV6) && len - at >= IPV6_LEN + UDP_LEN) {
		l3_len = IPV6_LEN;
		udp_len = ipv6_usual(usual, m, frame + at, len - at);
	} else {
		return false;
	}
	if (!udp_len)
		return false;
	*info = (struct dp_frame_info){
		.l2_len = at,
		.l3_len = l3_len,
		.coap_off = at + l3_len + UDP_LEN,
		.coap_len = udp_len - UDP_LEN,
		.vlan_tci = tci,
		.family = l3_len == IPV4_LEN_MIN ? 4 : 6,
		.has_vlan = tagged,
	};
	return true;
}

uint64_t dp_frame_usual_classify(const struct dp_frame_usual *usual, struct rte_mbuf *const *mbufs,
	unsigned n, struct dp_frame_info *info)
{
	uint64_t found = 0;

	for (unsigned i = 0; i < n; i++) {
		// Their first lines were asked for when the burst came; all lines of all packets
		// at once would be more than a core waits for at a time.
		if (i + AHEAD < n) {
			const struct rte_mbuf *m = mbufs[i + AHEAD];

			rte_prefetch0(rte_pktmbuf_mtod(m, const uint8_t *) + RTE_CACHE_LINE_SIZE);
			rte_prefetch0(&m->next);
		}
		found |= (uint64_t)frame_usual(usual, mbufs[i], &info[i]) << i;
	}
	return found;
}

void dp_frame_usual_init(struct dp_frame_usual *usual, const struct dp_port_addresses *port)
{
	*usual = (struct dp_frame_usual){.coap_port = port->coap_port, .udp_good = 1};
	memcpy(&usual->mac, port->mac, sizeof(port->mac));
	if (port->udp_checksum_offload) {
		usual->udp_bits = RTE_MBUF_F_RX_L4_CKSUM_MASK;
		usual->udp_good = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	}
	if (port->mac[0] & 1)
		return; // no station's, and what is sent to groups is not answered
	for (unsigned i = 0; i < port->count; i++) {
		const uint8_t *addr = port->address[i].addr;

		// A group is no address of a port: dp_frame_classify() says what becomes of it.
		if (port->address[i].family == 4 && addr[0] < 224)
			memcpy(&usual->addr4[usual->count4++], addr, 4);
		else if (port->address[i].family == 6 && addr[0] != 0xff)
			memcpy(usual->addr6[usual->count6++], addr, 16);
	}
}
