// SPDX-License-Identifier: BSD-3-Clause

#include "tests/fuzz/twins_frame.h"

#include "dataplane/port/frame.h"

#include <netinet/in.h>

static uint32_t below(uint32_t n)
{
	return (uint64_t)twins_random() * n >> 32;
}

static bool one_in(uint32_t n)
{
	return below(n) == 0;
}

static uint16_t load16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static void store16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value;
}

void twins_flow(struct dp_flow *flow, unsigned device, unsigned port)
{
	*flow = (struct dp_flow){
		.local_port = rte_cpu_to_be_16(COAP_PORT),
		.remote_port = rte_cpu_to_be_16(40000 + device % 20),
		.family = device % 4 == 3 ? 6 : 4,
		.has_vlan = device % 5 == 2,
		.vlan_tci = device % 5 == 2 ? 0x2005 : 0,
		.port_id = port,
		.local_mac = {2, 0, 0, 0, 0, 1},
		.remote_mac = {2, 0, 0, 0, 1, device},
	};
	if (flow->family == 4) {
		memcpy(flow->local_addr, twins_ipv4, 4);
		memcpy(flow->remote_addr, (const uint8_t[4]){10, 0, 1, device / 2}, 4);
	} else {
		memcpy(flow->local_addr, twins_ipv6, 16);
		memcpy(flow->remote_addr, twins_ipv6, 16);
		flow->remote_addr[14] = 1 + device / 2;
	}
}

// --- checksums -----------------------------------------------------------------------------------

static uint32_t sum(uint32_t start, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		start += load16(p + i);
	return len % 2 ? start + (p[len - 1] << 8) : start;
}

static uint16_t finish(uint32_t s)
{
	s = (s & 0xffff) + (s >> 16);
	return ~((s & 0xffff) + (s >> 16));
}

static unsigned l2_len(const struct twins_packet *packet)
{
	return load16(packet->data + 12) == 0x8100 ? 18 : 14;
}

// Makes the checksums right, as far as the lengths in the frame are possible.
static void checksums_mend(struct twins_packet *packet)
{
	unsigned at = l2_len(packet);
	uint8_t *ip = packet->data + at;
	bool ipv6 = load16(ip - 2) == 0x86dd;
	unsigned header = ipv6 ? 40 : (ip[0] & 0xf) * 4;
	uint8_t *udp = ip + header;
	unsigned udp_len = load16(udp + 4);

	if (header < 20 || udp_len < 8 || at + header + udp_len > TWINS_FRAME_MAX)
		return;
	if (!ipv6) {
		store16(ip + 10, 0);
		store16(ip + 10, finish(sum(0, ip, header)));
	}
	store16(udp + 6, 0);
	uint32_t s = sum(IPPROTO_UDP + udp_len, ipv6 ? ip + 8 : ip + 12, ipv6 ? 32 : 8);
	uint16_t checksum = finish(sum(s, udp, udp_len));

	store16(udp + 6, checksum ? checksum : 0xffff);
}

// --- frames --------------------------------------------------------------------------------------

// What devices and routers may set otherwise.
static void headers_vary(struct twins_packet *packet)
{
	uint8_t *ip = packet->data + l2_len(packet);

	if (load16(ip - 2) == 0x86dd) {
		ip[1] = below(256); // traffic class and flow label
		ip[2] = below(256);
		ip[7] = 1 + below(255);
		return;
	}
	if (one_in(4))
		ip[1] = below(256);
	store16(ip + 4, twins_random());
	ip[6] = one_in(2) ? 0x40 : 0;
	ip[8] = 1 + below(255);
	checksums_mend(packet);
	if (one_in(8))
		store16(ip + 26, 0); // no UDP checksum
}

