// SPDX-License-Identifier: BSD-3-Clause
// The signals that no thread may block: a thread that blocks one is killed by it without a word in
// the log.

#ifndef POSTERN_BASE_FAULT_SIGNALS_H
#define POSTERN_BASE_FAULT_SIGNALS_H

#include <signal.h>

// Removes them from a set that a thread is about to block: the signals of a crash, and SIGSYS, by
// which a system call filter reports and main reaches each thread (gw/os/every_thread.h).
static inline void fault_signals_keep(sigset_t *set)
{
	sigdelset(set, SIGABRT);
	sigdelset(set, SIGSEGV);
	sigdelset(set, SIGBUS);
	sigdelset(set, SIGILL);
	sigdelset(set, SIGFPE);
	sigdelset(set, SIGSYS);
}

#endif
