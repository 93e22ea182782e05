// SPDX-License-Identifier: BSD-3-Clause
// The mbuf around a packet: what a driver says of it on the way in, and what we write on the way
// out.

#include "tests/unit/dataplane/port/framed.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <sodium.h>

static const char *classify_mbuf(const struct rte_mbuf *m, const struct dp_port_addresses *to)
{
	struct dp_frame_info info;
	enum dp_stat drop = DP_STAT_COUNT;
	enum dp_frame_verdict verdict = dp_frame_classify(m, to, &info, &drop);

	return verdict_name(verdict, drop);
}

Test(frame_mbuf, driver_fields_are_not_trusted)
{
	struct frame f = {.guard = guard_create(PACKET_MAX)};
	struct packet p = packet_build(&corpus[0]);
	struct rte_mbuf other = {.nb_segs = 1};

	frame_fill(&f, p.bytes, p.len);
	f.m.nb_segs = 2;
	cr_expect_str_eq(classify_mbuf(&f.m, &port), "drop_multi_segment");
	frame_fill(&f, p.bytes, p.len);
	f.m.next = &other;
	cr_expect_str_eq(classify_mbuf(&f.m, &port), "drop_multi_segment");
	frame_fill(&f, p.bytes, p.len);
	f.m.pkt_len++;
	cr_expect_str_eq(classify_mbuf(&f.m, &port), "drop_multi_segment");
	frame_fill(&f, p.bytes, p.len);
	f.m.data_len++;
	f.m.pkt_len++;
	cr_expect_str_eq(classify_mbuf(&f.m, &port), "drop_runt");
	frame_fill(&f, p.bytes, p.len);
	f.m.data_len = f.m.pkt_len = 0;
	cr_expect_str_eq(classify_mbuf(&f.m, &port), "drop_runt");
	guard_free(&f.guard);
}

// GOOD counts only for what the port was asked to check; BAD and UNKNOWN never count.
Test(frame_mbuf, checksum_flags)
{
	static const struct {
		uint64_t flags;
		bool ip_offload, udp_offload, udp_wrong;
		const char *want;
	} rows[] = {
		{RTE_MBUF_F_RX_L4_CKSUM_GOOD, false, false, true, "drop_udp_checksum"},
		{RTE_MBUF_F_RX_L4_CKSUM_GOOD, false, true, true, "coap"},
		{RTE_MBUF_F_RX_L4_CKSUM_BAD, false, true, true, "drop_udp_checksum"},
		{RTE_MBUF_F_RX_L4_CKSUM_BAD, false, true, false, "coap"},
		{RTE_MBUF_F_RX_L4_CKSUM_NONE, false, true, true, "drop_udp_checksum"},
		{0, false, true, true, "drop_udp_checksum"},
		{RTE_MBUF_F_RX_IP_CKSUM_GOOD, false, true, false, "drop_l3_checksum"},
		{RTE_MBUF_F_RX_IP_CKSUM_GOOD, true, true, false, "coap"},
		{RTE_MBUF_F_RX_IP_CKSUM_BAD, true, true, false, "drop_l3_checksum"},
		{RTE_MBUF_F_RX_IP_CKSUM_NONE, true, true, false, "drop_l3_checksum"},
	};
	struct frame f = {.guard = guard_create(PACKET_MAX)};

	for (unsigned i = 0; i < COUNT(rows); i++) {
		struct dp_port_addresses to = port;
		struct packet p = packet_build(&corpus[0]);

		to.ip_checksum_offload = rows[i].ip_offload;
		to.udp_checksum_offload = rows[i].udp_offload;
		if (rows[i].udp_wrong)
			p.bytes[p.payload] ^= 0x80;
		if (rows[i].flags & RTE_MBUF_F_RX_IP_CKSUM_MASK)
			p.bytes[p.ip + 11] ^= 1;
		frame_fill(&f, p.bytes, p.len);
		f.m.ol_flags = rows[i].flags;
		cr_expect_str_eq(classify_mbuf(&f.m, &to), rows[i].want, "row %u: %s", i,
			classify_mbuf(&f.m, &to));
	}
	guard_free(&f.guard);
}

