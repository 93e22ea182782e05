// SPDX-License-Identifier: BSD-3-Clause
// Sets up the process as a whole: signals, limits, no core dumps.

#ifndef POSTERN_GW_OS_PROCESS_H
#define POSTERN_GW_OS_PROCESS_H

// Blocks SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2, and opens a signalfd for them; ignores
// SIGPIPE and SIGXFSZ. Called before any thread runs, so that all threads inherit it. Real-time
// signals are gw/os/eal.c's. Returns the descriptor or -errno.
int process_signals(void) __attribute__((warn_unused_result));

enum process_signal {
	PROCESS_SIGNAL_NONE,    // no signal is pending
	PROCESS_SIGNAL_STOP,    // SIGTERM, SIGINT
	PROCESS_SIGNAL_RELOAD,  // SIGHUP
	PROCESS_SIGNAL_IGNORED, // another one, which has no effect but its line in the log
};

// Reads the next pending signal, without waiting, and logs it.
enum process_signal process_signal_take(int signal_fd);

// Protects the keys in the memory of this process: forbids core dumps and ptrace by the same user,
// and raises the limit of locked memory as far as it may. Called before the first key is read.
void process_guard(void);

#endif
