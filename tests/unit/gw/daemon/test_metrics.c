// SPDX-License-Identifier: BSD-3-Clause
// Metrics as they are served: each family in one piece, the page of the docs and the alert rules
// name what is there, and a thousand upstreams are read in time. The page is made again by copying
// the table that a failing test writes.

#include "gw/ctl/verbs.h"
#include "gw/daemon/counters.h"
#include "gw/daemon/metrics.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#include <rte_common.h>

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WORKERS   2
#define FAMILIES  512
#define UPSTREAMS 1000
#define ROUTES    1000
#define TEXT_ROOM (64 << 20)
#define TABLE     "metrics.md" // written to the directory that the test runs in
#define PAGE      SOURCE_ROOT "/docs/metrics.md"
#define DASHBOARD SOURCE_ROOT "/packaging/grafana/postern.json"
#define RULES     SOURCE_ROOT "/packaging/prometheus/postern.rules.yml"

static struct bed bed;
static char folder[] = "/tmp/test_metrics.XXXXXX", path[64];
static struct conf_server server_of_it = {.name = "a.0", .text = "http://a"};
static struct conf_upstream upstream = {.name = "a", .servers = &server_of_it, .server_count = 1};
static struct conf_port port = {.name = "wan0"};
static struct conf conf = {.upstreams = &upstream, .upstream_count = 1};
static struct daemon gateway = {
	.conf = &conf, .port = {{.conf = &port, .tap_fd = 1}}, .port_count = 1};
static struct metrics *metrics;
static char *text;
static size_t text_len;

static struct family {
	char name[128], kind[16], help[256], labels[64];
} families[FAMILIES];
static size_t family_count;

static void slots_set(void)
{
	up_slots_free(gateway.slots);
	gateway.slots = up_slots_create(1);
	cr_assert(gateway.slots && !up_slots_take(gateway.slots, &conf));
	up_slots_current(gateway.slots, &conf);
}

static void set_up(void)
{
	bed_make_workers(&bed, WORKERS, false);
	gateway.dp = bed.dp;
	route_slots_get(&gateway.route_slots, "/a/*");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	const struct ctl_server_conf server = {.path = path,
		.mode = 0600,
		.gid = (gid_t)-1,
		.verbs = ctl_verbs,
		.verb_count = ctl_verb_count};

	gateway.ctl = ctl_server_create(&server);
	cr_assert_not_null(gateway.ctl);
	slots_set();
	metrics = metrics_new(&gateway);
	text = malloc(TEXT_ROOM);
	cr_assert(metrics && text);
}

static void tear_down(void)
{
	free(text);
	metrics_free(metrics);
	ctl_server_free(gateway.ctl);
	route_slots_free(&gateway.route_slots);
	up_slots_free(gateway.slots);
	rmdir(folder);
	bed_free(&bed);
}

TestSuite(metrics, .init = set_up, .fini = tear_down);

static unsigned answered(const char *page, const char *accept, size_t step)
{
	struct web_answer answer = {.status = 200};
	size_t len;

	text_len = 0;
	for (size_t i = 0; i < metrics_page_count; i++)
		if (!strcmp(metrics_pages[i].path, page))
			metrics_pages[i].answer(metrics, accept, &answer);
	if (answer.body) {
		text_len = answer.body_len;
		memcpy(text, answer.body, text_len);
		text[text_len] = 0;
		return answer.status;
	}
	if (!answer.read) {
		memcpy(text, answer.text, answer.len);
		text_len = answer.len;
		text[text_len] = 0;
		return answer.status;
	}
	while ((len = answer.read(answer.state, text + text_len, step))) {
		text_len += len;
		cr_assert_leq(text_len + step, TEXT_ROOM);
	}
	answer.done(answer.state);
	text[text_len] = 0;
	return answer.status;
}

// The names of the labels of a sample, but that of buckets: "upstream, server".
static void labels_read(const char *sample, char *labels, size_t room)
{
	const char *at = sample + strcspn(sample, "{ \n");

	labels[0] = 0;
	while (*at == '{' || *at == ',') {
		size_t len = strcspn(++at, "=");

		if (strncmp(at, "le=", 3) != 0)
			snprintf(labels + strlen(labels), room - strlen(labels), "%s%.*s",
				labels[0] ? ", " : "", (int)len, at);
		at += len + 2;
		at += strcspn(at, "\"") + 1; // no value here has quotes
	}
}

