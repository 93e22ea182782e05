// SPDX-License-Identifier: BSD-3-Clause
// Lengths and numbers of the headers around a CoAP message, and their checksum. Internal to
// dataplane/port/.

#ifndef POSTERN_DATAPLANE_PORT_HEADERS_H
#define POSTERN_DATAPLANE_PORT_HEADERS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MAC_LEN      6
#define ETH_LEN      14
#define VLAN_LEN     4
#define IPV4_LEN_MIN 20
#define IPV6_LEN     40
#define UDP_LEN      8
#define HOP_LIMIT    64 // of packets we send

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_ARP  0x0806

#define IPV4_DONT_FRAGMENT 0x4000

static inline uint16_t load_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline void store_be16(uint8_t *p, uint16_t value)
{
	value = htons(value);
	memcpy(p, &value, sizeof(value));
}

// Words as they lie in memory.
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte of a word is its lowest");

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint16_t load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline void store64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline void store32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

// The ones' complement sum of RFC 1071, of 16-bit words as they lie in memory: it is the same sum
// in either byte order, and so may be added up in words of 32 bits and folded at the end.
// Inlined for its constant lengths: that takes a quarter off dp_frame_classify().
static inline __attribute__((always_inline)) uint64_t sum_add(
	uint64_t sum, const uint8_t *p, size_t len)
{
	uint64_t v8;
	uint32_t v4;
	uint16_t v2;

	for (; len >= sizeof(v8); p += sizeof(v8), len -= sizeof(v8)) {
		memcpy(&v8, p, sizeof(v8));
		sum += (v8 & UINT32_MAX) + (v8 >> 32);
	}
	if (len & 4) {
		memcpy(&v4, p, sizeof(v4));
		sum += v4;
		p += sizeof(v4);
	}
	if (len & 2) {
		memcpy(&v2, p, sizeof(v2));
		sum += v2;
		p += sizeof(v2);
	}
	if (len & 1) {
		v2 = 0;
		memcpy(&v2, p, 1); // an odd byte is followed by a 0
		sum += v2;
	}
	return sum;
}

// Adds words of the same sum, in 64 bits: a carry counts as one.
static inline uint64_t sum_words(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

// Such a sum of len >= 8 bytes. What is left behind the last whole word is read as the end of one.
static inline uint64_t sum_bytes(const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;
	uint64_t sum = 0;

	for (; end - p >= 8; p += 8)
		sum = sum_words(sum, load64(p));
	if (p < end)
		sum = sum_words(sum, load64(end - 8) >> 8 * (8 - (end - p)));
	return sum;
}

// Folded and complemented; 0 over data that contains its right checksum.
static inline uint16_t sum_finish(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)~sum;
}

#endif
