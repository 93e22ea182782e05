// SPDX-License-Identifier: BSD-3-Clause
// What the daemon asks of the kernel for its process as a whole: signals, limits, no core dumps.

#ifndef POSTERN_GW_OS_PROCESS_H
#define POSTERN_GW_OS_PROCESS_H

// Before any thread runs, so that all inherit it. Signals that tell the daemon something come by a
// descriptor from now on; real-time signals are left to gw/os/eal.c. Returns the descriptor or
// -errno.
int process_signals(void) __attribute__((warn_unused_result));

enum process_told {
	PROCESS_TOLD_NOTHING,
	PROCESS_TOLD_STOP,  // SIGTERM, SIGINT
	PROCESS_TOLD_OTHER, // a signal that has no use; it was logged
};

// Takes one signal that came, without waiting, and logs it.
enum process_told process_signal_take(int signal_fd);

// Keys are in this process's memory: no core dump, no ptrace by the same user, and as much of it
// may be locked as the hard limit allows. Before the first key.
void process_guard(void);

#endif