static struct family *named(const char *name, size_t len)
{
	for (size_t i = 0; i < family_count; i++)
		if (strlen(families[i].name) == len && !strncmp(families[i].name, name, len))
			return &families[i];
	return NULL;
}

static bool is_of(const char *sample, size_t len, const struct family *family)
{
	static const char *const ends[] = {"_bucket", "_sum", "_count"};
	size_t name = strlen(family->name);

	if (len < name || strncmp(sample, family->name, name) != 0)
		return false;
	if (strcmp(family->kind, "histogram") != 0)
		return len == name;
	for (size_t i = 0; i < 3; i++)
		if (len - name == strlen(ends[i]) && !strncmp(sample + name, ends[i], len - name))
			return true;
	return false;
}

// Fills families from text in Prometheus' format, which has each in one piece.
static void families_read(void)
{
	struct family *family = NULL;

	family_count = 0;
	for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
		if (!strncmp(line, "# HELP ", 7)) {
			size_t len = strcspn(line + 7, " ");

			cr_assert_null(
				named(line + 7, len), "%.*s is in two pieces", (int)len, line + 7);
			cr_assert_lt(family_count, FAMILIES);
			family = &families[family_count++];
			memset(family, 0, sizeof(*family));
			cr_assert_eq(
				sscanf(line, "# HELP %127s %255[^\n]", family->name, family->help),
				2);
		} else if (!strncmp(line, "# TYPE ", 7)) {
			char name[128];

			cr_assert_eq(sscanf(line, "# TYPE %127s %15s", name, family->kind), 2);
			cr_assert_str_eq(name, family->name);
		} else {
			char labels[64];

			cr_assert(
				family && is_of(line, strcspn(line, "{ "), family), "%.80s", line);
			labels_read(line, labels, sizeof(labels));
			cr_assert(!family->labels[0] || !strcmp(labels, family->labels), "%.80s",
				line);
			strcpy(family->labels, labels);
		}
	}
}

Test(metrics, families_are_whole_and_named_as_prometheus_wants_them)
{
	cr_assert_eq(answered("/metrics", NULL, 4096), 200);
	families_read();
	cr_expect_gt(family_count, 100);
	for (size_t i = 0; i < family_count; i++) {
		const struct family *f = &families[i];
		size_t len = strlen(f->name);
		bool total = len > 6 && !strcmp(f->name + len - 6, "_total");

		cr_expect_eq(strncmp(f->name, "postern_", 8), 0, "%s", f->name);
		cr_expect_eq(f->name[strspn(f->name, "abcdefghijklmnopqrstuvwxyz0123456789_")], 0,
			"%s", f->name);
		cr_expect_null(strstr(f->name, "__"), "%s", f->name);
		cr_expect_eq(total, !strcmp(f->kind, "counter"), "%s is a %s", f->name, f->kind);
		cr_expect_null(strstr(f->name, "_ms_"), "%s: no base unit", f->name);
		cr_expect_null(strstr(f->name, "_us_"), "%s: no base unit", f->name);
	}
}

Test(metrics, pieces_of_any_size_make_the_same_text)
{
	char *whole;

	answered("/metrics", "application/openmetrics-text", 1 << 20);
	whole = strdup(text);
	for (size_t step = 1; step < 20000; step = step * 7 + 1) {
		answered("/metrics", "application/openmetrics-text", step);
		cr_expect_str_eq(text, whole, "in steps of %zu", step);
	}
	cr_expect_str_eq(whole + strlen(whole) - 6, "# EOF\n");
	free(whole);
}

Test(metrics, units_become_base_units)
{
	struct dp_stats *stats = (struct dp_stats *)dp_worker_stats(bed.dp, 1);

	dp_stat_add(stats, DP_STAT_tx_bytes, 5);
	dp_stat_add(stats, DP_STAT_drop_runt, 3);
	stats->cycles[DP_STAGE_open] = 7;
	answered("/metrics", NULL, 4096);
	cr_expect_not_null(strstr(text, "\npostern_tx_bytes_total 5\n"));
	cr_expect_not_null(strstr(text, "\npostern_dropped_packets_total{reason=\"runt\"} 3\n"));
	cr_expect_not_null(strstr(text, "\npostern_stage_cycles_total{stage=\"open\"} 7\n"));
	cr_expect_not_null(strstr(text, "\npostern_answers_kept_seconds 0\n"));
	cr_expect_not_null(
		strstr(text, "\npostern_upstream_queued_seconds_total{upstream=\"a\"} 0\n"));
	cr_expect_not_null(strstr(text,
		"\npostern_server_latency_seconds_bucket{upstream=\"a\",server=\"a.0\",le=\"0."
		"000128\"} 0\n"));
	cr_expect_not_null(
		strstr(text, "\npostern_build_info{version=\"" POSTERN_VERSION "\"} 1\n"));
	stats->count[DP_STAT_drop_runt] = 0; // the bed counts ends of packets
}

