// SPDX-License-Identifier: BSD-3-Clause
// All counters: that each can be shown as it is, here and by metrics, and that docs/counters.md has
// them all. The page is made again by copying the table that a failing test writes.

#include "gw/ctl/verbs.h"
#include "gw/daemon/counters.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WORKERS  2
#define COUNTERS 512
#define TABLE    "counters.md" // written to the directory that the test runs in

static struct bed bed;
static char folder[] = "/tmp/test_counters.XXXXXX", path[64];
// One upstream with a server and one port, whose names stand for any.
static struct conf_server server_of_it = {.name = "NAME.N", .text = "http://NAME"};
static struct conf_upstream upstream = {
	.name = "NAME", .servers = &server_of_it, .server_count = 1};
static struct conf_port port = {.name = "NAME"};
static struct conf conf = {.upstreams = &upstream, .upstream_count = 1};
static struct daemon gateway = {.conf = &conf,
	.port = {{.conf = &port, .tap_fd = 1, .from_kernel_full = 5}},
	.port_count = 1};
static struct counter all[COUNTERS];
static size_t count;

static void read_all(void)
{
	struct counters at = {.daemon = &gateway};

	for (count = 0; counters_next(&at, &all[count]); count++)
		cr_assert_lt(count, COUNTERS - 1);
}

static void set_up(void)
{
	bed_make_workers(&bed, WORKERS, false);
	gateway.dp = bed.dp;
	route_slots_get(&gateway.route_slots, "PATTERN");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	const struct ctl_server_conf server = {.path = path,
		.mode = 0600,
		.gid = (gid_t)-1,
		.verbs = ctl_verbs,
		.verb_count = ctl_verb_count};

	gateway.ctl = ctl_server_create(&server);
	cr_assert_not_null(gateway.ctl);
	gateway.slots = up_slots_create(1);
	cr_assert(gateway.slots && !up_slots_take(gateway.slots, &conf));
	up_slots_current(gateway.slots, &conf);
	free((char *)(uintptr_t)gateway.slots->server[0]->name);
	gateway.slots->server[0]->name = strdup(server_of_it.name);
	read_all();
}

static void tear_down(void)
{
	ctl_server_free(gateway.ctl);
	route_slots_free(&gateway.route_slots);
	up_slots_free(gateway.slots);
	rmdir(folder);
	bed_free(&bed);
}

TestSuite(counters, .init = set_up, .fini = tear_down);

static const struct counter *named(const char *listed)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(all[i].listed, listed) == 0)
			return &all[i];
	cr_assert_fail("no counter is listed as %s", listed);
	return NULL;
}

// Of the names that Prometheus takes, those in lower case that begin with a letter.
static bool is_metric_name(const char *name)
{
	if (!islower((unsigned char)name[0]))
		return false;
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == 0;
}

static bool ends_with(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

Test(counters, each_has_a_metrics_name_a_unit_and_help)
{
	for (size_t i = 0; i < count; i++) {
		const struct counter *c = &all[i];

		cr_expect(is_metric_name(c->name), "%s", c->name);
		cr_expect_lt(strlen(c->listed), COUNTER_NAME_MAX - 1, "%s is cut", c->listed);
		cr_expect(c->help && c->help[0], "%s", c->listed);
		cr_expect_null(
			strpbrk(c->help ? c->help : "", "|\n"), "%s: no row of a table", c->listed);
		cr_expect(c->unit == UNIT_COUNT || unit_name(c->unit), "%s", c->listed);
		cr_expect_eq(c->label != NULL, c->label_value != NULL, "%s", c->listed);
		cr_expect(!c->label || is_metric_name(c->label), "%s", c->label);
		// Prometheus gives these names, and these endings, a meaning of their own.
		cr_expect(!c->label || strncmp(c->label, "__", 2) != 0, "%s", c->label);
		cr_expect_not(ends_with(c->name, "_total"), "%s", c->name);
	}
}

Test(counters, each_is_there_once)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = i + 1; k < count; k++) {
			bool same = strcmp(all[i].name, all[k].name) == 0;

			cr_expect_neq(strcmp(all[i].listed, all[k].listed), 0, "%s", all[i].listed);
			if (!same)
				continue;
			cr_assert(all[i].label && all[k].label, "%s: without a label", all[i].name);
			cr_expect_neq(strcmp(all[i].label_value, all[k].label_value), 0, "%s",
				all[i].listed);
		}
}

