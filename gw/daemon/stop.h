// SPDX-License-Identifier: BSD-3-Clause
// Whether a stop is requested, and the clean stop.

#ifndef POSTERN_GW_DAEMON_STOP_H
#define POSTERN_GW_DAEMON_STOP_H

#include "gw/daemon/daemon.h"
#include "gw/daemon/registry.h"

// Takes the pending signals and returns whether the daemon is to stop. Long steps of the start call
// it now and then.
bool stop_requested(struct daemon *daemon);
// Stops all threads and frees *daemon, also after a start that failed. The workers stop before the
// store, so that the windows that it writes are exact and final. Returns 0, or -errno after the
// reason was logged.
int daemon_stop(struct daemon *daemon);

// The windows that a clean stop writes.
struct stop_windows {
	const struct registry *registry;
	uint32_t next; // 0 at first
};

// Gives the store the next window to write, for store_stop(). Runs on the store thread while main
// waits and no worker runs.
bool stop_window(void *arg, struct store_window *window);

#endif
