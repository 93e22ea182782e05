// SPDX-License-Identifier: BSD-3-Clause
// Counters as metrics: how a counter is called, which of its name is a label's value, and in which
// base unit it is.

#ifndef POSTERN_GW_DAEMON_METRICS_FAMILIES_H
#define POSTERN_GW_DAEMON_METRICS_FAMILIES_H

#include "gw/daemon/counters.h"
#include "gw/web/metric.h"

#define METRICS_PREFIX     "postern_"
#define METRICS_LABELS_MAX 3

struct metrics_sample {
	char name[METRIC_NAME_MAX]; // of the family
	struct metric_family family;
	struct metric_label label[METRICS_LABELS_MAX];
	size_t label_count;
	uint64_t scale;
};

// Makes the sample of a counter that counters_next() read, grouped. It points to texts of both.
void metrics_sample_make(struct metrics_sample *sample, const struct counter *counter);
// Writes it: its value or its histogram.
void metrics_sample_write(struct metric_text *text, const struct metrics_sample *sample,
	const struct counter *counter);

#endif