static void driver_vary(struct twins_packet *packet)
{
	packet->nb_segs = 1;
	packet->refcnt = 1;
	packet->data_off = one_in(8) ? below(129) : RTE_PKTMBUF_HEADROOM;
	packet->pkt_len = packet->len;
	packet->packet_type = one_in(4) ? twins_random() : 0;
	packet->exact = one_in(5);
	if (one_in(16))
		packet->refcnt = 2;
	if (packet->port && !one_in(4))
		packet->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	else if (one_in(4))
		packet->ol_flags |= UINT64_C(1) << below(24) | UINT64_C(1) << below(24);
}

void twins_frame(
	struct twins_packet *packet, const struct dp_flow *flow, const uint8_t *coap, uint16_t len)
{
	struct dp_flow sender = *flow;
	struct rte_mbuf m = {.buf_addr = packet->data, .buf_len = TWINS_FRAME_MAX};
	bool stripped = flow->has_vlan && one_in(2);

	sender.has_vlan &= !stripped;
	memcpy(sender.local_addr, flow->remote_addr, 16);
	memcpy(sender.remote_addr, flow->local_addr, 16);
	memcpy(sender.local_mac, flow->remote_mac, 6);
	memcpy(sender.remote_mac, flow->local_mac, 6);
	sender.local_port = flow->remote_port;
	sender.remote_port = flow->local_port;
	memcpy(packet->data + dp_frame_overhead(&sender), coap, len);
	dp_frame_encapsulate(&m, &sender, len);
	packet->len = m.data_len;
	packet->ol_flags = stripped ? RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_VLAN : 0;
	packet->vlan_tci = stripped ? flow->vlan_tci : twins_random();
	if (one_in(2))
		headers_vary(packet);
	if (packet->len < 60 && one_in(2)) { // Ethernet pads
		memset(packet->data + packet->len, one_in(2) ? 0 : 0xee, 60 - packet->len);
		packet->len = 60;
	}
	driver_vary(packet);
}

// --- changes -------------------------------------------------------------------------------------

static void address_change(struct twins_packet *packet)
{
	static const uint8_t special[][4] = {{0, 0, 0, 0}, {127, 0, 0, 1}, {224, 0, 0, 1},
		{255, 255, 255, 255}, {192, 0, 2, 1}, {192, 0, 2, 2}, {240, 1, 1, 1}};
	uint8_t *ip = packet->data + l2_len(packet);
	bool destination = one_in(2);

	if (load16(ip - 2) == 0x86dd) {
		uint8_t *addr = ip + (destination ? 24 : 8);

		if (one_in(2))
			memset(addr, 0, 15);
		else
			addr[below(16)] = one_in(2) ? 0xff : below(256);
		return;
	}
	memcpy(ip + (destination ? 16 : 12), special[below(RTE_DIM(special))], 4);
}

// Puts bytes into the frame behind the IP header, which counts them.
static void ip_options_put(struct twins_packet *packet)
{
	unsigned at = l2_len(packet);
	uint8_t *ip = packet->data + at;
	bool ipv6 = load16(ip - 2) == 0x86dd;
	unsigned header = ipv6 ? 40 : 20, n = ipv6 ? 8 : 4 * (1 + below(4));

	if (packet->len + n > TWINS_FRAME_MAX || packet->len < at + header)
		return;
	memmove(ip + header + n, ip + header, packet->len - at - header);
	memset(ip + header, 1, n);
	if (ipv6) {
		static const uint8_t types[] = {
			IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT};

		memcpy(ip + header, (const uint8_t[8]){ip[6], 0, 1, 4}, 8);
		if (one_in(4))
			ip[header + below(8)] = below(256);
		ip[6] = types[below(RTE_DIM(types))];
		store16(ip + 4, load16(ip + 4) + n);
	} else {
		if (one_in(2))
			ip[header + below(n)] = below(256);
		ip[0] += n / 4;
		store16(ip + 2, load16(ip + 2) + n);
	}
	packet->len += n;
	packet->pkt_len = packet->len;
}

