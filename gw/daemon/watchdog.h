// SPDX-License-Identifier: BSD-3-Clause
// A thread that looks each second whether main, the workers and the loops get on (health.h), names
// in the log who does not, and feeds the watchdog of the service manager ($WATCHDOG_USEC) only
// while all do. It also asks for more time while a start or a stop that gets on takes longer than
// the service manager would wait: the store must not be killed at its work, or no window is known.

#ifndef POSTERN_GW_DAEMON_WATCHDOG_H
#define POSTERN_GW_DAEMON_WATCHDOG_H

#include "gw/daemon/daemon.h"
#include "gw/daemon/health.h"

#define WATCHDOG_STEP_MS 600000 // the longest step of a start or a stop that more time is asked for

struct watchdog;

// Starts the thread. Until watchdog_run() the daemon starts. Returns 0 or -errno.
int watchdog_start(struct daemon *daemon) __attribute__((warn_unused_result));
// Restricts the thread to the CPUs of the caller, as log_keep_to_my_cpus().
void watchdog_keep_to_my_cpus(struct watchdog *watchdog);
// The daemon has started: from now on its threads are looked at.
void watchdog_run(struct watchdog *watchdog);
// The daemon stops: its threads are not looked at any more. NULL is allowed.
void watchdog_stop(struct watchdog *watchdog);
// Ends the thread. NULL is allowed.
void watchdog_free(struct watchdog *watchdog);

// Any thread: how many are stuck, and whether one of them is. NULL: none.
unsigned watchdog_stuck(const struct watchdog *watchdog);
bool watchdog_is_stuck(const struct watchdog *watchdog, unsigned thread);

#endif
