// SPDX-License-Identifier: BSD-3-Clause
// What the pages are made of. Private to metrics.c and page.c.

#ifndef POSTERN_GW_DAEMON_METRICS_INSIDE_H
#define POSTERN_GW_DAEMON_METRICS_INSIDE_H

#include "gw/daemon/counters.h"

#include <pthread.h>

// What main publishes each second, in one piece.
struct metrics_copy {
	struct counters_copy counters;
	const char *alarm[DAEMON_ALARMS_MAX];
	size_t alarm_count;
	bool draining;
	uint32_t ports_down; // bit n: port n
	uint32_t ports_gone; // the same: its network device was removed
};

struct metrics {
	struct daemon *daemon;
	uint64_t copy_ms;         // main: when to make the next copy
	uint64_t started_s;       // Unix time
	bool shows_urls;          // of servers, on the page
	struct metrics_copy next; // main's, while it makes one
	pthread_mutex_t lock;     // of what follows; held for as long as copying takes
	struct metrics_copy copy;
};

#endif
