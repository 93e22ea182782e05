// SPDX-License-Identifier: BSD-3-Clause
// The health checks of an upstream's servers: GET requests through the same engine as all others,
// each on a connection of its own. Private to the loop; all of it belongs to the loop's thread.

#ifndef POSTERN_GW_UPSTREAM_CHECK_H
#define POSTERN_GW_UPSTREAM_CHECK_H

#include <stdint.h>

struct up_group;
struct up_checks;

// For a group with engine and servers, which outlive it, and an upstream with checks. NULL if out
// of memory.
struct up_checks *up_checks_create(struct up_group *group);
// Ends those under way; no more are started.
void up_checks_stop(struct up_checks *checks);
// NULL is allowed.
void up_checks_free(struct up_checks *checks);

// Starts those that are due.
void up_checks_turn(struct up_checks *checks, uint64_t now_ms);
// When the next one is; UINT64_MAX: not before an answer came.
uint64_t up_checks_next_ms(const struct up_checks *checks);

#endif
