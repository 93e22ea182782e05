// SPDX-License-Identifier: BSD-3-Clause
// All counters of the daemon, one after the other. What `posternctl stats` shows is made from this,
// and so are the metrics. Reading asks no worker and no loop.

#ifndef POSTERN_GW_DAEMON_COUNTERS_H
#define POSTERN_GW_DAEMON_COUNTERS_H

#include "base/unit.h"
#include "gw/daemon/daemon.h"

#define COUNTER_NAME_MAX 128 // bytes, with the 0 at the end

struct counter {
	// Lower-case letters, digits and "_", as Prometheus has it. Counters of one name have the
	// same label, help, unit and kind, and differ in the label's value.
	char name[COUNTER_NAME_MAX];
	const char *label; // NULL: none
	const char *label_value;
	const char *upstream;          // of a server: a second label, "upstream"; else NULL
	const char *url;               // of a server
	char listed[COUNTER_NAME_MAX]; // as `posternctl stats` shows it, with the label's value
	const char *help;
	enum unit unit;
	bool is_gauge; // goes up and down
	uint64_t value;
	uint64_t workers[DP_WORKERS_MAX]; // the part of each worker
	unsigned worker_count;            // 0: not counted by worker
	// A histogram, `grouped` only: how many fell into each bucket, whose bounds double from
	// 2^bucket_first on, while the last one has none; `value` is the sum of what was measured.
	uint64_t buckets[UP_LATENCY_BUCKETS];
	unsigned bucket_first;
	unsigned bucket_count; // 0: none
};

#define COUNTERS_OF_MAIN_MAX 128

// What only main's thread may read, for other threads. main makes it.
struct counters_copy {
	struct counter counter[COUNTERS_OF_MAIN_MAX];
	uint8_t source[COUNTERS_OF_MAIN_MAX];
	size_t count;
};

// Where an iteration is. {.daemon = daemon} is before the first counter, with what else the caller
// wants.
struct counters {
	const struct daemon *daemon;
	// All of one name together, without `listed`; and one histogram instead of its counters.
	bool grouped;
	const struct counters_copy *copy; // for another thread than main, which wants `grouped`
	size_t source, row;
	size_t copied; // of copy
	bool begun;
	size_t slots, servers; // of upstreams and servers, when it began
	bool some_gone;        // of them
};

// Reads the next counter; false behind the last. Texts of *counter are valid as long as the daemon.
bool counters_next(struct counters *at, struct counter *counter);
// main's thread: reads what only it may read.
void counters_copy_make(struct daemon *daemon, struct counters_copy *copy);

#endif