// "Not there" is no wrong checksum that a driver may call good.
Test(frame_mbuf, ipv6_checksum_zero_is_wrong_even_if_called_good)
{
	struct frame f = {.guard = guard_create(PACKET_MAX)};
	struct packet p = packet_build(&(struct packet_spec){.family = 6, .no_checksum = true});
	struct dp_port_addresses to = port;

	to.udp_checksum_offload = true;
	frame_fill(&f, p.bytes, p.len);
	f.m.ol_flags = RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	cr_expect_str_eq(classify_mbuf(&f.m, &to), "drop_udp_checksum");
	guard_free(&f.guard);
}

Test(frame_mbuf, vlan_tag_in_the_mbuf)
{
	struct frame f = {.guard = guard_create(PACKET_MAX)};
	struct packet p = packet_build(&corpus[0]);
	struct dp_frame_info info;
	enum dp_stat drop;

	frame_fill(&f, p.bytes, p.len);
	f.m.ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	f.m.vlan_tci = 0x2005;
	cr_assert_eq(dp_frame_classify(&f.m, &port, &info, &drop), DP_FRAME_COAP);
	cr_assert(info.has_vlan);
	cr_assert_eq(info.vlan_tci, 0x2005);
	cr_assert_eq(info.l2_len, 14);

	// One in the mbuf and one in the frame are two.
	p = packet_build(&(struct packet_spec){.vlan = TAGS(6)});
	frame_fill(&f, p.bytes, p.len);
	f.m.ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	cr_expect_str_eq(classify_mbuf(&f.m, &port), "kernel");
	guard_free(&f.guard);
}

// An answer goes back where its request came from, in a packet that a receiver takes.
Test(frame_mbuf, encapsulate_round_trip)
{
	struct frame f = {.guard = guard_create(PACKET_MAX)};
	uint8_t out[PACKET_MAX];

	for (unsigned i = 0; i < COUNT(corpus); i++) {
		struct packet p = packet_build(&corpus[i]);
		struct dp_port_addresses device = {.coap_port = htons(40000), .count = 1};
		struct dp_frame_info info;
		struct dp_flow flow, back;
		enum dp_stat drop;

		cr_assert_eq(classify(&f, &p, &info, &drop), DP_FRAME_COAP);
		dp_frame_flow(&f.m, &info, &flow);
		memcpy(device.mac, flow.remote_mac, 6);
		device.address[0].family = flow.family;
		memcpy(device.address[0].addr, flow.remote_addr, 16);
		for (uint16_t len = 0; len < 1400; len += len < 70 ? 1 : 97) {
			const uint16_t overhead = dp_frame_overhead(&flow);
			const size_t ip = flow.has_vlan ? 18 : 14, udp = overhead - 8;
			uint8_t *data;

			randombytes_buf(out, overhead + len);
			frame_fill(&f, out, overhead + len);
			f.m.data_len = f.m.pkt_len = 1;
			dp_frame_encapsulate(&f.m, &flow, len);
			cr_assert(guard_intact(&f.guard));
			cr_assert_eq(f.m.data_len, overhead + len);
			cr_assert_eq(f.m.pkt_len, overhead + len);
			data = rte_pktmbuf_mtod(&f.m, uint8_t *);
			cr_assert_eq(packet_udp_verify(data + ip, data + udp, len + 8), 0);
			if (flow.family == 4) {
				static const uint8_t fixed[] = {0, 0, 0x40, 0, 64, 17};

				cr_assert_eq(packet_sum(0, data + ip, 20), 0);
				cr_assert_arr_eq(data + ip + 4, fixed, sizeof(fixed));
			} else {
				static const uint8_t fixed[] = {0x60, 0, 0, 0};

				cr_assert_arr_eq(data + ip, fixed, sizeof(fixed));
				cr_assert_eq(data[ip + 7], 64);
			}
			cr_assert_eq(dp_frame_classify(&f.m, &device, &info, &drop), DP_FRAME_COAP);
			cr_assert_eq(info.coap_off, overhead);
			cr_assert_eq(info.coap_len, len);
			cr_assert_arr_eq(data + overhead, out + overhead, len);

			dp_frame_flow(&f.m, &info, &back);
			cr_assert_arr_eq(back.local_addr, flow.remote_addr, 16);
			cr_assert_arr_eq(back.remote_addr, flow.local_addr, 16);
			cr_assert_arr_eq(back.local_mac, flow.remote_mac, 6);
			cr_assert_arr_eq(back.remote_mac, flow.local_mac, 6);
			cr_assert_eq(back.local_port, flow.remote_port);
			cr_assert_eq(back.remote_port, flow.local_port);
			cr_assert_eq(back.has_vlan, flow.has_vlan);
			cr_assert_eq(back.vlan_tci, flow.vlan_tci);
		}
	}
	guard_free(&f.guard);
}

