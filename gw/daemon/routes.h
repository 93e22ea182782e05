// SPDX-License-Identifier: BSD-3-Clause
// Routes and policies of the configuration, in the form that workers read.

#ifndef POSTERN_GW_DAEMON_ROUTES_H
#define POSTERN_GW_DAEMON_ROUTES_H

#include "dataplane/shared/policy.h"
#include "gw/conf/conf.h"
#include "gw/daemon/passes.h"
#include "gw/daemon/route_slots.h"

#define ROUTES_SAY_MAX 160 // bytes of "Content-Format 60 or 112 only", with the 0 at the end

struct routes {
	struct dp_policy policy;
	struct dp_route *route;      // [policy.route_count]
	struct dp_segment *segment;  // of all routes
	char (*say)[ROUTES_SAY_MAX]; // of those with formats
	struct dp_route_index *index;
	const struct dp_route_index *
		*permit;                   // [policy.permit_count]: of policies, by their numbers
	struct dp_segment *permit_segment; // of all policies
	struct dp_pass_table *pass;        // NULL: nothing is passed through
};

// Texts stay those of conf, which must outlive *routes; its policies have numbers. number: of the
// snapshot. Routes get their slots. Returns 0 or -ENOMEM.
int routes_make(struct routes *routes, const struct conf *conf, uint16_t number,
	struct route_slots *slots) __attribute__((warn_unused_result));
void routes_free(struct routes *routes);

#endif
