// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/metrics_families.h"

#include <rte_common.h>

#include <stdio.h>
#include <string.h>

// Counters whose names begin alike are one family: what follows is the value of a label.
static const struct {
	const char *begin, *name, *label, *help;
} joined[] = {
	{"drop_", "dropped_packets", "reason", "packets dropped by the workers"},
	{"route_answers_", "route_answers", "class", "answers to verified requests, by class"},
	{"upstream_error_", "upstream_errors", "reason", "requests that failed"},
	{"upstream_http_", "upstream_http_answers", "class", "HTTP answers by the class of status"},
};

// Bounds of the buckets that metrics have of histograms with more than METRICS_BUCKETS_MAX: buckets
// between them are added to the next.
static const unsigned log2_bounds[] = {7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22};

#define METRICS_BUCKETS_MAX 14
_Static_assert(sizeof(log2_bounds) / sizeof(log2_bounds[0]) == METRICS_BUCKETS_MAX - 1,
	"and one without a bound");

static const struct {
	const char *end;  // of a counter's name
	const char *unit; // base unit of the metric
	uint64_t scale;
} units[] = {
	[UNIT_COUNT] = {"", NULL, 1},
	[UNIT_BYTES] = {"_bytes", "bytes", 1},
	[UNIT_CYCLES] = {"_cycles", "cycles", 1},
	[UNIT_MS] = {"_ms", "seconds", 1000},
	[UNIT_US] = {"_us", "seconds", 1000000},
};

// The name without the unit that it may end with, and with the base unit.
static void name_make(struct metrics_sample *sample, const char *name, enum unit unit)
{
	const char *end = units[unit].end;
	size_t len = strlen(name);

	if (unit != UNIT_COUNT && len > strlen(end) && !strcmp(name + len - strlen(end), end))
		len -= strlen(end);
	snprintf(sample->name, sizeof(sample->name), "%s%.*s%s%s", METRICS_PREFIX, (int)len, name,
		units[unit].unit ? "_" : "", units[unit].unit ? units[unit].unit : "");
}

static void label_add(struct metrics_sample *sample, const char *name, const char *value)
{
	sample->label[sample->label_count++] = (struct metric_label){name, value};
}

void metrics_sample_make(struct metrics_sample *sample, const struct counter *counter)
{
	const char *name = counter->name;

	sample->label_count = 0;
	sample->scale = units[counter->unit].scale;
	sample->family = (struct metric_family){
		.name = sample->name,
		.help = counter->help,
		.unit = units[counter->unit].unit,
		.kind = counter->bucket_count ? METRIC_HISTOGRAM
			: counter->is_gauge   ? METRIC_GAUGE
					      : METRIC_COUNTER,
	};
	if (counter->upstream)
		label_add(sample, "upstream", counter->upstream);
	if (counter->label)
		label_add(sample, counter->label, counter->label_value);
	for (size_t i = 0; i < sizeof(joined) / sizeof(joined[0]); i++) {
		size_t len = strlen(joined[i].begin);

		if (strncmp(name, joined[i].begin, len))
			continue;
		label_add(sample, joined[i].label, name + len);
		sample->family.help = joined[i].help;
		name = joined[i].name;
		break;
	}
	name_make(sample, name, counter->unit);
}

static void histogram_write(struct metric_text *text, const struct metrics_sample *sample,
	const struct counter *counter)
{
	uint64_t bounds[METRICS_BUCKETS_MAX - 1], buckets[METRICS_BUCKETS_MAX], below = 0;
	const bool all = counter->bucket_count <= METRICS_BUCKETS_MAX;
	const unsigned count = all ? counter->bucket_count : METRICS_BUCKETS_MAX;
	unsigned from = 0;

	for (unsigned i = 0; i < count; i++) {
		unsigned log2 =
			all ? counter->bucket_first + i : log2_bounds[RTE_MIN(i, count - 2)];
		unsigned end =
			i < count - 1 ? log2 - counter->bucket_first + 1 : counter->bucket_count;

		for (; from < end; from++)
			below += counter->buckets[from];
		buckets[i] = below;
		if (i < count - 1)
			bounds[i] = UINT64_C(1) << log2;
	}
	const struct metric_histogram histogram = {.bounds = bounds,
		.buckets = buckets,
		.count = count,
		.sum = counter->value,
		.scale = sample->scale};

	metric_histogram_write(
		text, &sample->family, sample->label, sample->label_count, &histogram);
}

void metrics_sample_write(struct metric_text *text, const struct metrics_sample *sample,
	const struct counter *counter)
{
	if (counter->bucket_count)
		histogram_write(text, sample, counter);
	else
		metric_value_write(text, &sample->family, sample->label, sample->label_count,
			counter->value, sample->scale);
}
