// SPDX-License-Identifier: BSD-3-Clause
// What each device does: a handshake with the first request in it (RFC 9668), further requests in
// the session, and another handshake when the gateway does not know that any more. Every request
// has a target of its own, /t/NAME/N, so that who sees one twice knows that it was served twice.

#ifndef POSTERN_BENCH_EDHOC_RUN_H
#define POSTERN_BENCH_EDHOC_RUN_H

#include "bench/edhoc/devices.h"
#include "bench/many_devices.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define RUN_DATAGRAM 384

struct run_conf {
	uint32_t devices;
	uint32_t requests; // that each device wants served; 0: until the time is over
	uint32_t first;    // number of the first request of each
	uint32_t each;     // requests in a session, after which the device begins another
	uint32_t window;   // devices that wait for an answer at once
	uint32_t pause_ms; // mean time between an answer and the next request
	uint32_t again_ms; // before a message is sent again
	unsigned tries;    // of a message
	double rate;       // handshakes that begin in a second
	double seconds;    // in which devices begin something; 0: until each has its requests
	double patience;   // seconds until the program ends, whatever is open
	FILE *sessions;    // keys of all sessions, as rows; NULL: not wanted
	FILE *record;      // all that is sent, in digits; NULL: not wanted
};

struct run_counts {
	uint64_t begun, agreed, served;
	uint64_t again;      // copies sent
	uint64_t busy;       // 5.03
	uint64_t challenged; // told to show the address
	uint64_t lost;       // sessions that the gateway did not know any more
	uint64_t silent;     // messages without an answer to the last copy
	uint64_t refused;    // other errors
	uint64_t done;       // devices that had all their requests
};

// Sends to the gateway until all is done or the time is over; `latency` is that of handshakes. True
// if each device had what it wanted.
bool run(struct devices *devices, const struct run_conf *conf, const struct sockaddr_in *to,
	struct run_counts *counts, struct many_latency *latency);

#endif
