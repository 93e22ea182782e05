// SPDX-License-Identifier: BSD-3-Clause
// Runs a function in each thread of the process, also in those that libraries started. The kernel
// keeps capabilities and system call filters for each thread by itself. glibc does this for
// setuid() only, and libpsx of libcap 2.66 knows only threads whose pthread_create() it wrapped
// when the program was linked, which EAL's are not.

#ifndef POSTERN_GW_OS_EVERY_THREAD_H
#define POSTERN_GW_OS_EVERY_THREAD_H

#include "base/error.h"

#include <signal.h>

#define EVERY_THREAD_WAIT_MS 60000 // for one thread to get its CPU and run it

// Runs in a signal handler of the thread, so it may call only what is async-signal-safe. `name` is
// the thread's name as the kernel has it. Returns 0 or -errno.
typedef int every_thread_run(const char *name, void *arg);

// Takes SIGSYS, which no thread may block (base/fault_signals.h). `trap` is called in the handler
// for a SIGSYS that a system call filter sends; NULL: nothing is. Returns 0 or -errno.
int every_thread_open(void (*trap)(const siginfo_t *info)) __attribute__((warn_unused_result));
// Calls run(name, arg) in all other threads one after the other, then in this one. Only main calls
// it, after every_thread_open(). Returns 0, or -errno of the first thread that fails, with the
// thread's name in the error's text.
int every_thread(every_thread_run *run, void *arg, struct error *error)
	__attribute__((warn_unused_result));

#endif
