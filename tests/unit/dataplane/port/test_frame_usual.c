// SPDX-License-Identifier: BSD-3-Clause
// Usual frames, beside dp_frame_classify(): what is taken for usual is CoAP for us there too, with
// the same lengths, and what usual packets are is taken.

#include "dataplane/port/frame_usual.h"
#include "tests/unit/dataplane/port/framed.h"

#include <criterion/criterion.h>
#include <sodium.h>

// What each test compares in: an mbuf of its own, and how often what happened.
struct pair {
	struct frame f;
	struct dp_port_addresses port;
	struct dp_frame_usual usual;
	uint64_t ol_flags;
	uint16_t vlan_tci;
	unsigned taken; // as usual
	unsigned coap;  // in all
};

static struct pair pair_create(const struct dp_port_addresses *to)
{
	struct pair pair = {.f = {.guard = guard_create(PACKET_MAX)}, .port = *to};

	dp_frame_usual_init(&pair.usual, to);
	return pair;
}

static bool mbuf_is_usual(struct pair *pair, const char *what)
{
	struct dp_frame_info fast, slow;
	enum dp_stat drop = DP_STAT_COUNT;
	struct rte_mbuf *m = &pair->f.m;
	enum dp_frame_verdict verdict;

	memset(&fast, 0x55, sizeof(fast));
	memset(&slow, 0xaa, sizeof(slow));
	bool taken = dp_frame_usual_classify(&pair->usual, &m, 1, &fast);

	verdict = dp_frame_classify(m, &pair->port, &slow, &drop);
	pair->taken += taken;
	pair->coap += verdict == DP_FRAME_COAP;
	if (!taken)
		return false;
	cr_assert_eq(verdict, DP_FRAME_COAP, "%s: %s", what, verdict_name(verdict, drop));
	cr_assert_eq(fast.l2_len, slow.l2_len, "%s", what);
	cr_assert_eq(fast.l3_len, slow.l3_len, "%s", what);
	cr_assert_eq(fast.coap_off, slow.coap_off, "%s", what);
	cr_assert_eq(fast.coap_len, slow.coap_len, "%s", what);
	cr_assert_eq(fast.vlan_tci, slow.vlan_tci, "%s", what);
	cr_assert_eq(fast.family, slow.family, "%s", what);
	cr_assert_eq(fast.has_vlan, slow.has_vlan, "%s", what);
	return true;
}

static bool is_usual(struct pair *pair, const struct packet *p, const char *what)
{
	frame_fill(&pair->f, p->bytes, p->len);
	pair->f.m.ol_flags = pair->ol_flags;
	pair->f.m.vlan_tci = pair->vlan_tci;
	return mbuf_is_usual(pair, what);
}

// Makes the checksums right for the lengths that the headers say.
static void repair(struct packet *p)
{
	uint8_t *udp = p->bytes + p->udp;
	size_t len = RTE_MIN((size_t)(udp[4] << 8 | udp[5]), p->len - p->udp);
	uint16_t sum;

	if (p->bytes[p->ip] == 0x45)
		packet_ipv4_checksum(p);
	udp[6] = udp[7] = 0;
	// The pseudo header has the length of the UDP header.
	sum = packet_udp_verify(p->bytes + p->ip, udp, len);
	sum = sum ? sum : 0xffff;
	udp[6] = sum >> 8;
	udp[7] = sum & 0xff;
}

// Usual packets, and those of them that have their VLAN tag in the mbuf.
static const struct usual_row {
	struct packet_spec spec;
	bool stripped;
} rows[] = {
	{{.family = 4}, false},
	{{.family = 4, .dst = "198.51.100.1", .payload = "a payload of some more bytes"}, false},
	{{.family = 4, .vlan = TAGS(0x6064)}, false},
	{{.family = 4, .vlan = TAGS(0), .fragment = 0x4000}, false},
	{{.family = 4, .payload = "odder"}, true},
	{{.family = 6}, false},
	{{.family = 6, .src = "64:ff9b::9", .payload = "a payload of some more bytes"}, false},
	{{.family = 6, .src = "fe80::9", .vlan = TAGS(0xffff)}, false},
	{{.family = 6, .payload = "odder"}, true},
};

