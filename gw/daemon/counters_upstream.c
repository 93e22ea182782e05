// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/counters_upstream.h"

#include "gw/daemon/upstreams.h"

#include <rte_common.h>

size_t counters_upstream_rows(const struct counters *at)
{
	return (at->daemon->conf->upstream_count + 1) * COUNTERS_UPSTREAM_ROWS;
}

static const char *servers_read(
	const struct daemon *daemon, size_t upstream, bool up, struct counter *counter)
{
	if (upstream == daemon->conf->upstream_count)
		return NULL;
	counter->help = up ? "its servers that get requests" : "its servers";
	counter->is_gauge = true;
	counter->value = up ? upstreams_servers_up(daemon, upstream)
			    : daemon->conf->upstreams[upstream].server_count;
	return up ? "servers_up" : "servers";
}

// Left out while there is nothing in it.
static const char *histogram_read(
	const struct counters *at, size_t upstream, bool of_batches, struct counter *counter)
{
	const enum up_stat first = of_batches ? UP_STAT_FILL : UP_STAT_QUEUE;
	const struct daemon *daemon = at->daemon;
	uint64_t all = 0;

	if (!at->grouped)
		return NULL;
	for (unsigned i = 0; i < UP_STAT_BUCKETS; i++) {
		counter->buckets[i] = upstreams_stat(daemon, upstream, first + i);
		all += counter->buckets[i];
	}
	if (!all && (daemon->loop[0] || upstream == daemon->conf->upstream_count))
		return NULL;
	counter->bucket_count = UP_STAT_BUCKETS;
	counter->value = upstreams_stat(daemon, upstream, first + UP_STAT_BUCKETS);
	counter->unit = of_batches ? UNIT_COUNT : UNIT_MS;
	counter->help = of_batches
		? "readings of a batch"
		: "times from the arrival of requests at a loop to their HTTP requests";
	return of_batches ? "batch_readings" : "queue";
}

const char *counters_upstream_read(const struct counters *at, size_t row, struct counter *counter)
{
	const struct daemon *daemon = at->daemon;
	const size_t upstream = row / COUNTERS_UPSTREAM_ROWS;
	const enum up_stat stat = row % COUNTERS_UPSTREAM_ROWS;

	counter->label_value = upstream < daemon->conf->upstream_count
		? daemon->conf->upstreams[upstream].name
		: "none"; // which no upstream is called
	if (stat >= UP_STAT_COUNT + 2)
		return histogram_read(at, upstream, stat > UP_STAT_COUNT + 2, counter);
	if (stat >= UP_STAT_COUNT)
		return servers_read(daemon, upstream, stat > UP_STAT_COUNT, counter);
	counter->help = up_stat_help(stat);
	counter->unit = up_stat_unit(stat);
	counter->is_gauge = up_stat_is_gauge(stat);
	counter->value = upstreams_stat(daemon, upstream, stat);
	return up_stat_name(stat);
}

size_t counters_servers_most(const struct conf *conf)
{
	size_t most = 1;

	for (size_t i = 0; i < conf->upstream_count; i++)
		most = RTE_MAX(most, conf->upstreams[i].server_count);
	return most;
}

size_t counters_server_rows(const struct counters *at)
{
	return at->daemon->conf->upstream_count * at->servers_most * COUNTERS_SERVER_ROWS;
}

static const char *latency_read(
	const struct up_server_view *view, unsigned bucket, struct counter *counter)
{
	static const char *const names[UP_LATENCY_BUCKETS] = {"latency_le_64us", "latency_le_128us",
		"latency_le_256us", "latency_le_512us", "latency_le_1024us", "latency_le_2048us",
		"latency_le_4096us", "latency_le_8192us", "latency_le_16384us",
		"latency_le_32768us", "latency_le_65536us", "latency_le_131072us",
		"latency_le_262144us", "latency_le_524288us", "latency_le_1048576us",
		"latency_le_2097152us", "latency_le_4194304us", "latency_le_8388608us",
		"latency_le_16777216us", "latency_le_33554432us", "latency_le_inf"};

	counter->help = "whole answers that took no longer";
	for (unsigned i = 0; i <= bucket; i++)
		counter->value += view->stats.latency[i];
	return names[bucket];
}

static const char *latencies_read(
	const struct up_server_view *view, unsigned bucket, struct counter *counter)
{
	if (bucket)
		return NULL;
	counter->help = "times from requests to their whole answers";
	counter->unit = UNIT_US;
	counter->value = view->stats.stat[UP_SERVER_STAT_latency_us];
	counter->bucket_count = UP_LATENCY_BUCKETS;
	counter->bucket_first = UP_LATENCY_LEAST;
	for (unsigned i = 0; i < UP_LATENCY_BUCKETS; i++)
		counter->buckets[i] = view->stats.latency[i];
	return "latency";
}

static const char *server_state_read(
	const struct up_server_view *view, bool is_up, struct counter *counter)
{
	counter->help = is_up ? "1 unless the server is down or ejected"
			      : "HTTP requests under way to the server now";
	counter->is_gauge = true;
	counter->value = is_up ? !view->down && !view->ejected : view->in_flight;
	return is_up ? "up" : "inflight";
}

static const char *server_out_read(
	const struct daemon *daemon, size_t upstream, size_t server, struct counter *counter)
{
	counter->help = "1 if an operator drains it or keeps it in maintenance";
	counter->is_gauge = true;
	counter->value =
		daemon->servers && upstreams_ordered(daemon, upstream, server) != CTL_SERVER_READY;
	return "out";
}

const char *counters_server_read(const struct counters *at, size_t row, struct counter *counter)
{
	const struct daemon *daemon = at->daemon;
	size_t upstream = row / COUNTERS_SERVER_ROWS / at->servers_most;
	size_t server = row / COUNTERS_SERVER_ROWS % at->servers_most;
	struct up_server_view view;

	row %= COUNTERS_SERVER_ROWS;
	if (server >= daemon->conf->upstreams[upstream].server_count)
		return NULL;
	upstreams_server(daemon, upstream, server, &view);
	if (daemon->loop[0] && !view.stats.stat[UP_SERVER_STAT_attempts] && !view.down)
		return NULL;
	counter->label_value = daemon->conf->upstreams[upstream].servers[server].name;
	counter->upstream = daemon->conf->upstreams[upstream].name;
	counter->url = daemon->conf->upstreams[upstream].servers[server].text;
	if (row < UP_SERVER_STAT_COUNT) {
		if (at->grouped && row == UP_SERVER_STAT_latency_us) // the histogram's sum
			return NULL;
		counter->help = up_server_stat_help(row);
		counter->unit = up_server_stat_unit(row);
		counter->value = view.stats.stat[row];
		return up_server_stat_name(row);
	}
	row -= UP_SERVER_STAT_COUNT;
	if (row < 2)
		return server_state_read(&view, row == 1, counter);
	if (row == 2)
		return server_out_read(daemon, upstream, server, counter);
	return at->grouped ? latencies_read(&view, (unsigned)row - 3, counter)
			   : latency_read(&view, (unsigned)row - 3, counter);
}
