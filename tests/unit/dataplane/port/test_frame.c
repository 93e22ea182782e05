// SPDX-License-Identifier: BSD-3-Clause
// What becomes of a packet: CoAP for us, the kernel's, or dropped, and in which counter.

#include "tests/unit/dataplane/port/framed.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>

static void expect(const char *rule, const struct packet *p, const char *want)
{
	struct frame f = {.guard = guard_create(PACKET_MAX)};
	struct dp_frame_info info;
	enum dp_stat drop;
	enum dp_frame_verdict verdict = classify(&f, p, &info, &drop);

	cr_expect_str_eq(verdict_name(verdict, drop), want, "%s: %s, expected %s", rule,
		verdict_name(verdict, drop), want);
	guard_free(&f.guard);
}

// What becomes of packets that are right in themselves.
static const struct {
	const char *rule;
	struct packet_spec spec;
	const char *want;
} cases[] = {
	{"our second MAC is ours too", {.dst_mac = "02:00:00:00:00:11"}, "coap"},
	{"a unicast frame for another station", {.dst_mac = "02:00:00:00:00:12"}, "drop_other_mac"},
	{"two VLAN tags", {.vlan = TAGS(5, 6)}, "kernel"},
	{"another address, IPv4", {.dst = "192.0.2.7"}, "kernel"},
	{"another address, IPv6", {.family = 6, .dst = "2001:db8::7"}, "kernel"},
	{"another port, IPv4", {.dport = 5684}, "kernel"},
	{"another port, IPv6", {.family = 6, .dport = 53}, "kernel"},
	{"TCP", {.next = 6}, "kernel"},
	{"ICMP", {.next = 1}, "kernel"},
	{"ICMPv6", {.family = 6, .next = 58}, "kernel"},
	{"no next header", {.family = 6, .next = 59}, "kernel"},
	{"ESP", {.family = 6, .next = 50}, "kernel"},

	// RFC 768: 0 is "no checksum" in IPv4; RFC 8200 section 8.1: never in IPv6.
	{"UDP without checksum, IPv4", {.no_checksum = true}, "coap"},
	{"UDP without checksum, IPv6", {.family = 6, .no_checksum = true}, "drop_udp_checksum"},

	// RFC 791 section 3.1: a source route may mean that we are not the last stop.
	{"loose source route", {.headers = "830704 c0000201 00"}, "kernel"},
	{"strict source route", {.headers = "01890704 c0000201"}, "kernel"},
	{"IPv4 option longer than the header", {.headers = "94080000"}, "kernel"},
	{"IPv4 option without length", {.headers = "01010194"}, "kernel"},
	{"IPv4 option of length 1", {.headers = "94010000"}, "kernel"},
	{"end of options hides what follows", {.headers = "00830704"}, "coap"},

	// RFC 8200 sections 4.2 to 4.4.
	{"option that must be understood",
		{.family = 6, .next = 60, .headers = "1100 4204 00000000"}, "kernel"},
	{"option that overruns its header",
		{.family = 6, .next = 60, .headers = "1100 0105 00000000", .sport = 0x9c00},
		"kernel"},
	{"option without length", {.family = 6, .next = 60, .headers = "1100 0000 00000001"},
		"kernel"},
	{"hop-by-hop behind another",
		{.family = 6, .next = 60, .headers = "0000 0104 00000000 1100 0104 00000000"},
		"kernel"},
	{"segments left",
		{.family = 6,
			.next = 43,
			.headers = "1102 0401 00000000 20010db8000000000000000000000077"},
		"kernel"},
	{"nine extension headers",
		{.family = 6, .next = 60, .headers = "3c00010400000000" V6_EIGHT}, "kernel"},

	// Nothing here reassembles.
	{"first fragment, IPv4", {.fragment = 0x2000}, "drop_fragment"},
	{"later fragment, IPv4", {.fragment = 0x2010}, "drop_fragment"},
	{"last fragment, IPv4", {.fragment = 0x0010}, "drop_fragment"},
	{"fragment of TCP", {.fragment = 0x2000, .next = 6}, "kernel"},
	{"fragment to another address", {.fragment = 0x2000, .dst = "192.0.2.7"}, "kernel"},
	{"don't fragment is no fragment", {.fragment = 0x4000}, "coap"},
	{"first fragment, IPv6", {.family = 6, .next = 44, .headers = "1100 0001 00000001"},
		"drop_fragment"},
	{"last fragment, IPv6", {.family = 6, .next = 44, .headers = "1100 0010 00000001"},
		"drop_fragment"},
	{"fragment of ICMPv6", {.family = 6, .next = 44, .headers = "3a00 0001 00000001"},
		"kernel"},
	{"whole packet with fragment header (RFC 6946)",
		{.family = 6, .next = 44, .headers = V6_ATOMIC}, "coap"},

	// RFC 7252 section 8: no answer to multicast. All else sent to groups is the kernel's.
	{"all CoAP nodes, IPv4", {.dst = "224.0.1.187", .dst_mac = "01:00:5e:00:01:bb"},
		"drop_multicast"},
	{"all CoAP nodes, IPv6", {.family = 6, .dst = "ff02::fd", .dst_mac = "33:33:00:00:00:fd"},
		"drop_multicast"},
	{"multicast address in a unicast frame", {.dst = "224.0.1.187"}, "drop_multicast"},
	{"limited broadcast", {.dst = "255.255.255.255", .dst_mac = "ff:ff:ff:ff:ff:ff"},
		"drop_multicast"},
	{"broadcast of a subnet", {.dst = "192.0.2.255", .dst_mac = "ff:ff:ff:ff:ff:ff"},
		"drop_multicast"},
	{"our address in a broadcast frame", {.dst_mac = "ff:ff:ff:ff:ff:ff"}, "drop_multicast"},
	{"mDNS", {.dst = "224.0.0.251", .dst_mac = "01:00:5e:00:00:fb", .dport = 5353}, "kernel"},
	{"neighbour solicitation",
		{.family = 6, .next = 58, .dst = "ff02::1:ff00:1", .dst_mac = "33:33:ff:00:00:01"},
		"kernel"},

	// An answer must have somewhere to go, and must not go to ourselves.
	{"source port 0", {.sport_zero = true}, "drop_source"},
	{"source 0.0.0.0", {.src = "0.0.0.0"}, "drop_source"},
	{"source 127.0.0.1", {.src = "127.0.0.1"}, "drop_source"},
	{"source multicast, IPv4", {.src = "224.0.0.1"}, "drop_source"},
	{"source broadcast", {.src = "255.255.255.255"}, "drop_source"},
	{"source of class E", {.src = "240.0.0.1"}, "drop_source"},
	{"source is the destination", {.src = "192.0.2.1"}, "drop_source"},
	{"source is another address of ours", {.src = "198.51.100.1"}, "drop_source"},
	{"source ::", {.family = 6, .src = "::"}, "drop_source"},
	{"source ::1", {.family = 6, .src = "::1"}, "drop_source"},
	{"source IPv4-compatible", {.family = 6, .src = "::192.0.2.9"}, "drop_source"},
	{"source with much zero", {.family = 6, .src = "64:ff9b::9"}, "coap"},
	{"source IPv4-mapped", {.family = 6, .src = "::ffff:192.0.2.9"}, "drop_source"},
	{"source multicast, IPv6", {.family = 6, .src = "ff02::1"}, "drop_source"},
	{"source is ours, IPv6", {.family = 6, .src = "2001:db8::1"}, "drop_source"},
	{"source link-local", {.family = 6, .src = "fe80::9"}, "coap"},
	{"source MAC is a group", {.src_mac = "03:00:00:00:00:02"}, "drop_source"},
};

