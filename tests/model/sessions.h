// SPDX-License-Identifier: BSD-3-Clause
// The state of the model of sessions, see test_dp_sessions.c, and who does what with it.

#ifndef POSTERN_TESTS_MODEL_SESSIONS_H
#define POSTERN_TESTS_MODEL_SESSIONS_H

#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define DEVICES    12
#define WORKERS    BED_WORKERS_MAX
#define HISTORY    8192      // requests remembered; a power of two, as message ids index it
#define PIVS       (1 << 20) // of one key
#define FLOOD      544       // copies; more than a ring between workers holds
#define QUEUE_MAX  48        // packets in one burst, so that their order is kept
#define ECHO_FRESH 60000     // milliseconds in which an Echo value is valid for certain
#define ECHO_STALE 300000    // and after which it is not
#define CLOCK_FULL 900       // own Partial IVs of one second, after which the model lets it pass

struct model_device {
	struct bed_device bed;
	struct dp_flow flow;
	unsigned queue; // of the worker where its packets arrive
	unsigned batch; // with packets of it in a queue; all are in batch_queue
	unsigned batch_queue;
	uint64_t mid_ms[1 << 16]; // when it saw a message id of the gateway's last; 0: never
	bool there;
	bool drains; // it is not there, and what is in flight under its keys may be answered still
	bool own_piv;
	bool by_clock;                 // these are from the clock
	bool no_echo;                  // it has a mark, DP_CONTEXT_FLOOR
	bool contextual;               // it has an ID Context, and says so or not
	struct model_device *namesake; // has the same kid; NULL: none
	int64_t clock_next;            // by_clock: no own Partial IV of this context is below
	uint32_t base;                 // highest run base that its keys had
	bool base_due;                 // main could not tell it to its owner yet
	bool mark_due;
	uint32_t keys;    // how many keys it had
	uint32_t context; // how many contexts and unknown windows it had
	uint64_t mark;    // durable
	uint64_t next;    // its sequence number
	// What the gateway may know of it.
	bool window_known;
	uint64_t floor;   // everything below is refused
	uint64_t highest; // accepted, + 1
	uint8_t *seen;    // [PIVS] accepted
	// What it was told.
	uint32_t echo_context; // the context that made the Echo value; 0: none
	uint64_t echo_ms;
	uint8_t echo[40];
	uint16_t echo_len;
};

struct model_request {
	struct bed_request bed;
	struct bed_device device; // as it was
	unsigned from;
	uint32_t keys, context;
	uint32_t echo_context; // its Echo value is for this context
	uint64_t echo_ms;
	bool own_piv;
	bool by_kid; // it does not say its ID Context
	bool sent;   // held back until then
	bool accepted;
	bool dispatched;
	bool acked; // by an empty ACK
	bool answered;
	bool leaving;  // its device was removed, but its owner may answer still
	bool draining; // its context drains, so that its owner has to answer still
	bool gone;     // and its owner let go of it
	uint32_t number;
	uint8_t answer[16];
};

extern struct bed bed;
extern struct model_device devices[DEVICES];
extern struct model_request history[HISTORY];
extern uint32_t serial;   // of requests
extern unsigned queued;   // packets since the last turn
extern uint64_t clock_ms; // that was let pass
extern uint64_t accepted, dispatched, local_answers, frames, floods;
extern struct held {
	dp_handle handle;
	unsigned worker;
} held[WORKERS * BED_EXCHANGES];
extern unsigned held_count;
extern bool whole_names; // of all devices, for now
extern unsigned batch;   // packets that are in the queues together
extern int64_t wall_ms;  // the clock that own Partial IVs are made of, since the epoch
extern bool wall_stands;
extern int64_t wall_used;   // highest second of it that was used
extern uint32_t set_serial; // when it was set last
extern bool leaving;        // some of history[] are
extern uint64_t seed;
extern unsigned step;

#define must(cond, ...)                                                                        \
	do {                                                                                   \
		if (!(cond)) {                                                                 \
			fprintf(stderr, "POSTERN_SEED=%lu, step %u: " #cond "\n", seed, step); \
			cr_assert_fail(__VA_ARGS__);                                           \
		}                                                                              \
	} while (0)

// sessions_devices.c: chance, the devices and what the gateway may know of them, and main.

// A number below this one. It follows from the seed.
uint64_t rnd(uint64_t below);
// The first ones follow from this seed.
void rnd_seed(uint64_t from);
// Gives a device new keys.
void device_keys(struct model_device *d);
// The clock that own Partial IVs are made of, for dp_clock.read.
int64_t wall_read(void);
// Adds it with the keys it has.
void device_add(struct model_device *d, bool window_known);
// Main does what there is to do. A poll does bounded work, so there are several.
void poll_all(void);
// The model's verdict on one packet, in order of arrival.
void foretell(struct model_request *r);

// sessions_checks.c: whether what comes out of the gateway may be.

// Takes all messages that were sent, and all requests that were handed on.
void take_answers(void);
void take_requests(void);
// Each exchange that is taken counts once for its context, as what it waits for, and in no list
// for one that is gone.
void check_shares(void);

// sessions_requests.c: what devices send, and what follows.

// Workers do what there is to do, and all that comes of it is checked.
void turn(void);
// Packets of one device keep their order, for the model has to know it: in one batch they come to
// one worker, which mostly is the device's.
void put(unsigned from, const struct dp_flow *flow, const uint8_t *coap, size_t len);
// Sends a request, unless the gateway's clock decides and not the model.
void send_request(struct model_request *r);
// Whether the gateway's clock decides, and not the model.
bool echo_is_doubtful(const struct model_request *r);
// Whether a clock that was set may keep its answer from being sealed.
bool clock_was_set(const struct model_request *r);
// Whether it has an answer, or none is to come any more.
bool ended(const struct model_request *r);
// The next one of a device.
struct model_request *make_request(unsigned from, uint64_t piv, bool with_echo);
// One that was made lately, or NULL.
struct model_request *some_request(void);

// sessions_operations.c: one of the things that devices, backends, main and strangers do.

void one_step(void);
// So much time passes.
void pass(uint64_t ms);
// Some time passes, and main comes to its turn.
void later(void);
// A backend answers held[i].
void respond(unsigned i);

#endif
