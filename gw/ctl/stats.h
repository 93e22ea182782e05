// SPDX-License-Identifier: BSD-3-Clause
// What the server of the control socket counts.

#ifndef POSTERN_GW_CTL_STATS_H
#define POSTERN_GW_CTL_STATS_H

#include <stdint.h>

struct ctl_server_stats {
	// Written by peer.c and server.c:
	uint64_t accepted;    // connections
	uint64_t refused;     // connections beyond CTL_CLIENTS_MAX or CTL_CLIENTS_OTHERS
	uint64_t slow;        // clients cut off because they did not read
	uint64_t idle;        // clients cut off after CTL_IDLE_TIMEOUT_MS
	uint64_t clients;     // connected now
	uint64_t subscribers; // of them, for events
	// Written by request.c and dispatch.c:
	uint64_t requests;      // that reached a handler
	uint64_t rejected;      // messages that did not: malformed, unknown, denied
	uint64_t requests_open; // unanswered now, also of clients that are gone
};

#endif
