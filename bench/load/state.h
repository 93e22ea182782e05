// SPDX-License-Identifier: BSD-3-Clause
// A load: what it was asked for, what it has counted so far, and what its thread works with.

#ifndef POSTERN_BENCH_LOAD_STATE_H
#define POSTERN_BENCH_LOAD_STATE_H

#include "bench/load/devices.h"
#include "bench/load/flight.h"
#include "bench/load/histogram.h"
#include "bench/load/hostile.h"
#include "bench/load/piv.h"
#include "bench/load/request.h"
#include "bench/load/transport.h"
#include "crypto/aead.h"

#include <stdatomic.h>

struct load_run_conf {
	double rate;       // requests a second; 0: closed loop
	uint32_t window;   // most requests under way
	uint64_t requests; // stop after so many; 0: by time
	uint64_t warm_up_ns, duration_ns;
	uint64_t timeout_ns; // a request without answer is lost then
	uint32_t verify;     // one of so many answers is opened
	bool reflected;      // requests come back as they are, and count as answers
};

// Written by the load's thread only, read by others as it goes on.
struct load_run_counts {
	uint64_t sent;
	uint64_t answered; // matched, protected, and verified if opened
	uint64_t in_time;  // of these: before sending ended
	uint64_t lost;     // no answer within the timeout
	uint64_t unsent;   // due by the rate, never sent
	// Of the answered:
	uint64_t opened;
	uint64_t code[256]; // of the opened
	uint64_t challenges;
	uint64_t separate; // answers that came in a message of their own to a CON
	// What is no answer:
	uint64_t failed;      // the tag is wrong, or what was sealed is no response
	uint64_t unprotected; // matched, but without OSCORE
	uint64_t plain_code[256];
	uint64_t resets;
	uint64_t acknowledged; // empty acknowledgements
	uint64_t unmatched;    // no request has this token: late, twice, or of another
	uint64_t mismatched;   // the token of one request, the message id of another
	uint64_t malformed;
};

struct load_run {
	// Written by main before the thread starts:
	struct load_run_conf conf;
	struct load_devices *devices;
	const struct request_form *form;
	struct transport *transport;
	struct piv_supply *supply;
	struct hostile *hostile; // NULL: none
	struct aead_engine *engine;

	atomic_bool stop;    // main: send no more
	atomic_bool done;    // the thread, last
	const char *problem; // why it ended early, or NULL

	// Results, written by the thread; main reads the counts meanwhile, and the others at the
	// end:
	struct load_run_counts counts;
	struct histogram latency; // ns, of the answered
	double seconds;           // that were measured
	double busy;              // of them, in turns of the loop that found something to do
	double cpu_seconds;       // of the thread, since it was started
	uint64_t piv_first, piv_last;

	// The thread's own.
	struct load_flight flight;
	uint16_t *mid; // next one of an endpoint
	size_t next_device;
	uint64_t piv;
	uint64_t start_ns, from_ns, end_ns;
	uint64_t turn_ns; // when this turn of the loop began
	uint64_t made;    // requests, also before from_ns
	uint32_t sample;
	bool sending;
	struct datagram pending[TRANSPORT_BATCH];
	unsigned pending_first, pending_count;
	struct datagram ack[TRANSPORT_BATCH]; // endpoint; the message id in len
	unsigned ack_count;
};

// Counters are read by the thread that shows them.
static inline void load_count(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

#endif
