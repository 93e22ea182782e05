// SPDX-License-Identifier: BSD-3-Clause
// The data plane as main sees it: make it, start its workers, add and remove devices, handle
// events, read statistics, stop it.
//
// Main calls all functions, on one thread. `worker` is below dp_worker_count(), `loop` below
// dp_loop_count(); what they return is owned by the data plane and lives until dp_free().

#ifndef POSTERN_DATAPLANE_DP_H
#define POSTERN_DATAPLANE_DP_H

#include "base/error.h"
#include "dataplane/owners.h"
#include "dataplane/port/port.h"
#include "dataplane/shared/access.h"
#include "dataplane/shared/context.h"
#include "dataplane/shared/doorbell.h"
#include "dataplane/shared/event.h"
#include "dataplane/shared/exchange.h"
#include "dataplane/shared/frame_ring.h"
#include "dataplane/shared/loop_port.h"
#include "dataplane/shared/observed.h"
#include "dataplane/shared/policy.h"
#include "dataplane/shared/representation.h"
#include "dataplane/shared/route_stats.h"
#include "dataplane/shared/rung.h"
#include "dataplane/shared/setup.h"
#include "dataplane/shared/slow.h"
#include "dataplane/shared/stats.h"

#include <stdbool.h>
#include <stdint.h>

struct dp_worker;

// Returns how many bytes of EAL's memory the mempools will take, so that EAL is started with
// enough.
size_t dp_eal_bytes(const struct dp_conf *conf, bool huge_pages);

// Makes the tables, rings, pools and workers. EAL must be up. Returns NULL and errno on failure,
// with a line in *error. dp_free() ends it.
struct dp *dp_create(const struct dp_conf *conf, struct error *error);
// Stops the workers that still run, closes the ports and wipes the keys. NULL is allowed.
void dp_free(struct dp *dp);

// Opens a port and gives each worker a queue of it. Before dp_start(). Fills in the MACs and the
// checksum flags of *addresses, and copies it. Returns the DPDK port id, or -errno with a line in
// *error.
int dp_port_add(struct dp *dp, const struct dp_port_conf *conf, struct dp_port_addresses *addresses,
	struct error *error);
// Launches the workers on their lcores. Returns 0, or -errno and none runs.
int dp_start(struct dp *dp) __attribute__((warn_unused_result));
// Asks the workers to end their loops and waits for them. Windows are exact and final after this.
void dp_stop(struct dp *dp);
bool dp_running(const struct dp *dp);

// Main writes what context.h says that main writes; workers read and write it at the same time.
struct dp_context_table *dp_contexts(struct dp *dp);
// For an upstream loop, see loop_port.h.
struct dp_loop *dp_loop(struct dp *dp, unsigned loop);
unsigned dp_loop_count(const struct dp *dp);
// What the loops publish, see representation.h; NULL: nothing is stored.
struct dp_reps *dp_reps(struct dp *dp);
unsigned dp_worker_count(const struct dp *dp);
// The worker writes them: read them with dp_stat_read().
const struct dp_stats *dp_worker_stats(const struct dp *dp, unsigned worker);
// Of each route, by its slot: [DP_ROUTE_SLOTS].
const struct dp_route_stats *dp_worker_route_stats(const struct dp *dp, unsigned worker);
uint32_t dp_worker_exchanges_free(const struct dp *dp, unsigned worker);
// Packet buffers in use: by the worker, or in receive queues of its ports.
uint32_t dp_worker_mbufs(const struct dp *dp, unsigned worker);
// Exchanges with a separate answer that waits for its ACK. They are not free, but give way to a new
// request.
uint32_t dp_worker_unacked(const struct dp *dp, unsigned worker);
// Registrations of observers (RFC 7641).
uint32_t dp_worker_observations(const struct dp *dp, unsigned worker);
// Asks a worker about its observations. false: it has none. The answer before must have been taken.
bool dp_observed_ask(struct dp *dp, unsigned worker, const struct dp_observed_question *question)
	__attribute__((warn_unused_result));
// The answer, or NULL if it is not there yet. It stays until the next question.
const struct dp_observed_ask *dp_observed_answer(const struct dp *dp, unsigned worker);
// Exchanges of each worker, free or not.
uint32_t dp_worker_exchanges(const struct dp *dp);
// From now on workers answer requests that begin something with a protected 5.03, whose Max-Age is
// once to twice as many seconds; 0: they take them again. What is under way goes on, further blocks
// of a body among it.
void dp_drain(struct dp *dp, uint32_t return_s);
enum dp_rung dp_worker_rung(const struct dp *dp, unsigned worker);
// Age of the oldest answer that is kept for copies of its request, in milliseconds.
uint64_t dp_worker_answers_oldest_ms(const struct dp *dp, unsigned worker);
// Bytes that a worker wrote to its ring of answers up to now, and that each such ring has.
uint64_t dp_worker_answers_written(const struct dp *dp, unsigned worker);
uint64_t dp_answers_bytes(const struct dp *dp);
// Turns of the loop up to now: a worker whose number stands still is stuck.
uint64_t dp_worker_heartbeat(const struct dp *dp, unsigned worker);

// For a thread of the slow path, see slow.h.
struct dp_slow *dp_slow(struct dp *dp, unsigned thread);
unsigned dp_slow_count(const struct dp *dp);
// Has a worker take a request once more, as if it came from where it came from, but past the slow
// path. False if the worker has no room.
bool dp_reinject(struct dp *dp, unsigned worker, const struct dp_flow *flow, const uint8_t *coap,
	uint16_t len) __attribute__((warn_unused_result));

// Gives the workers another policy, which they read at the start of their next turns. The one
// before must live until dp_policy_is_settled(): no worker has it then, and all that was made by it
// is in the rings.
void dp_policy_swap(struct dp *dp, const struct dp_policy *policy);
bool dp_policy_is_settled(const struct dp *dp);

// Lets the workers use this run for own Partial IVs. Once a start, after it is durable.
void dp_run_grant(struct dp *dp, uint32_t run);
// Sets *run to the run of this start. Returns false if none was granted yet.
bool dp_run(const struct dp *dp, uint32_t *run);

// Lets the workers use seconds (Unix time) up to this one for own Partial IVs from the clock, after
// it is durable. They use none before the first call.
void dp_clock_grant(struct dp *dp, int64_t limit_s);
// Returns the highest second that a worker used (Unix time), 0 for none.
int64_t dp_clock_used(const struct dp *dp);

// Main sleeps on this; workers ring it for events and punted packets.
struct dp_doorbell *dp_bell(struct dp *dp);
// Returns whether an event or a packet for the kernel waits: for the check after dp_doorbell_arm().
bool dp_pending(const struct dp *dp);
// Frames from a worker for the kernel TAP, which main consumes; and frames of the kernel for a
// worker to send, which main produces.
struct dp_frame_ring *dp_to_kernel(struct dp *dp, unsigned worker);
struct dp_frame_ring *dp_from_kernel(struct dp *dp, unsigned worker);

// From now on workers make records of so many percent of the requests that they answer, if they
// made any at the start (dp_conf.access_percent).
void dp_access_percent(struct dp *dp, unsigned percent);
// Takes the oldest record of the access log of a worker. false if there is none.
bool dp_access_take(struct dp *dp, unsigned worker, struct dp_access_record *record);

// For tests and benchmarks, which give a worker its turns themselves.
struct dp_worker *dp_worker_get(struct dp *dp, unsigned id);

#endif