// Fills f with a packet behind so many bytes of headroom.
static void fill_behind(struct frame *f, const struct packet *p, uint16_t headroom)
{
	uint8_t bytes[PACKET_MAX] = {0};

	memcpy(bytes + headroom, p->bytes, p->len);
	frame_fill(f, bytes, headroom + p->len);
	f->m.data_off = headroom;
	f->m.data_len = f->m.pkt_len = p->len;
	rte_mbuf_refcnt_set(&f->m, 1);
}

// The same in another buffer, and nothing happens to the request's.
static void expect_copy(const struct rte_mbuf *request, const struct dp_frame_info *info,
	uint16_t len, const struct rte_mbuf *want)
{
	struct frame copy = {.guard = guard_create(PACKET_MAX)};
	uint8_t room[PACKET_MAX] = {0}, before[PACKET_MAX];
	const struct rte_mbuf mbuf = *request;

	memcpy(before, rte_pktmbuf_mtod(request, uint8_t *), request->data_len);
	frame_fill(&copy, room, want->data_len);
	copy.m.data_len = copy.m.pkt_len = 0;
	dp_frame_return_copy(&copy.m, request, info, len);
	cr_assert_eq(copy.m.data_len, want->data_len);
	cr_assert_eq(copy.m.pkt_len, want->pkt_len);
	cr_assert_eq(copy.m.ol_flags, 0);
	cr_assert_arr_eq(rte_pktmbuf_mtod(&copy.m, uint8_t *), rte_pktmbuf_mtod(want, uint8_t *),
		want->data_len, "%u bytes", len);
	cr_assert_arr_eq(rte_pktmbuf_mtod(request, uint8_t *), before, request->data_len);
	cr_assert(!memcmp(request, &mbuf, sizeof(mbuf)));
	cr_assert(guard_intact(&copy.guard));
	guard_free(&copy.guard);
}

