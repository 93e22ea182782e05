// SPDX-License-Identifier: BSD-3-Clause
// An upstream loop between rings, which the test fills and empties as a worker does, and servers.

#ifndef POSTERN_TESTS_UNIT_GW_UPSTREAM_BED_H
#define POSTERN_TESTS_UNIT_GW_UPSTREAM_BED_H

#include "dataplane/shared/representation.h"
#include "gw/upstream/loop.h"
#include "tests/unit/gw/http/peer.h"
#include "tests/unit/gw/http/server.h"

#define LONG_MS   20000
#define BED_SLOT  5    // where all routes are counted
#define BED_SLOTS 4096 // for what is stored

struct bed {
	struct conf *conf;
	struct conf *first;  // of the start
	struct conf *before; // bed_reload(); NULL: settled
	uint16_t snapshot;   // of requests
	struct up_slots *slots;
	struct dp_reps *reps;
	struct dp_exchange_pool *exchanges;
	struct dp_loop *up;
	struct up_loop *loop;
	struct up_access_log *access;
	bool no_name;
	bool stale;      // requests have not shown to be fresh
	uint32_t device; // that asks, 0: one of no interest
	uint64_t piv;
	unsigned out;        // requests that did not come back yet
	unsigned routes;     // of bed_routes
	uint32_t context;    // of the device whose answer was pulled last
	uint64_t pulled_piv; // of its request
};

// "log: .." of the beds that are made, or "".
extern const char *bed_log;
// More keys of the route /honoured/*, each behind a comma, or "".
extern const char *bed_honoured;

// Requests are messages that are passed through, by the first entry of `passthrough`.
extern bool bed_pass;

// Lines of routes in front of the others, or ""; requests with "path=b0" go to the first, and so
// on.
extern const char *bed_routes;
// A line "cache: .." of the configuration, or "".
extern const char *bed_cache;
// How many requests there can be at a time.
extern unsigned bed_exchanges;
// Bytes of payload that devices take.
extern uint16_t bed_payload_max;

uint64_t bed_now_ms(void);

// upstream: the lines under "up:" in a configuration file, in braces. Aborts if it cannot.
struct bed *bed_make(const char *upstream);
// The same for the first of so many loops.
struct bed *bed_make_one_of(unsigned loops, const char *upstream);
// With one server; `more`: keys of the upstream beside it, or "".
struct bed *bed_for(const struct server *server, const char *more);
// With so many servers.
struct bed *bed_for_all(struct server *const *server, unsigned count, const char *more);
// Like main at a reload: has the loop use these lines, and bed_routes as it is now. Requests that
// are pushed from now on are of them, and none of those before is pushed any more.
void bed_reload(struct bed *bed, const char *upstream);
// The same in its steps: has the loop use them, then says that no request of before is pushed.
void bed_switch(struct bed *bed, const char *upstream);
void bed_last_pushed(struct bed *bed);
// Whether what was before is over, then waits until it is, and frees it.
bool bed_is_settled(const struct bed *bed);
void bed_settle(struct bed *bed);
// Expects that all that came in went back, and stops the loop.
void bed_end(struct bed *bed);

uint64_t bed_stat(const struct bed *bed, enum up_stat which);
// The sum of so many from there on.
uint64_t bed_stats(const struct bed *bed, enum up_stat first, unsigned count);
// Expects that the routes had so many answers of each class, and no other, with their times.
void bed_expect_answers(const struct bed *bed, uint64_t of_2xx, uint64_t of_4xx, uint64_t of_5xx);
// Waits until a statistic is at least this.
void bed_wait_stat(const struct bed *bed, enum up_stat which, uint64_t value);
// Waits until so many servers are up.
void bed_wait_up(const struct bed *bed, size_t up);

// Like a worker: fills an exchange from a line (text.h), pushes its handle, rings. Returns the
// handle.
dp_handle bed_push_deadline(struct bed *bed, const char *line, uint32_t timeout_ms);
dp_handle bed_push(struct bed *bed, const char *line);
// The same without a ring of the bell.
dp_handle bed_push_quietly(struct bed *bed, const char *line, uint32_t timeout_ms);
// Waits for the next answer. "" for one without an answer. The exchange is free afterwards.
const char *bed_pull(struct bed *bed, dp_handle *handle);
// As a worker that does not wait for the answer any more.
void bed_abandon(struct bed *bed, dp_handle handle);
const char *bed_ask(struct bed *bed, const char *line);
// How many of the next `count` answers start like this.
unsigned bed_answers_like(struct bed *bed, unsigned count, const char *start);

struct server *bed_server(const char *name);

// Expects that an answer starts like this, or has it somewhere.
void bed_expect_start(const char *answer, const char *start);
void bed_expect_part(const char *answer, const char *part);

#define EXPECT_ANSWER(answer, want)                                      \
	do {                                                             \
		const char *got_ = (answer);                             \
		cr_expect_str_eq(got_, want, "%s\nnot\n%s", got_, want); \
	} while (0)

#endif
