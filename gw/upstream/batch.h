// SPDX-License-Identifier: BSD-3-Clause
// Readings that are sent together. Private to the loop; all of it belongs to the loop's thread.
//
// A collector, one a route with `batch`, writes the record of each reading into the open batch as
// it comes. A closed batch is sent as one part; if the server refuses it, the part is cut in two,
// which share the batch's bytes: they are frozen then. Every member goes back to its worker exactly
// once.

#ifndef POSTERN_GW_UPSTREAM_BATCH_H
#define POSTERN_GW_UPSTREAM_BATCH_H

#include "gw/batch/record.h"
#include "gw/map/batch.h"
#include "gw/upstream/attempt.h"
#include "gw/upstream/bodies.h"
#include "gw/upstream/call.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define UP_BATCH_SPARE    8    // batches that a collector keeps
#define UP_SUSPECTS       1024 // devices whose records were refused, remembered by a collector
#define UP_SUSPECT_MS     60000
#define UP_PREFETCH_AHEAD 8 // members

#define UP_MEMBER_FETCH UINT16_MAX

// A reading that is in a batch, or was.
struct up_member {
	struct dp_shared *shared; // of its exchange; of an up_fetch, for a body of many blocks
	dp_handle handle;
	uint32_t offset; // of its record in the body
	uint16_t port;   // index of its worker's; UP_MEMBER_FETCH
	// SZX + 1 of the Block options with which it is whole in itself; 0: it has none.
	uint8_t block1, block2;
};

struct up_batch {
	struct up_collector *from;
	struct up_batch *next; // spare
	uint8_t *body;
	size_t room; // bytes at body
	size_t len;
	size_t members_max;
	unsigned count;
	unsigned parts;       // that have members of it
	unsigned requests;    // that were sent with members of it, or will be
	uint64_t arrived_ms;  // of the oldest
	uint64_t deadline_ms; // the earliest
	struct up_member member[];
};

// A device whose record was refused, alone or among others: what it sends for a while goes without
// others.
struct up_suspect {
	uint32_t context, generation;
	uint64_t until_ms;
	bool alone; // it was; else a success ends the suspicion
};

struct up_collector {
	TAILQ_ENTRY(up_collector) link;
	uint32_t id; // never another's, not 0
	struct up_snapshot *snapshot;
	const struct conf_route *route;
	const struct batch_form *form;
	struct up_group *group;
	struct up_batch *open; // NULL: none
	struct up_batch *spare;
	unsigned spare_count;
	bool refusing;     // the last batch was refused as a whole
	uint64_t pause_ms; // until then nothing is sent
	uint64_t say_ms;   // when to log that batches are refused again
	struct up_suspect suspect[UP_SUSPECTS];
};

// Members of a batch that are sent as one request, or will be. A call stands for all of them in the
// access log.
struct up_part {
	TAILQ_ENTRY(up_part) link; // waiting or flying
	struct up_batch *batch;
	struct up_part_flight *flight; // NULL while it waits
	unsigned first, count;         // of its members
	bool half;
	uint64_t waits_ms; // since when it waits
	struct up_call call;
	char key[MAP_BATCH_KEY_LEN + 1];
};

struct up_part_flight {
	struct up_attempt attempt;
	struct up_part *part;
	struct up_part_flight *next; // in the free list
};

_Static_assert(offsetof(struct up_part_flight, attempt) == 0, "a transfer is cast to its flight");

TAILQ_HEAD(up_collector_list, up_collector);

// What all collectors of a loop share.
struct up_batches {
	struct up_ways *ways;
	struct up_part_list flying;
	struct up_part_flight *free_flights;
	uint64_t unix_offset_ms; // of CLOCK_REALTIME to CLOCK_MONOTONIC, looked at in each turn
};

// ---- batch_room.c: memory

// NULL if out of memory.
struct up_batch *up_batch_make(struct up_collector *c);
// A batch that fills little of its room becomes a copy without it: what is under way takes memory
// in proportion to the exchanges that are in it.
struct up_batch *up_batch_trim(struct up_batch *batch);
void up_batch_give(struct up_batch *batch);
// Frees what is spare.
void up_collector_free(struct up_collector *c);

// ---- batch_answer.c: answers

// Hands one reading back with an error; it was not in a batch yet.
void up_member_fail(
	struct up_collector *c, const struct up_member *m, enum http_error error, uint32_t max_age);
// The same for a payload that cannot be translated.
void up_member_fault(
	struct up_collector *c, const struct up_member *m, const struct tr_fault *fault);
