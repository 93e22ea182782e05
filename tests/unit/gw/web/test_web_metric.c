// SPDX-License-Identifier: BSD-3-Clause
// The text of metrics: both formats, exact numbers, and names that are hostile.

#include "gw/web/metric.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static char buf[4096];
static struct metric_text text;

static void begin(bool openmetrics)
{
	text = (struct metric_text){
		.buf = buf, .room = sizeof(buf) - 1, .openmetrics = openmetrics};
}

static const char *written(void)
{
	buf[text.len] = 0;
	return buf;
}

static const struct metric_family waited = {
	"p_waited_seconds", "time \"spent\"\\\nwaiting", "seconds", METRIC_COUNTER};
static const struct metric_family build = {"p_build", "version", NULL, METRIC_INFO};
static const struct metric_family level = {"p_level", "how high", NULL, METRIC_GAUGE};
static const struct metric_family took = {
	"p_took_seconds", "how long", "seconds", METRIC_HISTOGRAM};

Test(web_metric, prometheus_has_the_end_of_the_name_in_the_head)
{
	begin(false);
	metric_head_write(&text, &waited);
	metric_value_write(&text, &waited, NULL, 0, 1500, 1000);
	metric_head_write(&text, &build);
	metric_value_write(&text, &build, &(struct metric_label){"version", "1"}, 1, 1, 1);
	metric_end_write(&text);
	cr_expect_str_eq(written(),
		"# HELP p_waited_seconds_total time \"spent\"\\\\\\nwaiting\n"
		"# TYPE p_waited_seconds_total counter\n"
		"p_waited_seconds_total 1.5\n"
		"# HELP p_build_info version\n"
		"# TYPE p_build_info gauge\n"
		"p_build_info{version=\"1\"} 1\n");
}

Test(web_metric, openmetrics_has_units_and_an_end)
{
	begin(true);
	metric_head_write(&text, &waited);
	metric_value_write(&text, &waited, NULL, 0, 1500, 1000);
	metric_head_write(&text, &build);
	metric_head_write(&text, &level);
	metric_value_write(&text, &level, NULL, 0, 7, 1);
	metric_end_write(&text);
	cr_expect_str_eq(written(),
		"# HELP p_waited_seconds time \\\"spent\\\"\\\\\\nwaiting\n"
		"# TYPE p_waited_seconds counter\n"
		"# UNIT p_waited_seconds seconds\n"
		"p_waited_seconds_total 1.5\n"
		"# HELP p_build version\n"
		"# TYPE p_build info\n"
		"# HELP p_level how high\n"
		"# TYPE p_level gauge\n"
		"p_level 7\n"
		"# EOF\n");
}

Test(web_metric, numbers_are_exact)
{
	static const struct {
		uint64_t value, scale;
		const char *text;
	} numbers[] = {{0, 1, "0"}, {0, 1000000, "0"}, {1, 1000, "0.001"}, {10, 1000, "0.01"},
		{1, 1000000, "0.000001"}, {1000000, 1000000, "1"}, {1048576, 1000000, "1.048576"},
		{100, 1000, "0.1"}, {1010, 1000, "1.01"}, {UINT64_MAX, 1, "18446744073709551615"},
		{UINT64_MAX, 1000000, "18446744073709.551615"}};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		char line[64];

		begin(false);
		metric_value_write(&text, &level, NULL, 0, numbers[i].value, numbers[i].scale);
		snprintf(line, sizeof(line), "p_level %s\n", numbers[i].text);
		cr_expect_str_eq(written(), line);
	}
}

Test(web_metric, no_value_of_a_label_leaves_its_quotes)
{
	static const struct {
		const char *value, *text;
	} values[] = {{"a.b-c", "a.b-c"}, {"", ""}, {"a\"} 1\nevil{x=\"", "a\\\"} 1\\nevil{x=\\\""},
		{"\\", "\\\\"}, {"\\\"", "\\\\\\\""}, {"\\n", "\\\\n"},
		{"\xc3\xa9\xf0\x9f\x98\x80", "\xc3\xa9\xf0\x9f\x98\x80"}, {"\xff", "\xef\xbf\xbd"},
		{"a\xc3", "a\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\r\x1b[2J\x7f", "\xef\xbf\xbd\xef\xbf\xbd[2J\xef\xbf\xbd"}, {"# EOF", "# EOF"}};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		for (int openmetrics = 0; openmetrics < 2; openmetrics++) {
			const struct metric_label labels[] = {
				{"upstream", "u"}, {"server", values[i].value}};
			char line[256];

			begin(openmetrics);
			metric_value_write(&text, &level, labels, 2, 3, 1);
			snprintf(line, sizeof(line), "p_level{upstream=\"u\",server=\"%s\"} 3\n",
				values[i].text);
			cr_expect_str_eq(written(), line);
		}
}

static const uint64_t bounds[] = {128, 1048576};
static const uint64_t buckets[] = {1, 3, 4};
static const struct metric_histogram histogram = {
	.bounds = bounds, .buckets = buckets, .count = 3, .sum = 9000001, .scale = 1000000};

Test(web_metric, a_histogram_has_its_buckets_sum_and_count)
{
	begin(false);
	metric_head_write(&text, &took);
	metric_histogram_write(
		&text, &took, &(struct metric_label){"server", "a\".0"}, 1, &histogram);
	cr_expect_str_eq(written(),
		"# HELP p_took_seconds how long\n"
		"# TYPE p_took_seconds histogram\n"
		"p_took_seconds_bucket{server=\"a\\\".0\",le=\"0.000128\"} 1\n"
		"p_took_seconds_bucket{server=\"a\\\".0\",le=\"1.048576\"} 3\n"
		"p_took_seconds_bucket{server=\"a\\\".0\",le=\"+Inf\"} 4\n"
		"p_took_seconds_sum{server=\"a\\\".0\"} 9.000001\n"
		"p_took_seconds_count{server=\"a\\\".0\"} 4\n");
	begin(false);
	metric_histogram_write(&text, &took, NULL, 0, &histogram);
	cr_expect_not_null(strstr(written(), "p_took_seconds_bucket{le=\"+Inf\"} 4\n"));
	cr_expect_not_null(strstr(written(), "p_took_seconds_sum 9.000001\n"));
}

Test(web_metric, what_does_not_fit_is_left_out_whole)
{
	const struct metric_label label = {"server", "s"};
	size_t head, all;

	begin(true);
	metric_head_write(&text, &took);
	head = text.len;
	metric_histogram_write(&text, &took, &label, 1, &histogram);
	all = text.len;
	for (size_t room = 0; room < all; room++) {
		begin(true);
		text.room = room;
		metric_head_write(&text, &took);
		metric_histogram_write(&text, &took, &label, 1, &histogram);
		cr_expect_eq(text.len, room < head ? 0 : head, "%zu bytes of %zu", text.len, room);
		cr_expect(text.full);
	}
}
