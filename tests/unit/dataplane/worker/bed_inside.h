// SPDX-License-Identifier: BSD-3-Clause
// What tests see and change inside the workers of a bed. No other test knows what a struct
// dp_worker is made of.

#ifndef POSTERN_TESTS_UNIT_DATAPLANE_WORKER_BED_INSIDE_H
#define POSTERN_TESTS_UNIT_DATAPLANE_WORKER_BED_INSIDE_H

#include "dataplane/state/echo.h"
#include "dataplane/state/exchange_pool.h"
#include "dataplane/state/mids.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

// Whether packets of the usual shape take the fast paths, from now on, at all workers.
void bed_fast_paths(struct bed *bed, bool fast);

// One turn of one worker. Returns how much work it found.
unsigned bed_turn_one(struct bed *bed, unsigned worker);
// One turn of each worker, on its lcore.
void bed_turn_on_lcores(struct bed *bed);

// CLOCK_MONOTONIC as the first worker read it last, in milliseconds.
uint64_t bed_now_ms(const struct bed *bed);
// The clock of the first worker runs so many times too fast, until bed_clock_set() sets it right
// and bed_run_clock() lets it run as it should.
void bed_fast_clock(struct bed *bed, unsigned times);
void bed_clock_set(struct bed *bed);
// The clock of a worker is this much behind those of the others, once they have gone on for longer.
void bed_clock_behind(struct bed *bed, unsigned worker, uint64_t ms);

// Takes the oldest event of a worker. false if there is none.
bool bed_event_take(struct bed *bed, unsigned worker, struct dp_event *event);
// Takes all events of a worker. Returns how many of them were of this type.
unsigned bed_events_take(struct bed *bed, unsigned worker, enum dp_event_type type);
unsigned bed_events_count(const struct bed *bed, unsigned worker);
// Fills the ring of events of a worker: the next one is lost.
void bed_events_fill(struct bed *bed, unsigned worker);

// Takes all packet buffers of the first worker, at most room. Returns how many;
// rte_pktmbuf_free_bulk() gives them back.
unsigned bed_mbufs_take(struct bed *bed, struct rte_mbuf **all, unsigned room);
struct rte_mempool *bed_worker_pool(const struct bed *bed, unsigned worker);
// Frames that a worker queues for a port before it sends them.
unsigned bed_tx_room(const struct bed *bed);

const struct aead_engine *bed_worker_engine(const struct bed *bed, unsigned worker);
const struct dp_exchange_pool *bed_exchanges(const struct bed *bed, unsigned worker);
// The worker half of an exchange of the first worker.
const struct dp_exchange *bed_exchange(const struct bed *bed, dp_handle handle);
// Message ids of the first worker.
struct dp_mids *bed_mids(const struct bed *bed);
// Uses up those for the usual device, as of this time.
void bed_mids_use_up(struct bed *bed, uint64_t now_ms);
// Forgets all answers, as if those of others had overwritten them.
void bed_answers_forget(struct bed *bed);
// Forgets which Partial IVs of a device were accepted.
void bed_window_forget(struct bed *bed, uint32_t context);
// An Echo value as the first worker makes it.
void bed_echo_make(const struct bed *bed, uint32_t context, uint32_t generation, uint64_t phase,
	uint64_t then_ms, uint8_t value[DP_ECHO_LEN]);

// What dp_conf says otherwise, of the first worker; and of all: no rung of the overload ladder.
void bed_set_ack_timeout(struct bed *bed, uint32_t ms);
void bed_set_nap(struct bed *bed);
void bed_set_access_percent(struct bed *bed, unsigned percent);
void bed_never_overloaded(struct bed *bed);

#endif
