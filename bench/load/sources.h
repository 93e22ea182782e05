// SPDX-License-Identifier: BSD-3-Clause
// The addresses and ports that frames come from where no kernel has them: endpoint e has port
// first + e % ports of address first + e / ports.

#ifndef POSTERN_BENCH_LOAD_SOURCES_H
#define POSTERN_BENCH_LOAD_SOURCES_H

#include "base/error.h"
#include "dataplane/port/frame.h"

#include <stdbool.h>
#include <stdint.h>

#define SOURCES_ADDRESSES_MAX 65536

struct sources {
	uint8_t family; // 4 or 6; 0: none given
	uint8_t first[16];
	uint32_t addresses;
	uint16_t port_first; // host order
	uint32_t ports;
	uint32_t endpoints; // that are used: not more than devices
};

// "192.0.2.16-192.0.2.31", or one address; "1024-65535", or one port.
int sources_parse_addresses(struct sources *sources, const char *text, struct error *f)
	__attribute__((warn_unused_result));
int sources_parse_ports(struct sources *sources, const char *text, struct error *f)
	__attribute__((warn_unused_result));

// Fills in where this endpoint sends from.
void sources_flow(const struct sources *sources, uint32_t endpoint, struct dp_flow *flow);
// Whether an address is one of ours; *index is its place among them.
bool sources_address(const struct sources *sources, const uint8_t *addr, uint32_t *index);
// The endpoint of an address and a port (network order), if it is one of ours.
bool sources_endpoint(
	const struct sources *sources, const uint8_t *addr, uint16_t port, uint32_t *endpoint);

#endif