// What main alone may read is as it was when main copied it.
Test(metrics, mains_figures_are_of_its_last_copy)
{
	gateway.port[0].from_kernel_full = 5;
	gateway.alarm_count = 2;
	answered("/metrics", NULL, 4096);
	cr_expect_not_null(
		strstr(text, "\npostern_port_from_kernel_full_total{port=\"wan0\"} 0\n"));
	cr_expect_not_null(strstr(text, "\npostern_alarms 0\n"));
	metrics_free(metrics);
	metrics = metrics_new(&gateway);
	answered("/metrics", NULL, 4096);
	cr_expect_not_null(
		strstr(text, "\npostern_port_from_kernel_full_total{port=\"wan0\"} 5\n"));
	cr_expect_not_null(strstr(text, "\npostern_alarms 2\n"));
	gateway.port[0].from_kernel_full = gateway.alarm_count = 0;
}

Test(metrics, routes_are_counted_by_name)
{
	unsigned slot = route_slots_get(&gateway.route_slots, "/a/*");
	struct dp_route_stats *stats =
		(struct dp_route_stats *)&dp_worker_route_stats(bed.dp, 1)[slot];

	stats->requests = 3;
	stats->answers[DP_ANSWER_4XX] = 2;
	answered("/metrics", NULL, 4096);
	cr_expect_not_null(strstr(text, "\npostern_route_requests_total{route=\"/a/*\"} 3\n"));
	cr_expect_not_null(
		strstr(text, "\npostern_route_answers_total{route=\"/a/*\",class=\"4xx\"} 2\n"));
	cr_expect_not_null(strstr(
		text, "\npostern_route_answer_seconds_bucket{route=\"/a/*\",le=\"0.000128\"} 0\n"));
	cr_expect_not_null(strstr(
		text, "\npostern_upstream_queue_seconds_bucket{upstream=\"a\",le=\"0.001\"} 0\n"));
	cr_expect_not_null(strstr(
		text, "\npostern_upstream_batch_readings_bucket{upstream=\"a\",le=\"4096\"} 0\n"));
	cr_expect_null(strstr(text, "route=\"other\""));
}

Test(metrics, names_are_hostile_text)
{
	struct up_slot *slot = gateway.slots->slot[0];
	struct up_server_slot *server = gateway.slots->server[0];
	char *name = slot->name;
	const char *server_name = server->name;

	slot->name = (char *)(uintptr_t) "a\"} 1\nevil 2\n# \\";
	server->name = "\xff\"\n";
	answered("/metrics", NULL, 4096);
	cr_expect_null(strstr(text, "\nevil"));
	cr_expect_not_null(strstr(text, "_servers{upstream=\"a\\\"} 1\\nevil 2\\n# \\\\\"} 1\n"));
	cr_expect_not_null(strstr(text, "server=\"\xef\xbf\xbd\\\"\\n\"} "));
	slot->name = name;
	server->name = server_name;
}

