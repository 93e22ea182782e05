// SPDX-License-Identifier: BSD-3-Clause
// The data plane as main sees it: make it, start its workers, add and remove devices, hear of
// events, read statistics, stop it.
//
// All functions are for main (the control plane), on one thread, unless they say otherwise.

#ifndef POSTERN_DATAPLANE_DP_H
#define POSTERN_DATAPLANE_DP_H

#include "base/error.h"
#include "dataplane/port/port.h"
#include "dataplane/shared/access.h"
#include "dataplane/shared/context.h"
#include "dataplane/shared/doorbell.h"
#include "dataplane/shared/event.h"
#include "dataplane/shared/exchange.h"
#include "dataplane/shared/frame_ring.h"
#include "dataplane/shared/loop_port.h"
#include "dataplane/shared/policy.h"
#include "dataplane/shared/rung.h"
#include "dataplane/shared/setup.h"
#include "dataplane/shared/stats.h"

#include <stdbool.h>
#include <stdint.h>

struct dp;
struct dp_worker;

// Bytes that mempools, rings and the hash table will take of EAL's memory, to start EAL with
// enough.
size_t dp_eal_bytes(unsigned workers, unsigned loops, uint32_t exchanges, uint32_t max_devices,
	uint16_t mtu, unsigned ports);

// Makes tables, rings and pools. EAL must be up. NULL and errno on failure, with a line in *error.
struct dp *dp_create(const struct dp_conf *conf, struct error *error);
// Stops workers that still run, closes ports, wipes keys.
void dp_free(struct dp *dp);

// Opens a port and gives it to the workers, each its own queue. Before dp_start().
// addresses->mac and the checksum flags are filled in. Returns the DPDK port id, or -errno with a
// line in *error.
int dp_port_add(struct dp *dp, const struct dp_port_conf *conf, struct dp_port_addresses *addresses,
	struct error *error);
// Launches the workers. Returns 0 or -errno.
int dp_start(struct dp *dp) __attribute__((warn_unused_result));
// Asks the workers to end their loops and waits for them. Windows are exact and final after this.
void dp_stop(struct dp *dp);
bool dp_running(const struct dp *dp);

struct dp_context_table *dp_contexts(struct dp *dp);
struct dp_loop *dp_loop(struct dp *dp, unsigned loop);
unsigned dp_loop_count(const struct dp *dp);
unsigned dp_worker_count(const struct dp *dp);
const struct dp_stats *dp_worker_stats(const struct dp *dp, unsigned worker);
uint32_t dp_worker_exchanges_free(const struct dp *dp, unsigned worker);
// Packet buffers that are not free: with the worker, or in receive queues of its ports.
uint32_t dp_worker_mbufs(const struct dp *dp, unsigned worker);
// Exchanges with a separate answer that waits for its ACK; not free, but a request can have one.
uint32_t dp_worker_unacked(const struct dp *dp, unsigned worker);
uint32_t dp_worker_exchanges(const struct dp *dp);
enum dp_rung dp_worker_rung(const struct dp *dp, unsigned worker);
uint64_t dp_worker_answers_oldest_ms(const struct dp *dp, unsigned worker);
// Turns of the loop up to now: a worker whose number stands still is stuck.
uint64_t dp_worker_heartbeat(const struct dp *dp, unsigned worker);

// The number of this start's run, for own Partial IVs. Once, after it is durable.
void dp_run_grant(struct dp *dp, uint32_t run);
// false: none was granted yet.
bool dp_run(const struct dp *dp, uint32_t *run);

// For own Partial IVs from the clock: the highest second (Unix time) that may be used, after it is
// durable. None is used before the first call.
void dp_clock_grant(struct dp *dp, int64_t limit_s);
// The highest second that was used; 0: none.
int64_t dp_clock_used(const struct dp *dp);

// Takes a device away: at once no new request of it is accepted and those in flight are abandoned.
// The memory is wiped and free when dp_poll() found that no worker can hold it. Returns 0 or
// -ENOENT.
int dp_device_remove(struct dp *dp, const struct dp_context_key *key)
	__attribute__((warn_unused_result));
// Whether a device with this sender key was removed, and a worker may still seal with it. Until
// dp_poll() has ended that, the key must not be published again: a late answer of the old context
// could have the nonce of an answer of the new one.
bool dp_key_retiring(const struct dp *dp, enum aead_alg alg, const uint8_t *sender_key);
// Devices that are removed but whose memory is not free yet.
unsigned dp_devices_retiring(const struct dp *dp);

// Main sleeps on this; workers ring it for events and punted packets.
struct dp_doorbell *dp_bell(struct dp *dp);
// Whether anything waits: for the check after dp_doorbell_arm().
bool dp_pending(const struct dp *dp);
// Handles what the workers sent, calls `event` for what main must decide, and frees what was
// retired. Bounded work a call.
void dp_poll(struct dp *dp, void (*event)(void *arg, const struct dp_event *event), void *arg);
// After DP_EVENT_RUN_BASE_WANTED, when the raised base is durable.
int dp_run_base_raise(struct dp *dp, uint32_t context, uint32_t generation, uint32_t run_base)
	__attribute__((warn_unused_result));

// After DP_EVENT_MARK_WANTED, when the raised mark is durable. Returns as dp_run_base_raise().
int dp_mark_raise(struct dp *dp, uint32_t context, uint32_t generation, uint64_t mark)
	__attribute__((warn_unused_result));
// dp_context_resync() of a live context, whoever owns it. Returns 0, -ENOENT or -EAGAIN.
int dp_resync(struct dp *dp, uint32_t context, uint32_t generation, uint64_t from)
	__attribute__((warn_unused_result));

// Packets for the kernel TAP from one worker, and packets of the kernel for a worker to send.
struct dp_frame_ring *dp_to_kernel(struct dp *dp, unsigned worker);
struct dp_frame_ring *dp_from_kernel(struct dp *dp, unsigned worker);

// Takes the oldest record of the access log of a worker. false if there is none.
bool dp_access_take(struct dp *dp, unsigned worker, struct dp_access_record *record);

// For tests and benchmarks, which give a worker its turns themselves.
struct dp_worker *dp_worker_get(struct dp *dp, unsigned id);

#endif
