// SPDX-License-Identifier: BSD-3-Clause

#include "bench/load/sources.h"

#include "gw/tools/coap/number.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

// Addresses of a range differ in their last four bytes only.
static uint32_t last_bytes(const struct sources *sources, const uint8_t *addr)
{
	uint32_t value;

	memcpy(&value, addr + (sources->family == 4 ? 0 : 12), sizeof(value));
	return ntohl(value);
}

static int parse_address(const char *text, uint8_t addr[16])
{
	memset(addr, 0, 16);
	if (inet_pton(AF_INET, text, addr) == 1)
		return 4;
	return inet_pton(AF_INET6, text, addr) == 1 ? 6 : 0;
}

int sources_parse_addresses(struct sources *sources, const char *text, struct error *f)
{
	char first[INET6_ADDRSTRLEN] = "";
	const char *dash = strchr(text, '-');
	size_t len = dash ? (size_t)(dash - text) : strlen(text);
	uint8_t last[16];

	if (len < sizeof(first))
		memcpy(first, text, len);
	sources->family = (uint8_t)parse_address(first, sources->first);
	if (!sources->family || parse_address(dash ? dash + 1 : first, last) != sources->family)
		return error_set(f, -EINVAL,
			"\"%s\" is no range of addresses such as 192.0.2.16-192.0.2.31", text);
	size_t same = sources->family == 4 ? 0 : 12;
	uint32_t from = last_bytes(sources, sources->first), to = last_bytes(sources, last);
	if (memcmp(sources->first, last, same) || to < from || to - from >= SOURCES_ADDRESSES_MAX)
		return error_set(f, -EINVAL, "%s: a range of up to %d addresses goes upwards", text,
			SOURCES_ADDRESSES_MAX);
	sources->addresses = to - from + 1;
	return 0;
}

int sources_parse_ports(struct sources *sources, const char *text, struct error *f)
{
	char first[8] = "";
	const char *dash = strchr(text, '-');
	size_t len = dash ? (size_t)(dash - text) : strlen(text);
	uint64_t from = 0, to = 0;

	if (len < sizeof(first))
		memcpy(first, text, len);
	if (!number_parse(first, UINT16_MAX, &from) || !from ||
		!number_parse(dash ? dash + 1 : first, UINT16_MAX, &to) || to < from)
		return error_set(
			f, -EINVAL, "\"%s\" is no range of ports such as 1024-65535", text);
	sources->port_first = (uint16_t)from;
	sources->ports = (uint32_t)(to - from + 1);
	return 0;
}

void sources_flow(const struct sources *sources, uint32_t endpoint, struct dp_flow *flow)
{
	uint32_t value = htonl(last_bytes(sources, sources->first) + endpoint / sources->ports);

	flow->local_port = htons((uint16_t)(sources->port_first + endpoint % sources->ports));
	memcpy(flow->local_addr, sources->first, sizeof(flow->local_addr));
	memcpy(flow->local_addr + (sources->family == 4 ? 0 : 12), &value, sizeof(value));
}

bool sources_address(const struct sources *sources, const uint8_t *addr, uint32_t *index)
{
	if (sources->family == 6 && memcmp(sources->first, addr, 12))
		return false;
	*index = last_bytes(sources, addr) - last_bytes(sources, sources->first);
	return *index < sources->addresses;
}

bool sources_endpoint(
	const struct sources *sources, const uint8_t *addr, uint16_t port, uint32_t *endpoint)
{
	uint32_t index, port_index = (uint32_t)ntohs(port) - sources->port_first;

	if (!sources_address(sources, addr, &index) || port_index >= sources->ports)
		return false;
	*endpoint = index * sources->ports + port_index;
	return *endpoint < sources->endpoints;
}
