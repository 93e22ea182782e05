// SPDX-License-Identifier: BSD-3-Clause
// The XDP program, compiled for this machine: it steers port 0, as nobody wrote another one into
// its constants, and has the addresses that packets of tests/unit/dataplane/port/packet.h go to.

#ifndef POSTERN_TESTS_UNIT_DATAPLANE_PORT_STEER_H
#define POSTERN_TESTS_UNIT_DATAPLANE_PORT_STEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Size of its constants: the mark and the port.
extern const size_t steer_constants_len;

// Size of a key of its map of addresses.
extern const size_t steer_address_len;

// Whether it takes the packet from the kernel. `packet` must lie below 4 GB: addresses have 32 bits
// in the context of an XDP program. Aborts if it gives it to another queue's socket.
bool steer_takes(const uint8_t *packet, size_t len);

#endif
