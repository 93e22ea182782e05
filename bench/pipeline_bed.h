// SPDX-License-Identifier: BSD-3-Clause
// What the parts of bench/pipeline share: sealed requests, a worker on a ring port, its feeder.

#ifndef POSTERN_BENCH_PIPELINE_BED_H
#define POSTERN_BENCH_PIPELINE_BED_H

#include "crypto/aead.h"
#include "dataplane/dp.h"
#include "dataplane/oscore/context.h"
#include "dataplane/worker/turn.h"

#define BED_PACKET_ROOM 112 // bytes of a sealed request in the store
#define BED_WORKERS_MAX 2
#define BED_DESCRIPTORS 256 // of a receive queue

struct bed_packet {
	uint8_t len;
	uint8_t coap[BED_PACKET_ROOM - 1];
};

struct bed_device {
	struct osc_keys keys; // of the gateway
	uint8_t kid[4];
	uint8_t alg; // enum aead_alg
};

// What bed_make() makes.
struct bed_conf {
	unsigned device_count;
	enum aead_alg alg;        // of all devices
	uint32_t exchanges;       // of a worker
	uint8_t max_in_flight;    // requests of a device; 0: any number
	unsigned worker_count;    // 0: one
	uint32_t representations; // slots for these; 0: nothing is stored
	uint32_t observations;    // of a worker; 0: none
};

#define BED_CACHE_ID 1 // of the route /cached

// The mbufs that wait in a receive queue for what comes: of the worker's pool, first in, first out,
// as a driver's are.
struct bed_descriptors {
	unsigned next;
	struct rte_mbuf *mbuf[BED_DESCRIPTORS];
};

struct bed {
	struct dp *dp;
	struct dp_worker *w; // the first one
	unsigned worker_count;
	struct bed_descriptors descriptors[BED_WORKERS_MAX]; // by worker
	struct dp_flow flow; // of what is fed, as its sender sees it
	struct bed_device *device;
	unsigned device_count;
	struct bed_packet *packet; // [packet_count], at least 65536
	unsigned packet_count;
	uint32_t *context; // of a device
};

// Starts EAL on the CPU where the caller runs, with lcore 1 on another one if two are wanted, the
// AEAD engine and the ring port; ends the program if one of them does not start.
void bed_start(bool two_cpus);
void bed_stop(void);
// Gives the calling thread the scheduling policy that the program was started with.
void bed_thread_as_started(void);

// Prints what is wrong, and ends the program.
void bed_die(const char *what) __attribute__((noreturn));
// A request of a device: POST, one path segment (discard, echo or up), a payload.
void bed_packet_seal(struct bed_packet *packet, const struct bed_device *device, uint64_t piv,
	enum coap_type type, const char *path);
// The same with GET and no payload.
void bed_packet_seal_get(
	struct bed_packet *packet, const struct bed_device *device, uint64_t piv, const char *path);
void bed_make(struct bed *bed, const struct bed_conf *conf);
void bed_free(struct bed *bed);
// Packets are fed in IPv4 without VLAN tag at first.
void bed_flow_set(struct bed *bed, bool ipv6, bool vlan);
// Puts n packets of the store, at most a burst, on the queue of a worker.
void bed_feed(struct bed *bed, unsigned worker, unsigned first, unsigned n);
// Puts n messages, at most a burst, on the queue of the first worker, from this UDP port.
void bed_feed_coap(struct bed *bed, const uint8_t *const *coap, const uint16_t *len, unsigned n,
	uint16_t port);
// Makes all windows known, and all Partial IVs but 0 new.
void bed_windows_reset(struct bed *bed);
struct aead_engine *bed_engine(void);
// The CPU that the first worker runs on.
unsigned bed_cpu(void);
// Frees what a worker sent.
void bed_drain(unsigned worker);

#endif