Test(frame, verdicts)
{
	for (unsigned i = 0; i < COUNT(cases); i++) {
		struct packet p = packet_build(&cases[i].spec);

		expect(cases[i].rule, &p, cases[i].want);
	}
}

Test(frame, corpus_is_coap_with_its_offsets)
{
	struct frame f = {.guard = guard_create(PACKET_MAX)};

	for (unsigned i = 0; i < COUNT(corpus); i++) {
		struct packet p = packet_build(&corpus[i]);
		struct dp_frame_info info;
		struct dp_flow flow;
		enum dp_stat drop;

		cr_assert_eq(classify(&f, &p, &info, &drop), DP_FRAME_COAP, "packet %u", i);
		cr_assert_eq(info.l2_len, p.ip);
		cr_assert_eq(info.l3_len, p.udp - p.ip);
		cr_assert_eq(info.coap_off, p.payload);
		cr_assert_eq(info.coap_len, p.len - p.payload);
		cr_assert_eq(info.family, corpus[i].family);
		cr_assert_eq(info.has_vlan, !!corpus[i].vlan);
		cr_assert_eq(info.vlan_tci, corpus[i].vlan ? corpus[i].vlan[0] : 0);

		dp_frame_flow(&f.m, &info, &flow);
		cr_assert_arr_eq(flow.local_mac, p.bytes, 6);
		cr_assert_arr_eq(flow.remote_mac, p.bytes + 6, 6);
		cr_assert_eq(flow.port_id, 7);
		cr_assert_eq(flow.family, info.family);
		cr_assert_eq(flow.has_vlan, info.has_vlan);
		cr_assert_eq(flow.vlan_tci, info.vlan_tci);
		cr_assert_eq(flow.remote_port, htons(40000));
		cr_assert_eq(flow.local_port, htons(5683));
		if (info.family == 4) {
			static const uint8_t local[16] = {192, 0, 2, 1},
					     remote[16] = {192, 0, 2, 9};

			cr_assert_arr_eq(flow.local_addr, local, 16);
			cr_assert_arr_eq(flow.remote_addr, remote, 16);
		} else {
			cr_assert_arr_eq(flow.local_addr, p.bytes + p.ip + 24, 16);
			cr_assert_arr_eq(flow.remote_addr, p.bytes + p.ip + 8, 16);
		}
	}
	guard_free(&f.guard);
}

