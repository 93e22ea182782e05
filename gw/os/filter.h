// SPDX-License-Identifier: BSD-3-Clause
// Filters of system calls (seccomp). The process gets the union of what all its threads need, which
// also binds threads that are started later; each kind of thread then gets a filter of its own
// besides, the workers' being the tightest. A call that is not allowed ends the process with the
// names of the thread and the call in the log.

#ifndef POSTERN_GW_OS_FILTER_H
#define POSTERN_GW_OS_FILTER_H

#include "base/error.h"
#include "gw/conf/conf.h"

#include <signal.h>

// Loads the filters into all threads, which run already. Called after every_thread_open() and
// privileges_drop(), by main. CONF_SECCOMP_LOG: the kernel logs what is not allowed, and allows it.
// Returns 0 or -errno.
int filter_load(enum conf_seccomp mode, struct error *error) __attribute__((warn_unused_result));
// Handles a SIGSYS of the filters, for every_thread_open(): names the call and ends the process.
void filter_trap(const siginfo_t *info);

#endif
