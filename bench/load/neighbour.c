// SPDX-License-Identifier: BSD-3-Clause

#include "bench/load/neighbour.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
#include <string.h>

#define HOP_LIMIT 255 // RFC 4861 section 7.1: proof that no router sent it

struct arp_frame {
	struct ether_header eth;
	struct ether_arp arp;
} __attribute__((packed));

// A solicitation and an advertisement look alike, each with its one option.
struct nd_frame {
	struct ether_header eth;
	struct ip6_hdr ip;
	struct nd_neighbor_solicit nd;
	struct nd_opt_hdr option;
	uint8_t mac[ETH_ALEN];
} __attribute__((packed));

_Static_assert(sizeof(struct nd_frame) <= NEIGHBOUR_FRAME_MAX, "frames fit");

static uint16_t arp_make(const struct neighbour *n, uint8_t *frame, uint16_t operation,
	const uint8_t *to_mac, const uint8_t *from, const uint8_t *to)
{
	struct arp_frame f = {
		.eth.ether_type = htons(ETHERTYPE_ARP),
		.arp.ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
			.ar_pro = htons(ETHERTYPE_IP),
			.ar_hln = ETH_ALEN,
			.ar_pln = 4,
			.ar_op = htons(operation)},
	};

	memset(f.eth.ether_dhost, 0xff, ETH_ALEN);
	if (to_mac) {
		memcpy(f.eth.ether_dhost, to_mac, ETH_ALEN);
		memcpy(f.arp.arp_tha, to_mac, ETH_ALEN);
	}
	memcpy(f.eth.ether_shost, n->mac, ETH_ALEN);
	memcpy(f.arp.arp_sha, n->mac, ETH_ALEN);
	memcpy(f.arp.arp_spa, from, 4);
	memcpy(f.arp.arp_tpa, to, 4);
	memcpy(frame, &f, sizeof(f));
	return sizeof(f);
}

static uint16_t arp_take(struct neighbour *n, const uint8_t *frame, size_t len, uint8_t *answer)
{
	struct arp_frame f;
	uint32_t index;

	if (n->sources->family != 4 || len < sizeof(f))
		return 0;
	memcpy(&f, frame, sizeof(f));
	if (f.arp.ea_hdr.ar_pro != htons(ETHERTYPE_IP) || f.arp.ea_hdr.ar_hln != ETH_ALEN ||
		f.arp.ea_hdr.ar_pln != 4)
		return 0;
	if (!memcmp(f.arp.arp_spa, n->server, 4) && !n->known) {
		memcpy(n->server_mac, f.arp.arp_sha, ETH_ALEN);
		n->known = true;
	}
	if (f.arp.ea_hdr.ar_op != htons(ARPOP_REQUEST) ||
		!sources_address(n->sources, f.arp.arp_tpa, &index))
		return 0;
	return arp_make(n, answer, ARPOP_REPLY, f.arp.arp_sha, f.arp.arp_tpa, f.arp.arp_spa);
}

