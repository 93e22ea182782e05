// SPDX-License-Identifier: BSD-3-Clause
// Loops, workers, clients and the log as a reload sees them, in the place of the real ones, by the
// linker. Checks by itself what no order of events may break.

#ifndef POSTERN_TESTS_UNIT_GW_DAEMON_RELOAD_BED_H
#define POSTERN_TESTS_UNIT_GW_DAEMON_RELOAD_BED_H

#include "gw/conf/diff.h"
#include "gw/daemon/reload.h"

#include <stdbool.h>

#define LOOPS     3
#define NAMES_MAX 128

// A loop as main sees it.
struct fake_loop {
	uint16_t has; // number of the configuration
	bool settled;
	bool last_pushed;
	bool switched;
};

extern struct daemon gateway;
extern struct fake_loop loops[LOOPS];
extern int fails_in;      // the loop that cannot prepare; -1: none
extern bool workers_left; // the policy of before
extern unsigned records;  // of the access log, in the rings of the workers

// What happened.
extern unsigned prepared; // and neither installed nor discarded
extern unsigned swaps;    // of the workers' policy
extern const struct dp_policy *policy;
extern unsigned records_lost; // that were there when the loops were told, or later
extern unsigned freed;        // snapshots
extern unsigned ends, errors; // answers
extern enum ctl_error error_code;
extern char error_text[512];
extern char told[NAMES_MAX][CONF_DIFF_KEY_MAX]; // keys of the last listing
extern unsigned told_count, start_count;
extern enum conf_log_level logged_level;
extern bool logged_json;

#endif