// A packet that was cut anywhere is dropped as a runt, and never read beyond its end.
Test(frame, truncation_at_every_byte)
{
	struct frame f = {.guard = guard_create(PACKET_MAX)};

	for (unsigned i = 0; i < COUNT(corpus); i++) {
		struct packet p = packet_build(&corpus[i]);

		for (p.len--; p.len; p.len--) {
			struct dp_frame_info info;
			enum dp_stat drop;
			enum dp_frame_verdict verdict = classify(&f, &p, &info, &drop);

			cr_assert_str_eq(verdict_name(verdict, drop), "drop_runt",
				"packet %u cut to %zu: %s", i, p.len, verdict_name(verdict, drop));
		}
	}
	guard_free(&f.guard);
}

// Padding of short Ethernet frames is no part of the packet.
Test(frame, padding_is_ignored)
{
	struct frame f = {.guard = guard_create(PACKET_MAX)};

	for (unsigned i = 0; i < COUNT(corpus); i++) {
		struct packet p = packet_build(&corpus[i]);
		struct dp_frame_info info;
		enum dp_stat drop;

		memset(p.bytes + p.len, 0xa5, 18);
		p.len += 18;
		cr_assert_eq(classify(&f, &p, &info, &drop), DP_FRAME_COAP, "packet %u", i);
		cr_assert_eq(info.coap_len, p.len - 18 - p.payload);
	}
	guard_free(&f.guard);
}