// Hands back one that was given up before its batch was closed.
void up_member_abandon(struct up_collector *c, const struct up_member *m);
// Hands all members of a part back, with an error, and ends the part. max_age: of 5.03, and what it
// is spread by; 0: the usual one.
void up_part_fail(struct up_part *part, enum http_error error, uint32_t max_age);
// The same with what a device gets for this status: of each (status[i]), or of all.
void up_part_answer(struct up_part *part, const uint16_t *status, uint16_t all);
// Ends a part whose members have all been given up.
void up_part_abandon(struct up_part *part);
// Whether they have.
bool up_part_is_abandoned(const struct up_part *part);

// ---- batch_send.c: requests

// Sends a closed batch, or has it wait in its upstream's queue.
void up_batch_send(struct up_batch *batch);
// The first part leaves the upstream's queue and is sent.
void up_part_launch_first(struct up_group *group);
// Hands back the parts that waited for too long; with no server up, all.
void up_parts_expire(struct up_group *group);
// When the first of them has; UINT64_MAX: none waits.
uint64_t up_parts_next_ms(const struct up_group *group);
// Hands back the parts that the workers gave up.
void up_parts_sweep(struct up_loop *loop);
// Hands back all that wait, and, if `flying`, all that are under way: the loop stops.
void up_parts_stop(struct up_loop *loop, bool flying);

// ---- ways.c: what readings have in common

// NULL if out of memory.
struct up_ways *up_ways_make(void);
void up_ways_free(struct up_ways *ways);
void up_ways_prefetch(const struct up_ways *ways, const struct dp_shared *shared);

// A request, as far as its way matters.
struct up_way_request {
	const struct dp_request *device;
	const uint8_t *body; // its options, and the payload unless `whole` is
	uint16_t body_len;
	const uint8_t *whole; // the payload, if it does not stand behind the options; or NULL
	size_t whole_len;
};

enum up_way_verdict {
	UP_WAY_OK,     // way and reading are set
	UP_WAY_SINGLE, // the request goes by itself, or is refused by whoever sends it
	UP_WAY_FAILED, // error says why, and fault more of HTTP_ERR_bad_cbor
};

struct up_way {
	const struct batch_way *way;
	struct batch_reading reading; // payload and len are set, as the service gets them
	enum http_error error;
	struct tr_fault fault;
};

// Finds or makes the way of a request to this collector, and its payload. Both are valid until the
// next call.
enum up_way_verdict up_way_of(struct up_loop *loop, const struct up_collector *c,
	const struct up_way_request *request, struct up_way *found);

// ---- batch.c: collecting

// Whether a route of a configuration has batches.
bool up_batches_wanted(const struct conf *conf);
// NULL if out of memory.
struct up_batches *up_batches_make(void);
// NULL is allowed.
void up_batches_free(struct up_batches *batches);
// For all routes of a snapshot that has its groups. Returns 0 or -ENOMEM.
int up_collectors_make(struct up_loop *loop, struct up_snapshot *snapshot);
// The collectors of routes that were there before go on with what is known of services and devices.
void up_collectors_inherit(struct up_snapshot *snapshot, const struct up_snapshot *before);
// Nothing comes to a snapshot any more: sends what is open.
void up_collectors_close(struct up_snapshot *snapshot);
// A snapshot ends: its services count no more as refusing.
void up_collectors_settle(struct up_snapshot *snapshot);
void up_collectors_free(struct up_snapshot *snapshot);
// Before requests are taken: what time it is.
void up_batches_clock(struct up_loop *loop);
// Begins to read the exchanges of requests that are taken next.
void up_batch_prefetch(const struct up_loop *loop, const struct dp_shared_pool *pool,
	const dp_handle *handles, unsigned count);
// Takes a request that came for a batch, unless the loop stops. false: it goes by itself.
bool up_batch_take(struct up_loop *loop, unsigned port, dp_handle handle, struct dp_shared *shared)
	__attribute__((warn_unused_result));
// The same for a request with Block options that is whole in itself. true: the call is free.
bool up_batch_take_call(struct up_call *call, const struct body_request *r)
	__attribute__((warn_unused_result));
// The same for a body that came in blocks, which is one record: its bytes are copied, and the fetch
// comes back by its returned().
bool up_batch_take_fetch(struct up_fetch *fetch) __attribute__((warn_unused_result));
// The most bytes that a body may have, so that its record is not larger than a batch.
uint64_t up_batch_body_max(const struct conf_route *route);
// Closes the batches that waited long enough.
void up_batches_turn(struct up_loop *loop);
// When the first of them has; UINT64_MAX: none is open.
uint64_t up_batches_next_ms(const struct up_loop *loop);
// Hands back what is open: the loop stops.
void up_batches_stop(struct up_loop *loop);

#endif