// Prometheus has one HELP, UNIT and TYPE for all counters of a name.
Test(counters, those_of_one_name_are_described_alike)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = i + 1; k < count; k++) {
			if (strcmp(all[i].name, all[k].name) != 0)
				continue;
			cr_expect_str_eq(all[i].label, all[k].label, "%s", all[i].name);
			cr_expect_eq(all[i].unit, all[k].unit, "%s", all[i].name);
			cr_expect_eq(all[i].is_gauge, all[k].is_gauge, "%s", all[i].name);
			cr_expect_eq(all[i].worker_count, all[k].worker_count, "%s", all[i].name);
			if (strncmp(all[i].name, "stage_", 6) != 0) // help says which stage
				cr_expect_str_eq(all[i].help, all[k].help, "%s", all[i].name);
		}
}

static void count_up(unsigned worker, enum dp_stat stat, uint64_t n)
{
	dp_stat_add((struct dp_stats *)dp_worker_stats(bed.dp, worker), stat, n);
}

Test(counters, values_are_those_of_their_writers)
{
	struct dp_stats *stats = (struct dp_stats *)dp_worker_stats(bed.dp, 1);

	count_up(0, DP_STAT_tx_bytes, 30);
	count_up(1, DP_STAT_tx_bytes, 4);
	stats->cycles[DP_STAGE_open] = 7;
	stats->packets[DP_STAGE_open] = 8;
	read_all();
	cr_expect_eq(named("tx_bytes")->value, 34);
	cr_expect_eq(named("tx_bytes")->worker_count, WORKERS);
	cr_expect_eq(named("tx_bytes")->workers[1], 4);
	cr_expect_eq(named("tx_bytes")->unit, UNIT_BYTES);
	cr_expect_eq(named("tx_packets")->value, 0);
	cr_expect_eq(named("stage_open_cycles")->workers[1], 7);
	cr_expect_eq(named("stage_open_packets")->value, 8);
	cr_expect_eq(named("port.NAME.from_kernel_full")->value, 5);
	cr_expect_eq(named("port.NAME.to_kernel_failed")->value, 0);
	cr_expect_eq(named("exchanges")->value, 0);
	cr_expect(named("exchanges")->is_gauge);
	cr_expect_str_eq(named("upstream.none.requests")->name, "upstream_requests");
	cr_expect_str_eq(named("upstream.NAME.requests")->label_value, "NAME");
	cr_expect_eq(named("upstream.NAME.queued_ms")->unit, UNIT_MS);
}

Test(counters, the_socket_counts_too)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	memcpy(to.sun_path, path, sizeof(path));
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	ctl_server_poll(gateway.ctl);
	read_all();
	cr_expect_eq(named("ctl.accepted")->value, 1);
	cr_expect_eq(named("ctl.clients")->value, 1);
	cr_expect(named("ctl.clients")->is_gauge);
	cr_expect_eq(named("ctl.refused")->value, 0);
	close(fd);
}

Test(counters, a_port_without_a_kernel_tap_has_none)
{
	size_t before = count;

	gateway.port[0].tap_fd = -1;
	read_all();
	cr_expect_eq(count, before - 2);
}

// One row of the page for each. Requests that came to no upstream count as those of any.
static void row_make(const struct counter *c, char *row, size_t room)
{
	const char *unit = unit_name(c->unit);

	snprintf(row, room, "| `%s` | %s | %s | %s | %s |\n", c->listed,
		c->is_gauge ? "gauge" : "counter", unit ? unit : "", c->worker_count ? "yes" : "",
		c->help);
}

Test(counters, the_page_has_each_as_it_is)
{
	FILE *page = fopen(COUNTERS_PAGE, "r"), *table = fopen(TABLE, "w");
	char line[512], row[512];
	size_t wrong = 0;

	cr_assert_not_null(page);
	cr_assert_not_null(table);
	for (size_t i = 0; i < count; i++) {
		if (all[i].label_value && strcmp(all[i].label_value, "none") == 0)
			continue;
		row_make(&all[i], row, sizeof(row));
		fputs(row, table);
		do
			line[0] = 0;
		while (fgets(line, sizeof(line), page) && strncmp(line, "| `", 3) != 0);
		wrong += strcmp(line, row) != 0;
		cr_expect(wrong != 1 || strcmp(line, row) == 0, "%s instead of %s", line, row);
	}
	while (fgets(line, sizeof(line), page))
		cr_expect_neq(strncmp(line, "| `", 3), 0, "no counter: %s", line);
	fclose(page);
	fclose(table);
	cr_expect_eq(wrong, 0, "%zu rows: the table as it has to be is in %s", wrong, TABLE);
	if (!wrong)
		unlink(TABLE);
}