// The checksums cover addresses, ports and payload: no single wrong bit there gets through.
Test(frame, no_wrong_bit_passes_the_checksums)
{
	struct frame f = {.guard = guard_create(PACKET_MAX)};

	for (unsigned i = 0; i < COUNT(corpus); i++) {
		struct packet p = packet_build(&corpus[i]);
		const size_t addresses = p.ip + (corpus[i].family == 4 ? 12 : 8);
		const size_t addresses_end = p.ip + (corpus[i].family == 4 ? 20 : 40);

		if (corpus[i].no_checksum)
			continue;
		for (size_t bit = 0; bit < 8 * p.len; bit++) {
			const size_t at = bit / 8;
			struct dp_frame_info info;
			enum dp_stat drop;

			if (!(at >= p.udp || (at >= addresses && at < addresses_end)))
				continue;
			p.bytes[at] ^= 1 << bit % 8;
			cr_assert_neq(classify(&f, &p, &info, &drop), DP_FRAME_COAP,
				"packet %u, byte %zu", i, at);
			p.bytes[at] ^= 1 << bit % 8;
		}
	}
	guard_free(&f.guard);
}

// Whatever the bytes are: nothing is read outside the frame, and what is called CoAP lies in it.
Test(frame, random_changes_stay_inside)
{
	struct frame f = {.guard = guard_create(PACKET_MAX)};
	static const uint8_t seed[randombytes_SEEDBYTES] = {42};
	uint8_t random[4096];
	unsigned accepted = 0;

	for (unsigned round = 0; round < 200000; round++) {
		const uint8_t *r = random + round % 256 * 16;
		struct dp_frame_info info;
		enum dp_stat drop;
		struct packet p;

		if (round % 256 == 0) {
			uint8_t s[sizeof(seed)];

			memcpy(s, seed, sizeof(s));
			memcpy(s + 1, &round, sizeof(round));
			randombytes_buf_deterministic(random, sizeof(random), s);
		}
		p = packet_build(&corpus[r[0] % COUNT(corpus)]);
		for (unsigned i = 0; i < 1u + r[1] % 3; i++)
			p.bytes[12 + (r[2 + 2 * i] % (p.len - 12))] = r[3 + 2 * i];
		if (r[8] & 1)
			p.len = r[9] % (p.len + 1);
		// The driver's own fields may be wrong as well.
		frame_fill(&f, p.bytes, p.len);
		if (!(r[10] & 7))
			f.m.ol_flags = RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
		if (dp_frame_classify(&f.m, &port, &info, &drop) != DP_FRAME_COAP)
			continue;
		accepted++;
		cr_assert_leq((size_t)info.coap_off + info.coap_len, p.len);
		cr_assert_eq(info.coap_off, info.l2_len + info.l3_len + 8);
	}
	cr_assert_gt(accepted, 1000);
	guard_free(&f.guard);
}

// Changes of one field, with all checksums right.
static void change_ip_version(struct packet *p)
{
	p->bytes[p->ip] ^= 0x10;
	packet_ipv4_checksum(p);
}

static void change_ihl_short(struct packet *p)
{
	p->bytes[p->ip] = 0x44;
	packet_ipv4_checksum(p);
}

static void change_ipv4_total_below_header(struct packet *p)
{
	p->bytes[p->ip + 3] = 19;
	packet_ipv4_checksum(p);
}

static void change_ipv4_total_without_udp(struct packet *p)
{
	p->bytes[p->ip + 3] = 27;
	packet_ipv4_checksum(p);
}

static void change_ipv4_total_above_frame(struct packet *p)
{
	p->bytes[p->ip + 3]++;
	packet_ipv4_checksum(p);
}

static void change_ipv4_checksum(struct packet *p)
{
	p->bytes[p->ip + 11] ^= 1;
}

static void change_ipv6_version(struct packet *p)
{
	p->bytes[p->ip] ^= 0x20;
}

static void change_ipv6_length(struct packet *p)
{
	p->bytes[p->ip + 5]++;
}

