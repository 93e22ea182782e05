// SPDX-License-Identifier: BSD-3-Clause
// ARP (RFC 826) and neighbour discovery (RFC 4861) for a port that no kernel stands behind: who has
// the server's address, and that the devices' addresses are here.

#ifndef POSTERN_BENCH_LOAD_NEIGHBOUR_H
#define POSTERN_BENCH_LOAD_NEIGHBOUR_H

#include "bench/load/sources.h"

#include <stdbool.h>
#include <stdint.h>

#define NEIGHBOUR_FRAME_MAX 128 // bytes of a frame made here

struct neighbour {
	const struct sources *sources;
	uint8_t mac[6];        // ours
	uint8_t server[16];    // of the sources' family
	uint8_t server_mac[6]; // if known
	bool known;
};

// Asks for the server's MAC. Returns the length of the frame.
uint16_t neighbour_ask(const struct neighbour *n, uint8_t frame[NEIGHBOUR_FRAME_MAX]);
// Takes a frame that is no UDP: learns the server's MAC from it, and answers it if it asks for one
// of ours. Returns the length of the answer, or 0.
uint16_t neighbour_take(
	struct neighbour *n, const uint8_t *frame, size_t len, uint8_t answer[NEIGHBOUR_FRAME_MAX]);

#endif
