// SPDX-License-Identifier: BSD-3-Clause
// Packets for tests, written byte by byte with code of their own: nothing here is shared with what
// is tested.

#ifndef POSTERN_TESTS_UNIT_DATAPLANE_PORT_PACKET_H
#define POSTERN_TESTS_UNIT_DATAPLANE_PORT_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 2048

#define PACKET_HOP_BY_HOP 256 // as packet_spec.next, where 0 is "not set"

// What is not set has the defaults of packet_build().
struct packet_spec {
	uint8_t family;                // 4 or 6
	const char *src_mac, *dst_mac; // "02:00:00:00:00:02" to "02:00:00:00:00:01"
	const char *src, *dst;         // 192.0.2.9 to 192.0.2.1, 2001:db8::9 to 2001:db8::1
	uint16_t sport, dport;         // 40000 to 5683
	bool sport_zero;
	const uint16_t *vlan; // tags in front of the EtherType, ended by 0
	const char *headers;  // hex: IPv4 options, or IPv6 extension headers up to UDP
	uint16_t next;        // type of the first of these, or the protocol if it is not UDP
	uint16_t fragment;    // the IPv4 field: flags and offset
	const char *payload;  // of UDP, as text: "coap"
	bool no_checksum;     // of UDP
};

struct packet {
	uint8_t bytes[PACKET_MAX];
	size_t len;
	size_t ip, udp, payload; // offsets
};

struct packet packet_build(const struct packet_spec *spec);
// Makes the checksums right again after a change.
void packet_ipv4_checksum(struct packet *packet);
void packet_udp_checksum(struct packet *packet);
// RFC 1071 over an IPv4 or IPv6 UDP datagram with its pseudo header, a byte at a time: 0 if its
// checksum is right.
uint16_t packet_udp_verify(const uint8_t *ip, const uint8_t *udp, size_t udp_len);
uint16_t packet_sum(uint32_t sum, const uint8_t *data, size_t len);

#endif
