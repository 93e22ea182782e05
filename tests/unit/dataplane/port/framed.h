// SPDX-License-Identifier: BSD-3-Clause
// Packets in mbufs as a driver hands them over, for one port.

#ifndef POSTERN_TESTS_UNIT_DATAPLANE_PORT_FRAMED_H
#define POSTERN_TESTS_UNIT_DATAPLANE_PORT_FRAMED_H

#include "dataplane/port/frame.h"
#include "tests/unit/dataplane/port/packet.h"
#include "tests/unit/guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

// VLAN tags of a struct packet_spec.
#define TAGS(...) ((const uint16_t[]){__VA_ARGS__, 0})

// Options of IPv4 and extension headers of IPv6, as hex.
#define V4_RECORD_ROUTE \
	"072704 000000000000000000000000000000000000000000000000000000000000000000000000 00"
// Destination options with PadN; hop-by-hop with router alert; routing with no segments left.
#define V6_DST_PADN    "1100 0104 00000000"
#define V6_HBH_DST_UDP "3c00 0502 0000 0100 1100 0104 00000000"
#define V6_ROUTE_DONE  "1102 0400 00000000 20010db8000000000000000000000077"
#define V6_ATOMIC      "1100 0000 00000001"
#define V6_EIGHT                                                              \
	"3c00010400000000 3c00010400000000 3c00010400000000 3c00010400000000" \
	"3c00010400000000 3c00010400000000 3c00010400000000 1100010400000000"

extern const struct dp_port_addresses port;
// Packets that are CoAP for it.
extern const struct packet_spec corpus[12];

// An mbuf around bytes that nothing readable follows.
struct frame {
	struct guard guard;
	struct rte_mbuf m;
};

void frame_fill(struct frame *f, const uint8_t *bytes, size_t len);
// Fills f with the packet and classifies it for the port.
enum dp_frame_verdict classify(
	struct frame *f, const struct packet *p, struct dp_frame_info *info, enum dp_stat *drop);
// "coap", "kernel", or the name of the counter.
const char *verdict_name(enum dp_frame_verdict verdict, enum dp_stat drop);

#endif
