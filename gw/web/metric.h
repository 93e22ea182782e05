// SPDX-License-Identifier: BSD-3-Clause
// Writes metrics as text for Prometheus: its own format 0.0.4, or OpenMetrics 1.0. Pure functions.
// A family is one name: its head is written once, and its samples behind it.

#ifndef POSTERN_GW_WEB_METRIC_H
#define POSTERN_GW_WEB_METRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Where the text goes. What does not fit as a whole line is left out, and `full` is set.
struct metric_text {
	char *buf;
	size_t room;
	size_t len;
	bool openmetrics;
	bool full;
};

enum metric_kind {
	METRIC_COUNTER,
	METRIC_GAUGE,
	METRIC_HISTOGRAM,
	METRIC_INFO, // of value 1: its labels are what it tells
};

struct metric_family {
	const char
		*name; // without "_total" and the like; ends with "_" and the unit if there is one
	const char *help; // any text
	const char *unit; // NULL: none
	enum metric_kind kind;
};

struct metric_label {
	const char *name;
	const char *value; // any text; control characters and what is no UTF-8 become U+FFFD
};

// A number is value / scale, written exactly. scale: 1, 1000 or 1000000.
struct metric_histogram {
	const uint64_t *bounds;  // of all buckets but the last, which has none
	const uint64_t *buckets; // each with those below it
	size_t count;            // of buckets
	uint64_t sum;
	uint64_t scale; // of bounds and sum
};

#define METRIC_NAME_MAX 192 // bytes of a sample's name with the 0 at the end

// Writes the name of a family's samples: for counters it has "_total".
void metric_sample_name(const struct metric_family *family, char name[METRIC_NAME_MAX]);

void metric_head_write(struct metric_text *text, const struct metric_family *family);
// The family is no histogram.
void metric_value_write(struct metric_text *text, const struct metric_family *family,
	const struct metric_label *labels, size_t label_count, uint64_t value, uint64_t scale);
void metric_histogram_write(struct metric_text *text, const struct metric_family *family,
	const struct metric_label *labels, size_t label_count,
	const struct metric_histogram *histogram);
// The end of the whole text.
void metric_end_write(struct metric_text *text);

#endif