static uint16_t nd_checksum(const struct nd_frame *f)
{
	const uint8_t *p = (const uint8_t *)&f->nd;
	const uint8_t *addr = (const uint8_t *)&f->ip.ip6_src;
	size_t len = sizeof(*f) - offsetof(struct nd_frame, nd);
	uint32_t sum = IPPROTO_ICMPV6 + (uint32_t)len;

	for (size_t i = 0; i < 32; i += 2)
		sum += (uint32_t)(addr[i] << 8 | addr[i + 1]);
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & UINT16_MAX) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static uint16_t nd_make(const struct neighbour *n, uint8_t *frame, uint8_t type, uint32_t flags,
	const uint8_t *to_mac, const uint8_t *from, const uint8_t *to, const uint8_t *target)
{
	struct nd_frame f = {
		.eth.ether_type = htons(ETHERTYPE_IPV6),
		.ip.ip6_flow = htonl(6u << 28),
		.ip.ip6_plen = htons(sizeof(f) - offsetof(struct nd_frame, nd)),
		.ip.ip6_nxt = IPPROTO_ICMPV6,
		.ip.ip6_hlim = HOP_LIMIT,
		.nd.nd_ns_type = type,
		.nd.nd_ns_reserved = flags,
		.option = {.nd_opt_type = type == ND_NEIGHBOR_SOLICIT ? ND_OPT_SOURCE_LINKADDR
								      : ND_OPT_TARGET_LINKADDR,
			.nd_opt_len = 1},
	};

	memcpy(f.eth.ether_dhost, to_mac, ETH_ALEN);
	memcpy(f.eth.ether_shost, n->mac, ETH_ALEN);
	memcpy(&f.ip.ip6_src, from, 16);
	memcpy(&f.ip.ip6_dst, to, 16);
	memcpy(&f.nd.nd_ns_target, target, 16);
	memcpy(f.mac, n->mac, ETH_ALEN);
	f.nd.nd_ns_cksum = nd_checksum(&f);
	memcpy(frame, &f, sizeof(f));
	return sizeof(f);
}

static uint16_t nd_take(struct neighbour *n, const uint8_t *frame, size_t len, uint8_t *answer)
{
	struct nd_frame f = {0};
	uint32_t index;
	const size_t least = offsetof(struct nd_frame, option);

	if (n->sources->family != 6 || len < least)
		return 0;
	memcpy(&f, frame, len < sizeof(f) ? len : sizeof(f));
	if (f.ip.ip6_nxt != IPPROTO_ICMPV6 || f.ip.ip6_hlim != HOP_LIMIT)
		return 0;
	if (f.nd.nd_ns_type == ND_NEIGHBOR_ADVERT && !n->known &&
		!memcmp(&f.nd.nd_ns_target, n->server, 16)) {
		memcpy(n->server_mac, f.eth.ether_shost, ETH_ALEN);
		n->known = true;
	}
	if (f.nd.nd_ns_type != ND_NEIGHBOR_SOLICIT ||
		!sources_address(n->sources, (const uint8_t *)&f.nd.nd_ns_target, &index))
		return 0;
	return nd_make(n, answer, ND_NEIGHBOR_ADVERT, ND_NA_FLAG_SOLICITED | ND_NA_FLAG_OVERRIDE,
		f.eth.ether_shost, (const uint8_t *)&f.nd.nd_ns_target,
		(const uint8_t *)&f.ip.ip6_src, (const uint8_t *)&f.nd.nd_ns_target);
}

uint16_t neighbour_ask(const struct neighbour *n, uint8_t frame[NEIGHBOUR_FRAME_MAX])
{
	// The solicited-node group of the address (RFC 4291 section 2.7.1), and its MAC.
	uint8_t group[16] = {0xff, 0x02, [11] = 1, [12] = 0xff}, mac[ETH_ALEN] = {0x33, 0x33, 0xff};

	if (n->sources->family == 4)
		return arp_make(n, frame, ARPOP_REQUEST, NULL, n->sources->first, n->server);
	memcpy(group + 13, n->server + 13, 3);
	memcpy(mac + 3, n->server + 13, 3);
	return nd_make(n, frame, ND_NEIGHBOR_SOLICIT, 0, mac, n->sources->first, group, n->server);
}

uint16_t neighbour_take(
	struct neighbour *n, const uint8_t *frame, size_t len, uint8_t answer[NEIGHBOUR_FRAME_MAX])
{
	uint16_t type;

	if (len < sizeof(struct ether_header))
		return 0;
	memcpy(&type, frame + offsetof(struct ether_header, ether_type), sizeof(type));
	if (type == htons(ETHERTYPE_ARP))
		return arp_take(n, frame, len, answer);
	return type == htons(ETHERTYPE_IPV6) ? nd_take(n, frame, len, answer) : 0;
}