// What dp_frame_return() makes of a request is what dp_frame_encapsulate() writes for its flow.
Test(frame_mbuf, a_request_becomes_the_frame_of_its_answer)
{
	static const char payload[] = "a reading of a device, with room for any answer to it..";
	struct frame f = {.guard = guard_create(PACKET_MAX)};
	struct frame g = {.guard = guard_create(PACKET_MAX)};

	for (unsigned row = 0; row < 6; row++) {
		bool stripped = row % 3 == 2;
		const struct packet_spec spec = {.family = row < 3 ? 4 : 6,
			.vlan = row % 3 == 1 ? TAGS(0xb064) : NULL,
			.payload = payload};
		struct packet p = packet_build(&spec);

		for (uint16_t len = 8; len < sizeof(payload); len++) {
			struct dp_frame_info info;
			struct dp_flow flow;
			enum dp_stat drop;
			uint8_t room[PACKET_MAX] = {0};

			fill_behind(&f, &p, stripped ? 4 : 0);
			f.m.ol_flags = stripped ? RTE_MBUF_F_RX_VLAN_STRIPPED : 0;
			f.m.vlan_tci = 0x2005;
			cr_assert_eq(dp_frame_classify(&f.m, &port, &info, &drop), DP_FRAME_COAP);
			cr_assert(dp_frame_can_return(&f.m, &info));
			uint8_t *coap = rte_pktmbuf_mtod_offset(&f.m, uint8_t *, info.coap_off);

			randombytes_buf(coap, len);
			dp_frame_flow(&f.m, &info, &flow);
			frame_fill(&g, room, dp_frame_overhead(&flow) + len);
			memcpy(rte_pktmbuf_mtod_offset(&g.m, uint8_t *, dp_frame_overhead(&flow)),
				coap, len);
			dp_frame_encapsulate(&g.m, &flow, len);
			expect_copy(&f.m, &info, len, &g.m);
			dp_frame_return(&f.m, &info, len);
			cr_assert_eq(f.m.data_len, g.m.data_len, "row %u, %u bytes", row, len);
			cr_assert_eq(f.m.pkt_len, g.m.pkt_len);
			cr_assert_eq(f.m.ol_flags, 0);
			cr_assert_arr_eq(rte_pktmbuf_mtod(&f.m, uint8_t *),
				rte_pktmbuf_mtod(&g.m, uint8_t *), g.m.data_len, "row %u, %u bytes",
				row, len);
			cr_assert(guard_intact(&f.guard));
		}
	}
	guard_free(&f.guard);
	guard_free(&g.guard);
}

Test(frame_mbuf, not_every_request_can_become_the_frame_of_its_answer)
{
	struct frame f = {.guard = guard_create(PACKET_MAX)};

	for (unsigned i = 0; i < COUNT(corpus); i++) {
		struct packet p = packet_build(&corpus[i]);
		struct dp_frame_info info;
		enum dp_stat drop;

		fill_behind(&f, &p, 3);
		cr_assert_eq(dp_frame_classify(&f.m, &port, &info, &drop), DP_FRAME_COAP);
		cr_expect_eq(dp_frame_can_return(&f.m, &info), !corpus[i].headers);
		f.m.ol_flags = RTE_MBUF_F_RX_VLAN_STRIPPED;
		cr_expect_not(dp_frame_can_return(&f.m, &info), "no room for the tag");
		f.m.ol_flags = 0;
		rte_mbuf_refcnt_set(&f.m, 2);
		cr_expect_not(dp_frame_can_return(&f.m, &info), "another holder");
		rte_mbuf_refcnt_set(&f.m, 1);
		f.m.ol_flags = RTE_MBUF_F_EXTERNAL;
		cr_expect_not(dp_frame_can_return(&f.m, &info), "not in a buffer of its own");
	}
	guard_free(&f.guard);
}

// RFC 768: a checksum that comes out as 0 is sent as all ones. One payload in 65 535 does it.
Test(frame_mbuf, checksum_zero_is_sent_as_ones)
{
	struct frame f = {.guard = guard_create(PACKET_MAX)};

	for (uint8_t family = 4; family <= 6; family += 2) {
		struct dp_flow flow = {
			.family = family,
			.local_addr = {192, 0, 2, 1},
			.remote_addr = {192, 0, 2, 9},
			.local_port = htons(5683),
			.remote_port = htons(40000),
		};
		unsigned ones = 0;

		for (unsigned value = 0; value <= UINT16_MAX; value++) {
			uint8_t out[64] = {0};
			const uint8_t *checksum;

			out[dp_frame_overhead(&flow)] = value >> 8;
			out[dp_frame_overhead(&flow) + 1] = value & 0xff;
			frame_fill(&f, out, dp_frame_overhead(&flow) + 2);
			dp_frame_encapsulate(&f.m, &flow, 2);
			checksum = rte_pktmbuf_mtod_offset(
				&f.m, uint8_t *, dp_frame_overhead(&flow) - 2);
			cr_assert(checksum[0] || checksum[1]);
			ones += checksum[0] == 0xff && checksum[1] == 0xff;
		}
		cr_assert(ones == 1 || ones == 2, "%u of IPv%u", ones, family);
	}
	guard_free(&f.guard);
}
