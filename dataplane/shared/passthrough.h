// SPDX-License-Identifier: BSD-3-Clause
// Kids whose keys the gateway does not have: their messages are passed through to an HTTP service
// as they are (RFC 8613 section 11.2). The table of them is a part of the policy: main makes it,
// workers look a name up in two probes, whoever chose the name, and it is immutable.

#ifndef POSTERN_DATAPLANE_SHARED_PASSTHROUGH_H
#define POSTERN_DATAPLANE_SHARED_PASSTHROUGH_H

#include "dataplane/oscore/option.h"
#include "dataplane/shared/rate.h"

#include <stdbool.h>
#include <stdint.h>

struct dp_pass {
	uint8_t kid_len;
	uint8_t kid[OSC_KID_LEN_MAX];
	bool has_kid_context; // else messages of the kid may have any, or none
	uint8_t kid_context_len;
	const uint8_t *kid_context; // as long as the table lives
	uint16_t route;             // for struct dp_request: its place in the configuration
	uint16_t slot;              // of dp_route_stats; of two entries that share one, so are the
				    // rates and what is in flight
	uint32_t timeout_ms;        // from the receipt of the message to 5.04
	uint32_t max_in_flight;     // at each worker
	struct dp_rate all;         // messages that a worker passes through ..
	struct dp_rate prefix;      // .. and those of one /24 or /56
	bool echo_always; // an endpoint shows that it is reachable before anything is passed
			  // through
};

struct dp_pass_table;

// Copies so many entries, no two of which take the same message; at least one. NULL and errno
// ENOMEM.
struct dp_pass_table *dp_pass_table_create(const struct dp_pass *entries, unsigned count);
// NULL is allowed.
void dp_pass_table_free(struct dp_pass_table *table);
// The entry that takes messages with this OSCORE option, or NULL.
const struct dp_pass *dp_pass_find(
	const struct dp_pass_table *table, const struct osc_option *option);

#endif
