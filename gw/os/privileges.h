// SPDX-License-Identifier: BSD-3-Clause
// Gives up what only the start needs: capabilities, and the right to gain any (no_new_privs).

#ifndef POSTERN_GW_OS_PRIVILEGES_H
#define POSTERN_GW_OS_PRIVILEGES_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

// Whether this process reaches a path (R_OK, W_OK, X_OK of access(2)) also without the capabilities
// to override permissions. Only the thread that asks lacks them, and for this call only.
bool privileges_reach(const char *path, int mode);
// Takes all capabilities from all threads, but CAP_DAC_OVERRIDE if keep_override, which root has
// that works on files of others; and sets no_new_privs. Called after every_thread_open(). Returns 0
// or -errno.
int privileges_drop(bool keep_override, struct error *error) __attribute__((warn_unused_result));
// Capabilities of the calling thread, in the bits of capabilities(7): those that it may use.
uint64_t privileges_now(void);

#endif
