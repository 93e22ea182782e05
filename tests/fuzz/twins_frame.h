// SPDX-License-Identifier: BSD-3-Clause
// Frames around the messages of twins_traffic.c, and what may be changed in them.

#ifndef POSTERN_TESTS_FUZZ_TWINS_FRAME_H
#define POSTERN_TESTS_FUZZ_TWINS_FRAME_H

#include "tests/fuzz/twins.h"

// The generator of all traffic.
uint32_t twins_random(void);

// The flow of a device, as the gateway sees it: IPv4 or IPv6, with a VLAN tag or none.
void twins_flow(struct dp_flow *flow, unsigned device, unsigned port);
// A frame with this message from flow->remote to flow->local, with sound checksums; and what a
// driver of this port says of it.
void twins_frame(
	struct twins_packet *packet, const struct dp_flow *flow, const uint8_t *coap, uint16_t len);
// Changes one field of a packet, or a few.
void twins_frame_change(struct twins_packet *packet);
// Anything: bytes behind sound or random Ethernet headers.
void twins_frame_noise(struct twins_packet *packet);

#endif
