// SPDX-License-Identifier: BSD-3-Clause
// Counters of the daemon at a moment, and what happened between two.

#ifndef POSTERN_GW_TOOLS_CTL_TOP_SAMPLE_H
#define POSTERN_GW_TOOLS_CTL_TOP_SAMPLE_H

#include "gw/tools/ctl/cli.h"

#include <stddef.h>

#define TOP_WORKERS_MAX 64

struct top_counter {
	char *name;        // as `posternctl stats` lists it
	uint64_t total;    //
	uint64_t *workers; // NULL: not counted by worker
	unsigned worker_count;
};

struct top_sample {
	uint64_t ms; // CLOCK_MONOTONIC
	struct top_counter *counter;
	size_t count, room;
	// Of the status.
	char version[32], state[32], alarm[128];
	uint64_t uptime_ms, devices, devices_max;
	unsigned alarms, workers;
};

// Asks the daemon for its status and its counters. Returns an enum cli_exit, and has complained if
// it is not CLI_OK. top_sample_free() ends it in any case.
int top_sample_take(struct cli *cli, struct top_sample *sample);
void top_sample_free(struct top_sample *sample);

// A counter by its name, NULL if there is none. `hint`: where it may be.
const struct top_counter *top_find(const struct top_sample *sample, const char *name, size_t hint);
// How much counter i of `now` grew since `then`, a second; of one worker, or of all (-1).
double top_rate(const struct top_sample *now, const struct top_sample *then, size_t i, int worker);
// The same of a counter by its name; 0 if there is none.
double top_rate_of(
	const struct top_sample *now, const struct top_sample *then, const char *name, int worker);
uint64_t top_value(const struct top_sample *sample, const char *name);

// Bounds of latencies that are told, in microseconds: `stats` has them in names.
#define TOP_BUCKETS 21

struct top_latency {
	uint64_t below[TOP_BUCKETS]; // each with those before it
};

// Adds what a server answered between two samples; `server` is its name, "telemetry.0".
void top_latency_add(struct top_latency *latency, const struct top_sample *now,
	const struct top_sample *then, const char *server, size_t hint);
// Writes the bound below which this share of them was, or "-". Returns `text`.
const char *top_latency_text(const struct top_latency *latency, unsigned percent, char text[16]);

#endif
