// SPDX-License-Identifier: BSD-3-Clause
// Which threads are stuck. Each tells its progress by a number that its turns change; one that has
// work and whose number stood still for HEALTH_STUCK_MS (less where the service
// manager has less patience) is stuck. A slow store is an alarm, not
// this.

#ifndef POSTERN_GW_DAEMON_HEALTH_H
#define POSTERN_GW_DAEMON_HEALTH_H

#include "gw/daemon/daemon.h"

#define HEALTH_STUCK_MS    10000
#define HEALTH_LOOK_MS     5000 // looks that are further apart tell nothing: all of us stood still
#define HEALTH_THREADS_MAX (1 + DP_WORKERS_MAX + CONF_LOOPS_MAX + DP_SLOW_THREADS_MAX)
#define HEALTH_NAME_MAX    24 // bytes

// What a thread tells.
struct health_sign {
	uint64_t progress;
	bool idle; // it sleeps, and there is nothing to do
};

// What was seen of the threads. Zeroed at first; of the thread that looks.
struct health {
	struct {
		uint64_t progress;
		uint64_t since_ms; // when it last changed, or the thread was idle
		bool stuck;        // as `stuck` below: stored atomically
	} thread[HEALTH_THREADS_MAX];
	uint64_t looked_ms;
	uint64_t stuck_ms; // set before the first look; 0: HEALTH_STUCK_MS
	unsigned stuck;    // threads
};

// Any thread: reads main, the workers, the loops and the threads of handshakes, in this order.
// Returns how many there are.
unsigned health_read(const struct daemon *daemon, struct health_sign signs[HEALTH_THREADS_MAX]);
// Writes the name of one of them: "main", "worker 3", "loop 0",
// "handshakes 0".
void health_name(const struct daemon *daemon, unsigned thread, char name[HEALTH_NAME_MAX]);
// Takes in what they tell now. Called each second or so.
void health_look(
	struct health *health, const struct health_sign *signs, unsigned count, uint64_t now_ms);

#endif
