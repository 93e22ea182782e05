// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/stats.h"

#include "gw/daemon/census.h"
#include "gw/daemon/counters.h"

#include <stdlib.h>

static bool next(void *arg, struct ctl_request *req)
{
	struct counter counter;

	if (!counters_next(arg, &counter))
		return false;
	const struct ctl_counter listed = {
		.name = counter.listed,
		.help = counter.help,
		.unit = unit_name(counter.unit),
		.gauge = counter.is_gauge,
		.total = counter.value,
		.workers = counter.worker_count ? counter.workers : NULL,
		.worker_count = counter.worker_count,
	};

	ctl_list_counter(req, &listed);
	return true;
}

void verb_stats(void *arg, struct ctl_request *req)
{
	static const struct ctl_stream stream = {.next = next, .done = free};
	struct counters *at = calloc(1, sizeof(*at));

	if (!at) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	at->daemon = arg;
	census_take(arg);
	ctl_request_stream(req, &stream, at);
}