Test(metrics, readiness_is_ports_and_no_stop)
{
	cr_expect_eq(answered("/readyz", NULL, 1), 200);
	cr_expect_str_eq(text, "ready\n");
	cr_expect_eq(answered("/healthz", NULL, 1), 200);
	cr_expect_str_eq(text, "ok\n");
	metrics_free(metrics);
	gateway.port[0].link_down = true;
	metrics = metrics_new(&gateway);
	cr_expect_eq(answered("/readyz", NULL, 1), 503);
	cr_expect_str_eq(text, "the link is down: port wan0\n");
	answered("/metrics", NULL, 4096);
	cr_expect_not_null(strstr(text, "\npostern_ready 0\n"));
	cr_expect_not_null(strstr(text, "\npostern_port_link_up{port=\"wan0\"} 0\n"));
	gateway.metrics = metrics;
	metrics_drain(&gateway, true);
	cr_expect_eq(answered("/readyz", NULL, 1), 503);
	cr_expect_str_eq(text, "draining\nthe link is down: port wan0\n");
	gateway.metrics = NULL;
	metrics_free(metrics);
	gateway.port[0].device_gone = true;
	metrics = metrics_new(&gateway);
	cr_expect_eq(answered("/readyz", NULL, 1), 503);
	cr_expect_str_eq(text, "its network device was removed: port wan0\n");
	gateway.port[0].device_gone = gateway.port[0].link_down = false;
	gateway.port[0].kernel_gone = true;
	metrics_free(metrics);
	metrics = metrics_new(&gateway);
	cr_expect_eq(answered("/readyz", NULL, 1), 503);
	cr_expect_str_eq(text, "its network device was removed: port wan0\n");
	answered("/metrics", NULL, 4096);
	cr_expect_not_null(strstr(text, "\npostern_ready 0\n"));
	cr_expect_not_null(strstr(text, "\npostern_port_device_gone{port=\"wan0\"} 1\n"));
	gateway.port[0].kernel_gone = false;
}

// Names of counters, and nothing of the configuration but names; URLs of servers if it is private.
Test(metrics, the_page_gets_figures)
{
	static const char *const listens[] = {
		"127.0.0.1:1", "[::1]:1", "/run/x", "0.0.0.0:1", "[::]:1"};
	struct dp_stats *stats = (struct dp_stats *)dp_worker_stats(bed.dp, 1);

	dp_stat_add(stats, DP_STAT_drop_runt, 3);
	server_of_it.text = (char *)(uintptr_t) "http://10.0.0.1/<i>";
	slots_set();
	gateway.alarm[0] = "an alarm";
	gateway.alarm_count = 1;
	for (size_t i = 0; i < 2 * RTE_DIM(listens); i++) {
		const bool wanted = i >= RTE_DIM(listens), private = i % RTE_DIM(listens) < 3;

		conf.metrics.listen = (char *)(uintptr_t)listens[i % RTE_DIM(listens)];
		conf.metrics.server_urls = wanted;
		metrics_free(metrics);
		metrics = metrics_new(&gateway);
		cr_expect_eq(answered("/figures.json", NULL, 100), 200);
		cr_expect_not_null(strstr(text, "[\"drop_runt\",\"\",\"\",3,[0,3]]"), "%s", text);
		cr_expect_not_null(strstr(text, "\"drop_runt\":\"shorter than its headers\""));
		cr_expect_not_null(strstr(text, "\"alarms\":[\"an alarm\"]"));
		cr_expect_not_null(strstr(text, "[\"server_up\",\"a.0\",\"a\",1]"));
		cr_expect_eq(strstr(text, "[\"a.0\",\"http://10.0.0.1/\\u003ci\\u003e\"]") != NULL,
			wanted || private, "%s", conf.metrics.listen);
		cr_expect_eq(text[strlen(text) - 1], '}');
	}
	gateway.alarm_count = 0;
	conf.metrics.listen = NULL;
	stats->count[DP_STAT_drop_runt] = 0;
}

Test(metrics, the_page_has_each_as_it_is)
{
	FILE *page, *table;
	char line[512], row[512];
	size_t wrong = 0;

	answered("/metrics", NULL, 4096);
	families_read();
	page = fopen(PAGE, "r");
	table = fopen(TABLE, "w");
	cr_assert(page && table);
	for (size_t i = 0; i < family_count; i++) {
		const struct family *f = &families[i];

		int len = snprintf(row, sizeof(row), "| `%s` | %s | %s | %s |\n", f->name, f->kind,
			f->labels, f->help);

		cr_assert_lt(len, (int)sizeof(row));
		fputs(row, table);
		do
			line[0] = 0;
		while (fgets(line, sizeof(line), page) && strncmp(line, "| `postern_", 11) != 0);
		wrong += strcmp(line, row) != 0;
		cr_expect(wrong != 1 || strcmp(line, row) == 0, "%s instead of %s", line, row);
	}
	while (fgets(line, sizeof(line), page))
		cr_expect_neq(strncmp(line, "| `postern_", 11), 0, "no metric: %s", line);
	fclose(page);
	fclose(table);
	cr_expect_eq(wrong, 0, "%zu rows: the table as it has to be is in %s", wrong, TABLE);
	if (!wrong)
		unlink(TABLE);
}