static void flags_of(struct pair *pair, const struct usual_row *row)
{
	pair->ol_flags = row->stripped ? RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED : 0;
	pair->vlan_tci = row->stripped ? 0x2005 : 0x7777;
}

static const uint64_t checksum_flags[] = {0, RTE_MBUF_F_RX_L4_CKSUM_GOOD,
	RTE_MBUF_F_RX_L4_CKSUM_BAD, RTE_MBUF_F_RX_L4_CKSUM_NONE,
	RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_IP_CKSUM_GOOD,
	RTE_MBUF_F_RX_IP_CKSUM_BAD | RTE_MBUF_F_RX_L4_CKSUM_GOOD};

Test(frame_usual, usual_packets_are_taken)
{
	struct pair pair = pair_create(&port);
	char text[1200];

	memset(text, 'x', sizeof(text));
	for (unsigned i = 0; i < COUNT(rows); i++) {
		struct packet_spec spec = rows[i].spec;
		struct packet p = packet_build(&spec);

		flags_of(&pair, &rows[i]);
		cr_expect(is_usual(&pair, &p, "as it is"), "row %u", i);
		// Every length from an Empty message on, and with padding behind it.
		for (unsigned len = 4; len < sizeof(text); len += len < 100 ? 1 : 97) {
			text[len] = '\0';
			spec.payload = text;
			p = packet_build(&spec);
			cr_expect(is_usual(&pair, &p, "longer"), "row %u, %u bytes", i, len);
			p.len += 7;
			cr_expect(is_usual(&pair, &p, "padded"), "row %u, %u bytes", i, len);
			text[len] = 'x';
		}
	}
	guard_free(&pair.f.guard);
}

// Options, extension headers, datagrams without checksum and the like are for the other way.
Test(frame_usual, corpus_agrees)
{
	struct pair pair = pair_create(&port);
	unsigned usual = 0;

	for (unsigned i = 0; i < COUNT(corpus); i++) {
		struct packet p = packet_build(&corpus[i]);

		usual += is_usual(&pair, &p, "of the corpus");
	}
	cr_expect_eq(pair.coap, COUNT(corpus));
	cr_expect_eq(usual, 4, "%u", usual);
	guard_free(&pair.f.guard);
}

// Every bit of the headers and of the payload's ends is changed, with the checksums of before and
// with right ones. Of what still is CoAP for us only the kernel's MAC and a datagram without
// checksum are not taken.
Test(frame_usual, every_bit_changed)
{
	for (unsigned offloads = 0; offloads < 4; offloads++) {
		struct dp_port_addresses to = port;

		to.ip_checksum_offload = offloads & 1;
		to.udp_checksum_offload = offloads & 2;
		// So that one bit makes another address of ours of the source.
		to.address[0].addr[3] = 9 ^ 1;
		memcpy(to.address[0].addr, (uint8_t[]){192, 0, 2}, 3);
		struct pair pair = pair_create(&to);

		for (unsigned i = 0; i < COUNT(rows); i++) {
			const struct packet p = packet_build(&rows[i].spec);

			if (rows[i].spec.dst)
				continue; // no address any more
			for (unsigned j = 0; j < COUNT(checksum_flags); j++) {
				flags_of(&pair, &rows[i]);
				pair.ol_flags |= checksum_flags[j];
				for (size_t bit = 0; bit < p.len * 8; bit++) {
					struct packet changed = p;

					changed.bytes[bit / 8] ^= 1 << bit % 8;
					is_usual(&pair, &changed, "a bit");
					repair(&changed);
					is_usual(&pair, &changed, "a bit, summed up again");
				}
			}
		}
		// Only bit 4 of the MAC makes the kernel's of it: twice a row and kind of flags. An
		// IP checksum that is wrong and called GOOD is looked at again by the other way.
		cr_expect_gt(pair.taken, 10000);
		unsigned kernel_mac = 2 * 8 * COUNT(checksum_flags);

		if (!(offloads & 1))
			cr_expect_eq(pair.coap - pair.taken, kernel_mac, "%u of %u",
				pair.coap - pair.taken, pair.coap);
		guard_free(&pair.f.guard);
	}
}

