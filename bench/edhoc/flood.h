// SPDX-License-Identifier: BSD-3-Clause
// A flood of message_1, each a good one, from addresses that nobody has: what comes back goes
// nowhere. Wants CAP_NET_RAW.

#ifndef POSTERN_BENCH_EDHOC_FLOOD_H
#define POSTERN_BENCH_EDHOC_FLOOD_H

#include "bench/edhoc/devices.h"

#include <netinet/in.h>
#include <stdint.h>

// So many a second from as many networks (/24) of 198.18.0.0/15. Returns how many were sent.
uint64_t flood(struct devices *devices, const struct sockaddr_in *to, double rate, double seconds,
	uint32_t networks);

#endif
