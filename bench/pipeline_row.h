// SPDX-License-Identifier: BSD-3-Clause
// One row of what bench/pipeline prints: a kind of traffic, good traffic in several variants, in
// rounds through all devices, and what it cost.

#ifndef POSTERN_BENCH_PIPELINE_ROW_H
#define POSTERN_BENCH_PIPELINE_ROW_H

#include "bench/core_clock.h"
#include "bench/pipeline_bed.h"

#define ROUNDS_MAX 64

enum traffic {
	TRAFFIC_GOOD,    // CON, or NON in that variant
	TRAFFIC_UNKNOWN, // kid that no device has
	TRAFFIC_BAD_TAG,
	TRAFFIC_REPLAY,    // NON, Partial IV used before
	TRAFFIC_MALFORMED, // cut in an option
	TRAFFIC_HOSTILE,   // 9 of 10 are one of the four before, 1 is good
	TRAFFIC_COPIES,    // see pipeline_shares.c
	TRAFFIC_NEIGHBOUR, // the same
	TRAFFIC_JUNK,      // see pipeline_junk.c
	TRAFFIC_ROUTES,    // the same
	TRAFFIC_CACHED,    // see pipeline_cached.c
	TRAFFIC_OBSERVE,   // see pipeline_observe.c
	TRAFFIC_COUNT,
};

extern const char *const traffic_names[TRAFFIC_COUNT];

// How good requests differ from confirmable ones over IPv4 with AES-CCM, which /discard answers.
struct variant {
	const char *name;
	const char *path;    // discard, echo or up
	enum aead_alg alg;   // of all devices
	enum coap_type type; // of the requests
	bool ipv6;
	bool vlan;        // a tag in the frame
	uint8_t response; // code that the upstream answers with; 0: the worker answers
	uint8_t payload;  // bytes of that response's payload
};

#define VARIANT_DISCARD 0 // has all other traffic, too
#define VARIANT_ECHO    1
#define VARIANT_COUNT   9

extern const struct variant variants[VARIANT_COUNT];

struct result {
	double pps[ROUNDS_MAX];
	double cycles; // core cycles a packet, of the round with the fewest
	double ns;     // a packet, of that round
	double ghz;    // of the core, in that round
	double stage[DP_STAGE_COUNT];
	uint64_t answers;
	unsigned packets;
};

// So many packets of the store, and the devices that they are of.
struct row_part {
	unsigned first_packet, packets;
	unsigned first_device, devices;
};

// Fills a part of the store with requests: each device in turn, in random order.
void row_packets_make(struct bed *bed, const struct row_part *part, enum traffic traffic,
	const struct variant *variant);
// Adds what a round of so many packets took: time-stamp counter ticks of turns, and the stages'.
// Returns packets a second.
double row_round_add(struct result *result, unsigned packets, uint64_t ticks,
	struct core_clock *clock, const uint64_t stage_ticks[DP_STAGE_COUNT]);
// label: what the row is called as a variant; NULL: it has no name.
void row_report(const struct bed *bed, enum traffic traffic, const struct variant *variant,
	const char *label, struct result *result, unsigned rounds, bool json);
// Measures one row and prints it.
void row_measure(struct bed *bed, enum traffic traffic, const struct variant *variant,
	unsigned rounds, bool json);

#endif
