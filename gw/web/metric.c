// SPDX-License-Identifier: BSD-3-Clause

#include "gw/web/metric.h"

#include "base/utf8.h"

#include <assert.h>
#include <string.h>

#define DIGITS_MAX 24 // of a number and its point

static void put(struct metric_text *text, const char *bytes, size_t len)
{
	if (text->full || text->room - text->len < len) {
		text->full = true;
		return;
	}
	memcpy(text->buf + text->len, bytes, len);
	text->len += len;
}

static void put_text(struct metric_text *text, const char *words)
{
	put(text, words, strlen(words));
}

// The lines written since `start` stay only if they are whole.
static void lines_end(struct metric_text *text, size_t start)
{
	if (text->full)
		text->len = start;
}

static void put_number(struct metric_text *text, uint64_t value, uint64_t scale)
{
	char digits[DIGITS_MAX];
	size_t at = sizeof(digits);
	uint64_t whole = value / scale, part = value % scale;

	assert(scale == 1 || scale == 1000 || scale == 1000000);
	if (part) {
		// From the end; zeros there are left out.
		for (uint64_t place = 1; place < scale; place *= 10, part /= 10)
			if (at < sizeof(digits) || part % 10)
				digits[--at] = (char)('0' + part % 10);
		digits[--at] = '.';
	}
	do
		digits[--at] = (char)('0' + whole % 10);
	while (whole /= 10);
	put(text, digits + at, sizeof(digits) - at);
}

// How many bytes stand in the text as they are.
static size_t plain_run(const char *words, size_t left)
{
	size_t len = 0;

	while (len < left && words[len] >= ' ' && words[len] < 0x7f && words[len] != '\\' &&
		words[len] != '"')
		len++;
	return len;
}

// `quotes`: a " is escaped, too.
static void put_escaped(struct metric_text *text, const char *words, bool quotes)
{
	static const char unknown[] = "\xef\xbf\xbd";
	size_t left = strlen(words);

	while (left) {
		size_t bytes = plain_run(words, left);

		if (bytes) {
			put(text, words, bytes);
		} else if ((bytes = utf8_len((const uint8_t *)words, left)) > 1) {
			put(text, words, bytes);
		} else {
			bytes = 1;
			if (*words == '\n')
				put_text(text, "\\n");
			else if (*words == '\\' || *words == '"')
				put_text(text, *words == '\\' ? "\\\\" : quotes ? "\\\"" : "\"");
			else
				put_text(text, unknown);
		}
		words += bytes;
		left -= bytes;
	}
}

static const char *name_end(enum metric_kind kind)
{
	return kind == METRIC_COUNTER ? "_total" : kind == METRIC_INFO ? "_info" : "";
}

void metric_sample_name(const struct metric_family *family, char name[METRIC_NAME_MAX])
{
	const char *end = name_end(family->kind);
	size_t len = strlen(family->name);

	assert(len + strlen(end) < METRIC_NAME_MAX);
	memcpy(name, family->name, len);
	memcpy(name + len, end, strlen(end) + 1);
}

static void head_line(
	struct metric_text *text, const char *word, const struct metric_family *family)
{
	put_text(text, "# ");
	put_text(text, word);
	put_text(text, " ");
	put_text(text, family->name);
	if (!text->openmetrics) // where a family is called like its samples
		put_text(text, name_end(family->kind));
	put_text(text, " ");
}

void metric_head_write(struct metric_text *text, const struct metric_family *family)
{
	static const char *const kinds[] = {"counter", "gauge", "histogram", "info"};
	const bool plain_info = family->kind == METRIC_INFO && !text->openmetrics;
	const size_t start = text->len;

	head_line(text, "HELP", family);
	put_escaped(text, family->help, text->openmetrics);
	put_text(text, "\n");
	head_line(text, "TYPE", family);
	put_text(text, kinds[plain_info ? METRIC_GAUGE : family->kind]);
	put_text(text, "\n");
	if (family->unit && text->openmetrics) {
		head_line(text, "UNIT", family);
		put_text(text, family->unit);
		put_text(text, "\n");
	}
	lines_end(text, start);
}

static void put_label(struct metric_text *text, char before, const struct metric_label *label)
{
	put(text, &before, 1);
	put_text(text, label->name);
	put_text(text, "=\"");
	put_escaped(text, label->value, true);
	put_text(text, "\"");
}

static void put_labels(struct metric_text *text, const struct metric_label *labels, size_t count)
{
	for (size_t i = 0; i < count; i++)
		put_label(text, i ? ',' : '{', &labels[i]);
	if (count)
		put_text(text, "}");
}

void metric_value_write(struct metric_text *text, const struct metric_family *family,
	const struct metric_label *labels, size_t label_count, uint64_t value, uint64_t scale)
{
	const size_t start = text->len;

	assert(family->kind != METRIC_HISTOGRAM);
	put_text(text, family->name);
	put_text(text, name_end(family->kind));
	put_labels(text, labels, label_count);
	put_text(text, " ");
	put_number(text, value, scale);
	put_text(text, "\n");
	lines_end(text, start);
}

static void put_bucket(struct metric_text *text, const struct metric_histogram *histogram, size_t i,
	bool has_labels)
{
	put_text(text, has_labels ? ",le=\"" : "{le=\"");
	if (i < histogram->count - 1)
		put_number(text, histogram->bounds[i], histogram->scale);
	else
		put_text(text, "+Inf");
	put_text(text, "\"} ");
	put_number(text, histogram->buckets[i], 1);
	put_text(text, "\n");
}

void metric_histogram_write(struct metric_text *text, const struct metric_family *family,
	const struct metric_label *labels, size_t label_count,
	const struct metric_histogram *histogram)
{
	const size_t start = text->len;

	assert(family->kind == METRIC_HISTOGRAM && histogram->count);
	for (size_t i = 0; i < histogram->count; i++) {
		put_text(text, family->name);
		put_text(text, "_bucket");
		for (size_t k = 0; k < label_count; k++)
			put_label(text, k ? ',' : '{', &labels[k]);
		put_bucket(text, histogram, i, label_count > 0);
	}
	put_text(text, family->name);
	put_text(text, "_sum");
	put_labels(text, labels, label_count);
	put_text(text, " ");
	put_number(text, histogram->sum, histogram->scale);
	put_text(text, "\n");
	put_text(text, family->name);
	put_text(text, "_count");
	put_labels(text, labels, label_count);
	put_text(text, " ");
	put_number(text, histogram->buckets[histogram->count - 1], 1);
	put_text(text, "\n");
	lines_end(text, start);
}

void metric_end_write(struct metric_text *text)
{
	if (text->openmetrics)
		put_text(text, "# EOF\n");
}
