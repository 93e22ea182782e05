// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/dataplane/port/framed.h"

#include <string.h>

const struct dp_port_addresses port = {
	.coap_port = 0x3316, // 5683 in network order
	.mac = {2, 0, 0, 0, 0, 1},
	.kernel_mac = {2, 0, 0, 0, 0, 0x11},
	.count = 3,
	.address =
		{
			{4, {198, 51, 100, 1}},
			{4, {192, 0, 2, 1}},
			{6, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
		},
};

const struct packet_spec corpus[12] = {
	{.family = 4},
	{.family = 4, .vlan = TAGS(0x6064)},
	{.family = 4, .no_checksum = true, .payload = ""},
	{.family = 4, .headers = "94040000 01010100"},
	{.family = 4, .headers = V4_RECORD_ROUTE, .vlan = TAGS(1), .payload = "odd"},
	{.family = 6},
	{.family = 6, .vlan = TAGS(0xffff), .payload = ""},
	{.family = 6, .headers = V6_DST_PADN, .next = 60},
	{.family = 6, .headers = V6_HBH_DST_UDP, .next = PACKET_HOP_BY_HOP},
	{.family = 6, .headers = V6_ROUTE_DONE, .next = 43, .vlan = TAGS(2)},
	{.family = 6, .headers = V6_ATOMIC, .next = 44},
	{.family = 6, .headers = V6_EIGHT, .next = 60},
};

void frame_fill(struct frame *f, const uint8_t *bytes, size_t len)
{
	uint8_t *data = guard_take(&f->guard, len);

	memcpy(data, bytes, len);
	f->m = (struct rte_mbuf){
		.buf_addr = data,
		.buf_len = (uint16_t)len,
		.data_len = (uint16_t)len,
		.pkt_len = (uint32_t)len,
		.nb_segs = 1,
		.port = 7,
	};
}

enum dp_frame_verdict classify(
	struct frame *f, const struct packet *p, struct dp_frame_info *info, enum dp_stat *drop)
{
	frame_fill(f, p->bytes, p->len);
	*drop = DP_STAT_COUNT;
	return dp_frame_classify(&f->m, &port, info, drop);
}

const char *verdict_name(enum dp_frame_verdict verdict, enum dp_stat drop)
{
	if (verdict == DP_FRAME_DROP)
		return drop < DP_STAT_COUNT ? dp_stat_infos[drop].name : "drop without reason";
	return verdict == DP_FRAME_COAP ? "coap" : "kernel";
}
