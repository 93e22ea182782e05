// SPDX-License-Identifier: BSD-3-Clause
// The health checks of an upstream's servers: GET requests through the same engine as all others,
// each on a connection of its own. Private to the loop; all of it belongs to the loop's thread.

#ifndef POSTERN_GW_UPSTREAM_CHECK_H
#define POSTERN_GW_UPSTREAM_CHECK_H

#include <stdint.h>

struct conf_upstream;
struct up_checks;
struct up_group;
struct up_headers;
struct up_servers;

// For a group that will have this upstream, with checks. NULL if out of memory.
struct up_checks *up_checks_create(struct up_group *group, const struct conf_upstream *upstream,
	const struct up_headers *headers);
// Takes over from others of the group, which were stopped, when the servers are due that both have.
void up_checks_inherit(
	struct up_checks *checks, const struct up_checks *before, const struct up_servers *servers);
// Ends those under way; no more are started.
void up_checks_stop(struct up_checks *checks);
// NULL is allowed.
void up_checks_free(struct up_checks *checks);

// Starts those that are due.
void up_checks_turn(struct up_checks *checks, uint64_t now_ms);
// When the next one is; UINT64_MAX: not before an answer came.
uint64_t up_checks_next_ms(const struct up_checks *checks);

#endif
