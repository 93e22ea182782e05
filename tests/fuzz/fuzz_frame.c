// SPDX-License-Identifier: BSD-3-Clause
// Frames for a port, told by the few compares of dp_frame_usual_classify() and by
// dp_frame_classify(): what is usual for the one is CoAP for the other, with the same lengths. The
// first byte of an input is what the driver says, the others are the frame. The mutator makes
// checksums right again, or hardly any frame would be CoAP.

#include "dataplane/port/frame_usual.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum says {
	SAYS_STRIPPED = 1,
	SAYS_UDP_GOOD = 2,
	SAYS_UDP_BAD = 4,
	SAYS_IP_GOOD = 8,
	SAYS_UDP_OFFLOAD = 16, // of the port
	SAYS_IP_OFFLOAD = 32,
};

// 192.0.2.1, 198.51.100.1, 2001:db8::1.
static const struct dp_port_addresses addresses = {
	.coap_port = 0x3316, // 5683 in network order
	.mac = {2, 0, 0, 0, 0, 1},
	.kernel_mac = {2, 0, 0, 0, 0, 1},
	.count = 3,
	.address = {{4, {192, 0, 2, 1}}, {4, {198, 51, 100, 1}},
		{6, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}}},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t says = len ? data[0] : 0;
	struct dp_port_addresses port = addresses;
	struct dp_frame_usual usual;
	struct dp_frame_info fast = {0}, slow = {0};
	enum dp_stat drop = DP_STAT_COUNT;

	if (!len || len > UINT16_MAX)
		return 0;
	len--;
	// A heap block of just this size, so that a sanitizer sees one byte too many.
	uint8_t *frame = malloc(len);
	struct rte_mbuf m = {
		.buf_addr = memcpy(frame, data + 1, len),
		.buf_len = (uint16_t)len,
		.data_len = (uint16_t)len,
		.pkt_len = (uint32_t)len,
		.nb_segs = 1,
		.vlan_tci = 0x2005,
		.ol_flags = (says & SAYS_STRIPPED ? RTE_MBUF_F_RX_VLAN_STRIPPED : 0) |
			(says & SAYS_UDP_GOOD ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : 0) |
			(says & SAYS_UDP_BAD ? RTE_MBUF_F_RX_L4_CKSUM_BAD : 0) |
			(says & SAYS_IP_GOOD ? RTE_MBUF_F_RX_IP_CKSUM_GOOD : 0),
	};
	struct rte_mbuf *mbuf = &m;

	port.ip_checksum_offload = says & SAYS_IP_OFFLOAD;
	port.udp_checksum_offload = says & SAYS_UDP_OFFLOAD;
	dp_frame_usual_init(&usual, &port);
	bool taken = dp_frame_usual_classify(&usual, &mbuf, 1, &fast);
	enum dp_frame_verdict verdict = dp_frame_classify(&m, &port, &slow, &drop);

	FUZZ_CHECK((verdict == DP_FRAME_DROP) == (drop != DP_STAT_COUNT));
	if (verdict == DP_FRAME_COAP) {
		FUZZ_CHECK((size_t)slow.coap_off + slow.coap_len <= len);
		// What is usual is taken: a checksum is there, and nothing between the headers.
		const uint8_t *sum = frame + slow.coap_off - 2;
		const bool plain =
			slow.l3_len == (slow.family == 4 ? 20 : 40) && (sum[0] || sum[1]);
		const bool wrong_but_good = says & SAYS_IP_GOOD && says & SAYS_IP_OFFLOAD;
		const bool far =
			slow.family == 4 || memcmp(frame + slow.l2_len + 8, "\0\0\0\0\0\0\0", 8);

		FUZZ_CHECK(taken || !plain || wrong_but_good || !far || len < 46);
	}
	if (taken) {
		FUZZ_CHECK(verdict == DP_FRAME_COAP);
		FUZZ_CHECK(fast.l2_len == slow.l2_len && fast.l3_len == slow.l3_len);
		FUZZ_CHECK(fast.coap_off == slow.coap_off && fast.coap_len == slow.coap_len);
		FUZZ_CHECK(fast.has_vlan == slow.has_vlan && fast.vlan_tci == slow.vlan_tci);
		FUZZ_CHECK(fast.family == slow.family);
	}
	free(frame);
	return 0;
}

// RFC 1071, a byte at a time: what is to be written for the sum to be right.
static void sum_write(uint8_t *at, uint32_t sum, const uint8_t *data, size_t len)
{
	at[0] = at[1] = 0;
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? data[i] : data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff ? ~sum : 0xffff;
	at[0] = (uint8_t)(sum >> 8);
	at[1] = (uint8_t)sum;
}

// Makes the checksums of a frame right, if it has the headers of one.
static void repair(uint8_t *frame, size_t len)
{
	size_t at = len > 18 && frame[12] == 0x81 && !frame[13] ? 18 : 14;
	const bool v4 = len > at && frame[at] >> 4 == 4;
	const size_t header = v4 ? (frame[at] & 15) * 4 : 40;
	uint8_t *ip = frame + at, *udp = ip + header;

	if (len < at + 40 || header < 20 || len < at + header + 8)
		return;
	if (v4)
		sum_write(ip + 10, 0, ip, header);
	size_t udp_len = (size_t)udp[4] << 8 | udp[5];

	if (udp_len < 8 || udp_len > len - at - header)
		return;
	uint32_t pseudo = 17 + (uint32_t)udp_len;

	for (size_t i = v4 ? 12 : 8; i < (v4 ? 20u : 40u); i++)
		pseudo += i % 2 ? ip[i] : ip[i] << 8;
	sum_write(udp + 6, pseudo, udp, udp_len);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed)
{
	len = LLVMFuzzerMutate(data, len, max);
	if (len && seed % 4)
		repair(data + 1, len - 1);
	return len;
}
