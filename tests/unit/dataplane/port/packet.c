// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/dataplane/port/packet.h"

#include "tests/unit/hex.h"

#include <arpa/inet.h>

static void put(struct packet *p, const void *data, size_t len)
{
	if (p->len + len > sizeof(p->bytes))
		abort();
	memcpy(p->bytes + p->len, data, len);
	p->len += len;
}

static void put16(struct packet *p, unsigned value)
{
	put(p, (uint8_t[]){value >> 8, value}, 2);
}

static void put_mac(struct packet *p, const char *text)
{
	unsigned m[6];

	if (sscanf(text, "%x:%x:%x:%x:%x:%x", m, m + 1, m + 2, m + 3, m + 4, m + 5) != 6)
		abort();
	for (unsigned i = 0; i < 6; i++)
		put(p, &(uint8_t){m[i]}, 1);
}

static void put_address(struct packet *p, uint8_t family, const char *text)
{
	uint8_t addr[16];

	if (inet_pton(family == 4 ? AF_INET : AF_INET6, text, addr) != 1)
		abort();
	put(p, addr, family == 4 ? 4 : 16);
}

// Not complemented: the sum of 16-bit words, high byte first.
static uint32_t sum(uint32_t sum, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? data[i] : data[i] << 8;
	return sum;
}

uint16_t packet_sum(uint32_t start, const uint8_t *data, size_t len)
{
	uint32_t s = sum(start, data, len);

	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

uint16_t packet_udp_verify(const uint8_t *ip, const uint8_t *udp, size_t udp_len)
{
	bool v4 = ip[0] >> 4 == 4;

	return packet_sum(
		sum(17 + (uint32_t)udp_len, ip + (v4 ? 12 : 8), v4 ? 8 : 32), udp, udp_len);
}

void packet_ipv4_checksum(struct packet *p)
{
	uint8_t *ip = p->bytes + p->ip;
	uint16_t c;

	ip[10] = ip[11] = 0;
	c = packet_sum(0, ip, (ip[0] & 15) * 4);
	ip[10] = c >> 8;
	ip[11] = c & 0xff;
}

void packet_udp_checksum(struct packet *p)
{
	uint8_t *udp = p->bytes + p->udp;
	uint16_t c;

	udp[6] = udp[7] = 0;
	c = packet_udp_verify(p->bytes + p->ip, udp, p->len - p->udp);
	if (!c)
		c = 0xffff;
	udp[6] = c >> 8;
	udp[7] = c & 0xff;
}

struct packet packet_build(const struct packet_spec *spec)
{
	const uint8_t family = spec->family ? spec->family : 4;
	const char *payload = spec->payload ? spec->payload : "coap";
	uint16_t udp_len = 8 + strlen(payload);
	const uint8_t proto = spec->next ? (uint8_t)spec->next : 17;
	size_t extra_len = 0;
	uint8_t *extra = hex_decode(spec->headers ? spec->headers : "", &extra_len);
	struct packet p = {.len = 0};

	put_mac(&p, spec->dst_mac ? spec->dst_mac : "02:00:00:00:00:01");
	put_mac(&p, spec->src_mac ? spec->src_mac : "02:00:00:00:00:02");
	for (const uint16_t *tag = spec->vlan; tag && *tag; tag++) {
		put16(&p, 0x8100);
		put16(&p, *tag);
	}
	put16(&p, family == 4 ? 0x0800 : 0x86dd);
	p.ip = p.len;
	if (family == 4) {
		put(&p, (uint8_t[]){0x45 + extra_len / 4, 0}, 2);
		put16(&p, 20 + extra_len + udp_len);
		put16(&p, 0x1234);
		put16(&p, spec->fragment);
		put(&p, (uint8_t[]){61, proto, 0, 0}, 4);
		put_address(&p, 4, spec->src ? spec->src : "192.0.2.9");
		put_address(&p, 4, spec->dst ? spec->dst : "192.0.2.1");
	} else {
		put(&p, (uint8_t[]){0x60, 0x01, 0x23, 0x45}, 4);
		put16(&p, extra_len + udp_len);
		put(&p, (uint8_t[]){proto, 61}, 2);
		put_address(&p, 6, spec->src ? spec->src : "2001:db8::9");
		put_address(&p, 6, spec->dst ? spec->dst : "2001:db8::1");
	}
	put(&p, extra, extra_len);
	free(extra);
	p.udp = p.len;
	put16(&p, spec->sport_zero ? 0 : spec->sport ? spec->sport : 40000);
	put16(&p, spec->dport ? spec->dport : 5683);
	put16(&p, udp_len);
	put16(&p, 0);
	p.payload = p.len;
	put(&p, payload, strlen(payload));
	if (family == 4)
		packet_ipv4_checksum(&p);
	if (!spec->no_checksum)
		packet_udp_checksum(&p);
	return p;
}