static void change_udp_length_long(struct packet *p)
{
	p->bytes[p->udp + 5]++;
}

static void change_udp_length_zero(struct packet *p)
{
	p->bytes[p->udp + 5] = 0;
}

static void change_udp_length_seven(struct packet *p)
{
	p->bytes[p->udp + 5] = 7;
}

static void change_payload(struct packet *p)
{
	p->bytes[p->payload] ^= 0x80;
}

static void change_ethertype_arp(struct packet *p)
{
	p->bytes[p->ip - 1] = 0x06;
}

static void change_ethertype_length(struct packet *p)
{
	p->bytes[p->ip - 2] = 0;
	p->bytes[p->ip - 1] = 0x2e;
}

static void change_service_tag(struct packet *p)
{
	p->bytes[12] = 0x88;
	p->bytes[13] = 0xa8;
}

static const struct {
	const char *rule;
	struct packet_spec spec;
	void (*change)(struct packet *packet);
	const char *want;
} changes[] = {
	{"IPv4 EtherType, another version", {.family = 4}, change_ip_version, "drop_ip_header"},
	{"IPv4 header shorter than 20", {.family = 4}, change_ihl_short, "drop_ip_header"},
	{"IPv4 total below header", {.family = 4}, change_ipv4_total_below_header,
		"drop_ip_header"},
	{"IPv4 total cuts UDP", {.family = 4}, change_ipv4_total_without_udp, "drop_runt"},
	{"IPv4 total above frame", {.family = 4}, change_ipv4_total_above_frame, "drop_runt"},
	{"IPv4 checksum", {.family = 4}, change_ipv4_checksum, "drop_l3_checksum"},
	{"IPv4 checksum with options", {.family = 4, .headers = "94040000"}, change_ipv4_checksum,
		"drop_l3_checksum"},
	{"IPv6 EtherType, another version", {.family = 6}, change_ipv6_version, "drop_ip_header"},
	{"IPv6 length above frame", {.family = 6}, change_ipv6_length, "drop_runt"},
	{"UDP length above packet", {.family = 4}, change_udp_length_long, "drop_udp_length"},
	{"UDP length above packet, IPv6", {.family = 6}, change_udp_length_long, "drop_udp_length"},
	{"UDP length 0 is for jumbograms", {.family = 6}, change_udp_length_zero,
		"drop_udp_length"},
	{"UDP length below header", {.family = 4}, change_udp_length_seven, "drop_udp_length"},
	{"UDP checksum", {.family = 4}, change_payload, "drop_udp_checksum"},
	{"UDP checksum, IPv6", {.family = 6}, change_payload, "drop_udp_checksum"},
	{"ARP", {.family = 4}, change_ethertype_arp, "kernel"},
	{"802.3 length", {.family = 4}, change_ethertype_length, "kernel"},
	{"service tag", {.family = 4, .vlan = TAGS(5)}, change_service_tag, "kernel"},
};

Test(frame, changed_fields)
{
	for (unsigned i = 0; i < COUNT(changes); i++) {
		struct packet p = packet_build(&changes[i].spec);

		changes[i].change(&p);
		expect(changes[i].rule, &p, changes[i].want);
	}
}

// RFC 768: the length counts, not what the IP packet has behind it.
Test(frame, udp_length_below_the_packet_cuts)
{
	struct frame f = {.guard = guard_create(PACKET_MAX)};
	struct packet p = packet_build(&(struct packet_spec){.payload = "coapsurplus"});
	struct dp_frame_info info;
	enum dp_stat drop;

	p.bytes[p.udp + 5] -= 7;
	p.len -= 7;
	packet_udp_checksum(&p);
	p.len += 7;
	cr_assert_eq(classify(&f, &p, &info, &drop), DP_FRAME_COAP);
	cr_assert_eq(info.coap_len, 4);
	guard_free(&f.guard);
}