// All that the three lengths may say, with right checksums, and what a driver may cut off.
Test(frame_usual, every_length)
{
	struct pair pair = pair_create(&port);

	for (unsigned i = 0; i < COUNT(rows); i++) {
		const struct packet p = packet_build(&rows[i].spec);
		const bool v4 = rows[i].spec.family == 4;

		flags_of(&pair, &rows[i]);
		for (unsigned len = 0; len <= UINT16_MAX;
			len += len < 300 || len > 65300 ? 1 : 211) {
			struct packet changed = p;

			changed.bytes[p.udp + 4] = len >> 8;
			changed.bytes[p.udp + 5] = len & 0xff;
			repair(&changed);
			is_usual(&pair, &changed, "UDP length");
			changed = p;
			changed.bytes[p.ip + (v4 ? 2 : 4)] = len >> 8;
			changed.bytes[p.ip + (v4 ? 3 : 5)] = len & 0xff;
			repair(&changed);
			is_usual(&pair, &changed, "IP length");
		}
		for (size_t len = 0; len <= p.len; len++) {
			struct packet cut = p;

			cut.len = len;
			is_usual(&pair, &cut, "cut");
			if (len <= p.udp + 6)
				continue;
			// The same with lengths that fit.
			uint16_t udp_len = len - p.udp, ip_len = len - p.ip - (v4 ? 0 : 40);

			cut.bytes[p.udp + 4] = udp_len >> 8;
			cut.bytes[p.udp + 5] = udp_len & 0xff;
			cut.bytes[p.ip + (v4 ? 2 : 4)] = ip_len >> 8;
			cut.bytes[p.ip + (v4 ? 3 : 5)] = ip_len & 0xff;
			if (len >= p.udp + 8)
				repair(&cut);
			is_usual(&pair, &cut, "shorter");
		}
	}
	cr_expect_gt(pair.taken, 0);
	guard_free(&pair.f.guard);
}

Test(frame_usual, driver_fields_are_not_trusted)
{
	struct pair pair = pair_create(&port);
	struct rte_mbuf other = {.nb_segs = 1};
	const struct packet p = packet_build(&rows[0].spec);

	for (unsigned i = 0; i < 6; i++) {
		frame_fill(&pair.f, p.bytes, p.len);
		struct rte_mbuf *m = &pair.f.m;

		switch (i) {
		case 0:
			m->nb_segs = 2;
			break;
		case 1:
			m->next = &other;
			break;
		case 2:
			m->pkt_len++;
			break;
		case 3:
			m->pkt_len += 65536;
			break;
		case 4:
			m->data_len = ++m->pkt_len;
			break;
		case 5:
			m->data_len = m->pkt_len = 0;
			break;
		}
		cr_expect_not(mbuf_is_usual(&pair, "a field"), "%u", i);
	}
	guard_free(&pair.f.guard);
}

// Each address of a port counts, as many as it may have, and no source may be one of them.
Test(frame_usual, any_address_of_the_port)
{
	struct dp_port_addresses to = port;

	to.count = DP_PORT_ADDRESSES_MAX;
	for (unsigned i = 0; i < to.count; i++) {
		to.address[i].family = i % 2 ? 6 : 4;
		memcpy(to.address[i].addr,
			i % 2 ? (uint8_t[]){0x20, 1, 0xd, 0xb8} : (uint8_t[]){10, 9},
			i % 2 ? 4 : 2);
		memset(to.address[i].addr + (i % 2 ? 4 : 2), 0, 8);
		to.address[i].addr[i % 2 ? 15 : 3] = 1 + i / 2;
	}
	struct pair pair = pair_create(&to);

	for (unsigned family = 4; family <= 6; family += 2)
		for (unsigned from = 0; from < 10; from++)
			for (unsigned at = 0; at < 10; at++) {
				char src[40], dst[40];

				snprintf(src, sizeof(src),
					family == 4 ? "10.9.0.%u" : "2001:db8::%u", from);
				snprintf(dst, sizeof(dst),
					family == 4 ? "10.9.0.%u" : "2001:db8::%u", at);
				struct packet p = packet_build(&(struct packet_spec){
					.family = family, .src = src, .dst = dst});

				cr_expect_eq(is_usual(&pair, &p, "an address"),
					at >= 1 && at <= 8 && (from == 0 || from == 9), "%s to %s",
					src, dst);
			}
	cr_expect_eq(pair.taken, pair.coap);
	guard_free(&pair.f.guard);
}

