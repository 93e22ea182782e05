// SPDX-License-Identifier: BSD-3-Clause
// A test bed for a worker, or two: a ring port in the place of a NIC, devices that seal and open by
// themselves, and the test in the place of the upstream loop. Workers are turned by hand.

#ifndef POSTERN_TESTS_UNIT_DATAPLANE_WORKER_DP_BED_H
#define POSTERN_TESTS_UNIT_DATAPLANE_WORKER_DP_BED_H

#include "dataplane/dp.h"
#include "dataplane/oscore/protect.h"
#include "dataplane/worker/make.h"
#include "dataplane/worker/turn.h"

#define BED_WORKERS_MAX     3 // that have an lcore
#define BED_MESSAGE_MAX     1600
#define BED_EXCHANGES       8
#define BED_TIMEOUT_MS      3000
#define BED_DEVICES         64
#define BED_ANSWERS_BYTES   (64 * 1024)
#define BED_REPRESENTATIONS 64
#define BED_OBSERVATIONS    200
#define BED_RING            512            // slots of a queue of the port
#define BED_QUEUE_MBUFS     (2 * BED_RING) // for dp_conf
// Of the slow path.
#define BED_SLOW_THREADS     2
#define BED_SLOW_RATE        64
#define BED_SLOW_PREFIX_RATE 16
#define BED_SLOW_EDHOC_LEN   3

struct bed {
	struct dp *dp;
	struct dp_worker *w; // the first one; its inside: bed_inside.h
	unsigned workers;
	unsigned queue;                      // of the worker that frames go to
	struct rte_ring *rx[DP_WORKERS_MAX]; // frames to each worker
	struct rte_ring *tx;                 // frames from all
	struct rte_mempool *pool;            // of frames, when the worker's own has none
	bool strange_frames;                 // all are of that
	uint16_t headroom;                   // of frames; 0: as drivers leave it
	const struct rte_mbuf *sent;         // the last frame to a worker: to know it again
	unsigned pool_full;                  // mbufs in it at the start
	unsigned worker_pool_full;
	struct dp_policy policy;
	struct dp_route_index *index; // of its routes
	struct dp_flow flow;          // as the gateway sees the usual device
};

// A device: RFC 8613's client.
struct bed_device {
	struct osc_params params;
	struct osc_keys keys;
	uint32_t context;
	uint32_t generation;
	bool sends_id_context; // in requests, if params has one
};

// A request as it went out, to open its answer.
struct bed_request {
	uint64_t piv;
	uint16_t mid;
	uint16_t len;
	uint8_t type;
	uint8_t token_len;
	uint8_t token[8];
	uint8_t coap[BED_MESSAGE_MAX];
};

struct bed_answer {
	struct coap_msg msg; // outer; into coap
	uint16_t len;
	uint16_t plaintext_len;
	bool protected;
	bool has_piv;
	uint64_t piv;
	bool has_observe; // outside
	uint32_t observe;
	struct dp_flow flow;         // of the frame, as the gateway would say
	const struct rte_mbuf *mbuf; // which it was; free by now
	uint8_t coap[BED_MESSAGE_MAX];
	uint8_t plaintext[BED_MESSAGE_MAX];
};

// Starts EAL, once in a process, with 128 MB or so many.
void bed_eal_init(void);
void bed_eal_init_mb(unsigned mb);
// Starts EAL and makes the bed. Routes: /tv1 and /up/* to the upstream loop,
// /discard, /echo (all methods), /get (GET only), /low (an echo of low priority); they are counted
// in slots 1, 2, ..
void bed_make(struct bed *bed);
// The same with so many upstream loops.
void bed_make_loops(struct bed *bed, unsigned loops);
// The same with several workers, in the place of RSS the test: bed->queue.
void bed_make_workers(struct bed *bed, unsigned workers, bool affinity_kid);
// The same with several workers and loops, and so many exchanges a worker.
void bed_make_exchanges(struct bed *bed, unsigned workers, unsigned loops, uint32_t exchanges);
// The same for so many devices, and with so many bytes for answers.
void bed_make_fleet(struct bed *bed, uint32_t devices, size_t answers_bytes);
// The same with up to DP_WORKERS_MAX workers and small pools. Those without an lcore cannot be
// started, only turned. Before it, bed_eal_init_mb().
void bed_make_many(struct bed *bed, unsigned workers, bool affinity_kid);
// Checks that no mbuf is missing, and ends.
void bed_free(struct bed *bed);

// The device of RFC 8613 appendix C.1 (kid "") with this id and window.
void bed_device_make(struct bed_device *device, uint8_t id, enum aead_alg alg);
void bed_device_add(struct bed *bed, struct bed_device *device, bool window_known);
// With enum dp_context_flags, and a mark for DP_CONTEXT_FLOOR.
void bed_device_add_with(struct bed *bed, struct bed_device *device, bool window_known,
	uint8_t flags, uint64_t mark);
// Its name in the table: with the ID Context, if params has one; and without.
void bed_device_name(
	const struct bed *bed, const struct bed_device *device, struct dp_context_key *key);
void bed_device_key(const struct bed_device *device, struct dp_context_key *key);

// Seals a request: plaintext is code, options, payload.
void bed_seal(const struct bed_device *device, struct bed_request *request, enum coap_type type,
	uint16_t mid, uint64_t piv, const uint8_t *plaintext, size_t len);
// The same for a method, one Uri-Path segment or two ("a/b"), and a payload.
void bed_seal_path(const struct bed_device *device, struct bed_request *request,
	enum coap_type type, uint16_t mid, uint64_t piv, uint8_t code, const char *path,
	const char *payload);

// Puts a CoAP message in a frame from flow->remote to flow->local, for the next turn.
void bed_send(struct bed *bed, const struct dp_flow *flow, const uint8_t *coap, size_t len);
void bed_send_request(struct bed *bed, const struct bed_request *request);
// An ACK, a RST or a ping.
void bed_send_empty(struct bed *bed, const struct dp_flow *flow, enum coap_type type, uint16_t mid);
// Turns the worker until it finds nothing to do.
void bed_turn(struct bed *bed);
// Lets the worker believe that this much time has passed.
void bed_later(struct bed *bed, uint64_t ms);
// From now on no other time passes; and it goes on again.
void bed_stop_clock(struct bed *bed);
void bed_run_clock(struct bed *bed);
// The next frame that the worker sent: false if there is none.
bool bed_receive(struct bed *bed, struct bed_answer *answer);
// Opens a protected answer; false if it does not verify. As uoscore does, it takes the nonce's id
// from the kid of an answer with a Partial IV, so such an answer must have one.
bool bed_open(const struct bed_device *device, const struct bed_request *request,
	struct bed_answer *answer);

uint64_t bed_count(const struct bed *bed, enum dp_stat stat);
// Sum of all counters in which a received packet may end.
uint64_t bed_ends(const struct bed *bed);

// In the place of the upstream loop: the next exchange, or NULL; and its answer.
struct dp_shared *bed_upstream_take(struct bed *bed, dp_handle *handle);
void bed_upstream_answer(struct bed *bed, dp_handle handle, const uint8_t *plaintext, size_t len);

#endif
