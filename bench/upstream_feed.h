// SPDX-License-Identifier: BSD-3-Clause
// The loop as it ships, between rings, with all requests written before a round begins: this thread
// only passes handles on, so that the loop finds each exchange as a worker leaves it that has seen
// a hundred thousand others meanwhile, out of its caches.

#ifndef POSTERN_BENCH_UPSTREAM_FEED_H
#define POSTERN_BENCH_UPSTREAM_FEED_H

#include "dataplane/shared/exchange.h"
#include "gw/upstream/loop.h"

#define FEED_EXCHANGES (1u << 17)
#define FEED_DEVICES   1000
#define FEED_ROUNDS    101  // at most
#define FEED_ROOM      1152 // bytes of the largest answer, of which 1024 are payload

struct upstream_feed {
	struct conf *conf;
	struct dp_exchange_pool *exchanges;
	struct dp_loop *up;
	struct up_loop *loop;
	dp_handle *handle; // [FEED_EXCHANGES]
	char schedstat[64];
	// Of each round: CPU time of the loop a request, and requests a second.
	double ns[FEED_ROUNDS], rate[FEED_ROUNDS];
};

// Ends the program.
void upstream_feed_die(const char *why) __attribute__((noreturn));

// EAL runs. Starts a loop with this configuration on that CPU. All requests are GETs without
// options, request i of device i % FEED_DEVICES.
void upstream_feed_start(struct upstream_feed *feed, const char *config, unsigned loop_cpu);
void upstream_feed_end(struct upstream_feed *feed);

// The exchange of a request: the caller may change its request while no round runs.
struct dp_shared *upstream_feed_shared(const struct upstream_feed *feed, unsigned long i);

// Sends that many requests in turn, at most `window` under way, and takes their answers back.
void upstream_feed_round(
	struct upstream_feed *feed, unsigned long requests, unsigned window, unsigned round);

// Sorts what `rounds` rounds came to.
void upstream_feed_sort(struct upstream_feed *feed, unsigned long rounds);

#endif
