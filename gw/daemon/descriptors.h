// SPDX-License-Identifier: BSD-3-Clause
// How many file descriptors the daemon can come to use, and the limit for them.

#ifndef POSTERN_GW_DAEMON_DESCRIPTORS_H
#define POSTERN_GW_DAEMON_DESCRIPTORS_H

#include "gw/conf/conf.h"

#include <stddef.h>
#include <stdint.h>

// The most that this configuration needs beside those that are open now, if it has all connections
// that it may have. huge_pages: of DPDK's memory, which has a descriptor for each.
uint64_t descriptors_needed(const struct conf *conf, size_t huge_pages);
// Raises RLIMIT_NOFILE so that `more` descriptors can be opened beside those that are open. Returns
// 0, or -errno with a sentence in err that has the number.
int descriptors_raise(uint64_t more, char *err, size_t err_len) __attribute__((warn_unused_result));

#endif
