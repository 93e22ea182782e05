// SPDX-License-Identifier: BSD-3-Clause
// The XDP program of an AF_XDP port: UDP to the CoAP port of the port's addresses goes to the
// socket of the queue it came by, all else to the kernel as if there were no gateway. So ARP,
// neighbour discovery, ping and ssh work, the addresses are the netdev's own, and other addresses
// of the netdev may have a CoAP server of their own.
//
// What the kernel must decide goes to it too: fragments, groups, IPv6 with extension headers.
//
// The kernel takes it from a daemon without CAP_PERFMON, which its unit does not give: so pointers
// move by constants alone, never by what a packet says, and nothing is repeated.

// Not sorted: the helpers need the types.
// clang-format off
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
// clang-format on
#include "dataplane/port/xdp/address.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define PROTO_UDP      17
#define QUEUES_MAX     128
#define ADDRESSES_MAX  64 // more than twice a port's: new ones come before old ones go

// net_af_xdp looks for a map of this name and puts the socket of queue q into slot q.
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, QUEUES_MAX);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

// The port's addresses; xdp.c fills it.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ADDRESSES_MAX);
	__type(key, struct dp_xdp_address);
	__type(value, __u8);
} addresses SEC(".maps");

// xdp.c finds the mark in the program's bytes and writes the port behind it.
const volatile struct {
	char mark[14];
	__u16 port; // network order
} steer_port = {.mark = "postern steer"};

// Keeps the compiler from making a pointer of a variable out of what is said here in constants.
#define OPAQUE(value) __asm__ volatile("" : "+r"(value))

// Headers lie at even addresses, not at multiples of 4.
#define HEADER __attribute__((packed, aligned(2)))

struct ipv4 {
	__u8 version_ihl;
	__u8 tos;
	__u16 len;
	__u16 id;
	__u16 fragment;
	__u8 ttl;
	__u8 proto;
	__u16 checksum;
	__u32 src, dst;
} HEADER;

struct ipv6 {
	__u32 flow;
	__u16 len;
	__u8 next;
	__u8 hop_limit;
	__u8 src[16], dst[16];
} HEADER;

struct udp {
	__u16 src, dst, len, checksum;
} HEADER;

SEC("xdp") int postern_steer(struct xdp_md *ctx)
{
	const __u8 *p = (const __u8 *)(long)ctx->data, *end = (const __u8 *)(long)ctx->data_end;
	struct dp_xdp_address to = {0};
	__u32 at = 14; // where p is
	struct udp udp;
	__u16 type;

	if (p + 14 > end || p[0] & 1)
		return XDP_PASS;
	type = p[12] << 8 | p[13];
	p += 14;
	if (type == ETHERTYPE_VLAN) {
		if (p + 4 > end)
			return XDP_PASS;
		type = p[2] << 8 | p[3];
		p += 4;
		OPAQUE(p);
		at += 4;
	}
	OPAQUE(at);
	if (type == ETHERTYPE_IPV4) {
		const struct ipv4 *ip = (const struct ipv4 *)p;
		const __u8 words = p + sizeof(*ip) > end ? 0 : ip->version_ihl & 15;

		if (words < 5 || ip->proto != PROTO_UDP || ip->fragment & bpf_htons(0x3fff))
			return XDP_PASS;
		to.family = 4;
		__builtin_memcpy(to.addr, &ip->dst, sizeof(ip->dst));
		p += sizeof(*ip);
		// With options: the kernel copies.
		if (words > 5) {
			if (bpf_xdp_load_bytes(ctx, at + words * 4, &udp, sizeof(udp)))
				return XDP_PASS;
			goto found;
		}
	} else if (type == ETHERTYPE_IPV6) {
		const struct ipv6 *ip = (const struct ipv6 *)p;

		if (p + sizeof(*ip) > end || ip->next != PROTO_UDP)
			return XDP_PASS;
		to.family = 6;
		__builtin_memcpy(to.addr, ip->dst, sizeof(ip->dst));
		p += sizeof(*ip);
	} else {
		return XDP_PASS;
	}
	if (p + sizeof(udp) > end)
		return XDP_PASS;
	__builtin_memcpy(&udp, p, sizeof(udp));
found:
	if (udp.dst != steer_port.port || !bpf_map_lookup_elem(&addresses, &to))
		return XDP_PASS;
	// Without a socket there (the gateway ended without taking the program along): the kernel.
	return bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
}

char _license[] SEC("license") = "BSD";
