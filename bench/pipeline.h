// SPDX-License-Identifier: BSD-3-Clause
// What the parts of bench/pipeline share: sealed requests, a worker on a ring port, its feeder.

#ifndef POSTERN_BENCH_PIPELINE_H
#define POSTERN_BENCH_PIPELINE_H

#include "crypto/aead.h"
#include "dataplane/dp.h"
#include "dataplane/oscore/context.h"
#include "dataplane/worker/turn.h"

#define PACKET_ROOM 112 // bytes of a sealed request in the store

struct packet {
	uint8_t len;
	uint8_t coap[PACKET_ROOM - 1];
};

struct device {
	struct osc_keys keys; // of the gateway
	uint8_t kid[4];
};

struct bed {
	struct dp *dp;
	struct dp_worker *w;
	struct device *device;
	unsigned device_count;
	struct packet *packet; // [packet_count], at least 65536
	unsigned packet_count;
	uint32_t *context; // of a device
};

extern double cycles_per_tsc;

// Says what is wrong, and ends.
void die(const char *what) __attribute__((noreturn));
// A request of a device: POST, one path segment (discard, echo or up), a payload.
void packet_seal(struct packet *packet, const struct device *device, uint64_t piv,
	enum coap_type type, const char *path);
// max_in_flight: 0: any number.
void bed_make(struct bed *bed, unsigned device_count, uint32_t exchanges, uint8_t max_in_flight);
void bed_free(struct bed *bed);
// Puts n packets of the store on the port, at most a burst.
void feed(struct bed *bed, unsigned first, unsigned n);
// Puts n messages on the port, at most a burst, from this UDP port.
void feed_coap(const uint8_t *const *coap, const uint16_t *len, unsigned n, uint16_t port);
// Makes all windows known, and all Partial IVs but 0 new.
void windows_reset(struct bed *bed);
struct aead_engine *bench_engine(void);
// Forgets what the worker sent.
void drain(void);

// A stranger's forged copies for a device that has thousands of unacknowledged answers.
void copies_measure(bool json, unsigned rounds);
// The worst junk of each kind beside good requests.
void junk_measure(bool json, unsigned rounds);
// The look-up among 1, 100 and 4 096 routes.
void routes_measure(bool json);
// A device that misbehaves beside 1 000 others.
void neighbour_measure(bool json);

#endif
