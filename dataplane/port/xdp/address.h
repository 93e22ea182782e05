// SPDX-License-Identifier: BSD-3-Clause
// The key of the map "addresses" of the XDP program, for the program and for who fills the map.

#ifndef POSTERN_DATAPLANE_PORT_XDP_ADDRESS_H
#define POSTERN_DATAPLANE_PORT_XDP_ADDRESS_H

struct dp_xdp_address {
	unsigned char addr[16]; // IPv4 in the first 4 bytes, zeros behind
	unsigned int family;    // 4 or 6
};

#endif