static void length_change(struct twins_packet *packet)
{
	uint8_t *ip = packet->data + l2_len(packet);
	bool ipv6 = load16(ip - 2) == 0x86dd;
	uint8_t *udp = ip + (ipv6 ? 40 : 20);
	uint8_t *const fields[] = {ip + (ipv6 ? 4 : 2), udp + 4};
	int by = one_in(2) ? 1 : 1 + below(12);

	if (one_in(2))
		by = -by;
	// Of one of them, or of both, as if the datagram was longer or shorter.
	switch (below(4)) {
	case 0:
		store16(fields[0], load16(fields[0]) + by);
		break;
	case 1:
		store16(fields[1], load16(fields[1]) + by);
		break;
	default:
		store16(fields[0], load16(fields[0]) + by);
		store16(fields[1], load16(fields[1]) + by);
		if (packet->len + by > 0 && packet->len + by < (int)TWINS_FRAME_MAX)
			packet->len += by;
		packet->pkt_len = packet->len;
		break;
	}
}

static void driver_change(struct twins_packet *packet)
{
	switch (below(8)) {
	case 0:
		packet->len = below(packet->len + 1);
		packet->pkt_len = packet->len;
		break;
	case 1:
		packet->pkt_len += one_in(2) ? 1 : -1;
		break;
	case 2:
		packet->nb_segs = below(4);
		break;
	case 3: // more than the driver has; of no pool that frames are sent from
		packet->exact = true;
		packet->buf_len = packet->data_off + below(packet->len + 1);
		break;
	case 4:
		packet->ol_flags = UINT64_C(1) << below(64) | UINT64_C(1) << below(24);
		break;
	case 5:
		packet->vlan_tci = twins_random();
		packet->ol_flags ^= RTE_MBUF_F_RX_VLAN_STRIPPED;
		break;
	case 6:
		packet->len = RTE_MIN(packet->len + (unsigned)below(20), TWINS_FRAME_MAX);
		packet->pkt_len = packet->len;
		break;
	default:
		packet->data_off = below(300);
		break;
	}
	// Flags of other lives of an mbuf: not of one that was received.
	packet->ol_flags &= ~(RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT);
}

void twins_frame_change(struct twins_packet *packet)
{
	unsigned at = l2_len(packet);
	bool was_sound = packet->len >= at + 28;

	switch (below(10)) {
	case 0: // a header
		packet->data[below(RTE_MIN(packet->len, 70u))] = below(256);
		break;
	case 1:
	case 2:
		packet->data[below(RTE_MIN(packet->len, 110u))] ^= 1 << below(8);
		break;
	case 3:
		address_change(packet);
		break;
	case 4:
		ip_options_put(packet);
		break;
	case 5:
		length_change(packet);
		break;
	case 6: // MACs: another station, a group, the kernel's
		if (one_in(3))
			memcpy(packet->data, twins_kernel_mac, 6);
		else
			packet->data[below(12)] ^= 1 << below(8);
		break;
	case 7: // fragments, and the first byte of CoAP
		packet->data[at + 6] = one_in(2) ? 0x20 : below(256);
		break;
	default:
		driver_change(packet);
		return;
	}
	if (was_sound && !one_in(3))
		checksums_mend(packet);
}

void twins_frame_noise(struct twins_packet *packet)
{
	static const uint16_t types[] = {0x0800, 0x86dd, 0x8100, 0x0806, 0x88cc};
	unsigned len = one_in(2) ? below(80) : below(400);

	for (unsigned i = 0; i < len; i++)
		packet->data[i] = one_in(4) ? 0 : twins_random();
	if (!one_in(8)) {
		memcpy(packet->data, twins_mac, 6);
		store16(packet->data + 12, types[below(RTE_DIM(types))]);
	}
	if (one_in(2)) {
		packet->data[14] = one_in(2) ? 0x45 : 0x60;
		store16(packet->data + 16, len > 14 ? len - 14 : 0);
		packet->data[23] = IPPROTO_UDP;
	}
	packet->len = len;
	driver_vary(packet);
	if (one_in(3))
		checksums_mend(packet);
}
