// SPDX-License-Identifier: BSD-3-Clause
// All counters of the daemon, one after the other. What `posternctl stats` shows is made from this,
// and so is whatever else has to have all of them. Reading asks no worker and no loop.

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
	char listed[COUNTER_NAME_MAX]; // as `posternctl stats` shows it, with the label's value
	const char *help;
	enum unit unit;
	bool is_gauge; // goes up and down
	uint64_t value;
	uint64_t workers[DP_WORKERS_MAX]; // the part of each worker
	unsigned worker_count;            // 0: not counted by worker
};

// Where an iteration is. {.daemon = daemon} is before the first counter.
struct counters {
	const struct daemon *daemon;
	size_t source, row;
};

// Reads the next counter; false behind the last. Texts of *counter are valid as long as the daemon.
bool counters_next(struct counters *at, struct counter *counter);

#endif