Test(frame_usual, every_first_byte_of_a_source)
{
	struct pair pair = pair_create(&port);

	for (unsigned i = 0; i < COUNT(rows); i++)
		for (unsigned byte = 0; byte < 256; byte++) {
			struct packet p = packet_build(&rows[i].spec);
			const bool v4 = rows[i].spec.family == 4;

			flags_of(&pair, &rows[i]);
			p.bytes[p.ip + (v4 ? 12 : 8)] = byte;
			repair(&p);
			cr_expect_eq(is_usual(&pair, &p, "a source"),
				v4 ? byte && byte != 127 && byte < 224 : byte != 0xff, "row %u, %u",
				i, byte);
		}
	guard_free(&pair.f.guard);
}

// Groups are nobody's addresses, whatever a configuration says.
Test(frame_usual, a_port_whose_addresses_are_groups)
{
	struct dp_port_addresses to = port;

	to.address[1] = to.address[0];
	memcpy(to.address[0].addr, (uint8_t[]){224, 0, 1, 187}, 4);
	memcpy(to.address[2].addr, (uint8_t[16]){0xff, 2, [15] = 0xfd}, 16);
	struct pair pair = pair_create(&to);
	struct packet p = packet_build(&(struct packet_spec){.dst = "224.0.1.187"});

	cr_expect_not(is_usual(&pair, &p, "IPv4"));
	p = packet_build(&(struct packet_spec){.family = 6, .dst = "ff02::fd"});
	cr_expect_not(is_usual(&pair, &p, "IPv6"));
	guard_free(&pair.f.guard);

	to = port;
	to.mac[0] = 3;
	pair = pair_create(&to);
	p = packet_build(&(struct packet_spec){.dst_mac = "03:00:00:00:00:01"});
	cr_expect_not(is_usual(&pair, &p, "a group's MAC"));
	guard_free(&pair.f.guard);
}

// A whole burst at once: each packet's bit says what it would alone.
Test(frame_usual, a_burst_is_its_packets)
{
	static struct frame frames[DP_BURST];
	struct dp_frame_info info[DP_BURST];
	struct rte_mbuf *mbufs[DP_BURST];
	struct dp_frame_usual usual;
	uint64_t want = 0;

	dp_frame_usual_init(&usual, &port);
	for (unsigned i = 0; i < DP_BURST; i++) {
		const bool ours = randombytes_uniform(4);
		struct packet_spec spec = rows[randombytes_uniform(4)].spec;

		spec.dport = ours ? 5683 : 5684;
		struct packet p = packet_build(&spec);

		frames[i].guard = guard_create(PACKET_MAX);
		frame_fill(&frames[i], p.bytes, p.len);
		mbufs[i] = &frames[i].m;
		want |= (uint64_t)ours << i;
	}
	cr_expect_eq(dp_frame_usual_classify(&usual, mbufs, DP_BURST, info), want);
	cr_expect_eq(dp_frame_usual_classify(&usual, mbufs, 5, info), want & 31);
	cr_expect_eq(dp_frame_usual_classify(&usual, mbufs, 0, info), 0);
	for (unsigned i = 0; i < DP_BURST; i++)
		guard_free(&frames[i].guard);
}