// Expects that each metric that a file names is there; returns how many names it has.
static unsigned expect_names(const char *named)
{
	FILE *file = fopen(named, "r");
	char line[4096];
	unsigned names = 0;

	answered("/metrics", NULL, 4096);
	families_read();
	cr_assert_not_null(file, "%s", named);
	while (fgets(line, sizeof(line), file)) {
		for (const char *at = line; (at = strstr(at, "postern_")); names++) {
			size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
			bool there = false;

			for (size_t i = 0; i < family_count; i++)
				there |= is_of(at, len, &families[i]);
			cr_expect(there, "%s: %.*s", named, (int)len, at);
			at += len;
		}
	}
	fclose(file);
	return names;
}

Test(metrics, alert_rules_name_what_is_there)
{
	cr_expect_gt(expect_names(RULES), 10);
}

Test(metrics, the_dashboard_names_what_is_there)
{
	cr_expect_gt(expect_names(DASHBOARD), 40);
}

static uint64_t cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

// The most that a scrape of a thousand routes takes, and each byte of any. A quiet CPU takes a
// third of both.
#ifdef __SANITIZE_ADDRESS__
#define SCRAPE_US 1000000 // AddressSanitizer looks at every access
#define BYTE_NS   300
#else
#define SCRAPE_US 50000
#define BYTE_NS   15
#endif

// Reads all metrics a few times; returns the least time that it took, in microseconds.
static uint64_t scrape_us(void)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 9; i++) {
		uint64_t begin = cpu_us();

		answered("/metrics", NULL, 16384);
		uint64_t took = cpu_us() - begin;

		least = took < least ? took : least;
	}
	cr_log_info("%zu bytes in %lu us", text_len, least);
	return least;
}

// Without loops: tests/smoke/stats_of_a_thousand_upstreams.test has them, and says how long it
// took.
Test(metrics, a_thousand_upstreams_are_read_in_time)
{
	static struct conf_upstream many[UPSTREAMS];
	static struct conf_server servers[UPSTREAMS];
	static char names[UPSTREAMS][2][16];

	for (size_t i = 0; i < UPSTREAMS; i++) {
		snprintf(names[i][0], sizeof(names[i][0]), "upstream%zu", i);
		snprintf(names[i][1], sizeof(names[i][1]), "upstream%zu.0", i);
		servers[i] = (struct conf_server){.name = names[i][1], .text = names[i][1]};
		many[i] = (struct conf_upstream){
			.name = names[i][0], .servers = &servers[i], .server_count = 1};
	}
	conf.upstreams = many;
	conf.upstream_count = UPSTREAMS;
	slots_set();
	uint64_t least = scrape_us();

	families_read();
	cr_expect_lt(least * 1000, BYTE_NS * text_len, "%lu us for %zu bytes", least, text_len);
	conf.upstreams = &upstream;
	conf.upstream_count = 1;
	slots_set();
}

Test(metrics, a_thousand_routes_are_read_in_time)
{
	for (unsigned i = 1; i < ROUTES; i++) {
		char name[32];

		snprintf(name, sizeof(name), "/route/%u/*", i);
		cr_assert_eq(route_slots_get(&gateway.route_slots, name), i + 1);
	}
	uint64_t least = scrape_us();

	families_read();
	cr_expect_lt(least, SCRAPE_US, "%lu us for %zu bytes", least, text_len);
}

Test(metrics, a_route_keeps_its_slot)
{
	struct route_slots slots = {.count = 0};
	char name[300];

	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 1; i < DP_ROUTE_SLOTS + 10; i++) {
			snprintf(name, sizeof(name), "/%u", i);
			cr_assert_eq(route_slots_get(&slots, name), i < DP_ROUTE_SLOTS ? i : 0);
		}
	cr_expect_eq(route_slots_count(&slots), DP_ROUTE_SLOTS);
	cr_expect_str_eq(slots.label[0], "other");
	route_slots_free(&slots);

	memset(name, 'a', sizeof(name) - 1);
	name[0] = '/';
	memcpy(name + ROUTE_LABEL_MAX - 1, "\xc3\xa4", 2);
	name[sizeof(name) - 1] = 0;
	cr_assert_eq(route_slots_get(&slots, name), 1);
	cr_expect_eq(strlen(slots.label[1]), ROUTE_LABEL_MAX - 1 + strlen("..1"));
	name[200] = 'b';
	cr_assert_eq(route_slots_get(&slots, name), 2);
	cr_expect_str_neq(slots.label[1], slots.label[2]);
	route_slots_free(&slots);
}
