// SPDX-License-Identifier: BSD-3-Clause
// How many file descriptors the daemon can come to use, and the limit for them.

#ifndef POSTERN_GW_DAEMON_DESCRIPTORS_H
#define POSTERN_GW_DAEMON_DESCRIPTORS_H

#include "base/error.h"
#include "gw/conf/conf.h"

#include <stddef.h>
#include <stdint.h>

// The most that this configuration can need beside those that are open now, with all connections
// that it allows. huge_pages: the number of pages of DPDK's memory, each of which has a descriptor.
uint64_t descriptors_needed(const struct conf *conf, size_t huge_pages);
// Raises RLIMIT_NOFILE so that `more` descriptors can be opened beside those that are open. Returns
// 0, or -errno with a line in *error that says how many are needed.
int descriptors_raise(uint64_t more, struct error *error) __attribute__((warn_unused_result));
// The same where the limit can be raised no more: it is as high as it may be since the start.
int descriptors_check(uint64_t more, struct error *error) __attribute__((warn_unused_result));

#endif
