// SPDX-License-Identifier: BSD-3-Clause
// A source is a table of counters that are written in one place; the table of sources is at the
// end.

#include "gw/daemon/counters.h"

#include "gw/daemon/upstreams.h"
#include "gw/daemon/workers.h"
#include "gw/os/log.h"

#include <rte_common.h>

#include <stddef.h>
#include <stdio.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

// Workers: stats.def, and the cycles and packets of each stage.

// A counter of the workers, `offset` bytes into their statistics.
static void read_workers(const struct daemon *daemon, size_t offset, struct counter *counter)
{
	counter->worker_count = dp_worker_count(daemon->dp);
	for (unsigned i = 0; i < counter->worker_count; i++) {
		const char *stats = (const char *)dp_worker_stats(daemon->dp, i);

		counter->workers[i] =
			__atomic_load_n((const uint64_t *)(stats + offset), __ATOMIC_RELAXED);
		counter->value += counter->workers[i];
	}
}

static size_t stat_rows(const struct daemon *daemon)
{
	return DP_STAT_COUNT;
}

static const char *stat_read(const struct daemon *daemon, size_t row, struct counter *counter)
{
	counter->help = dp_stat_infos[row].help;
	counter->unit = dp_stat_infos[row].unit;
	read_workers(daemon, offsetof(struct dp_stats, count) + row * sizeof(uint64_t), counter);
	return dp_stat_infos[row].name;
}

static size_t stage_rows(const struct daemon *daemon)
{
	return 2 * DP_STAGE_COUNT;
}

static const char *stage_read(const struct daemon *daemon, size_t row, struct counter *counter)
{
	const struct dp_stat_info *stage = &dp_stage_infos[row / 2];
	const bool is_cycles = row % 2 == 0;
	const size_t array =
		is_cycles ? offsetof(struct dp_stats, cycles) : offsetof(struct dp_stats, packets);

	counter->label_value = stage->name;
	counter->help = stage->help;
	counter->unit = is_cycles ? UNIT_CYCLES : UNIT_COUNT;
	read_workers(daemon, array + row / 2 * sizeof(uint64_t), counter);
	return is_cycles ? "cycles" : "packets";
}

// Loops: stats.def of each upstream. The last one is for requests that came to no upstream.

static size_t upstream_rows(const struct daemon *daemon)
{
	return (daemon->conf->upstream_count + 1) * UP_STAT_COUNT;
}

static const char *upstream_read(const struct daemon *daemon, size_t row, struct counter *counter)
{
	const size_t upstream = row / UP_STAT_COUNT;
	const enum up_stat stat = row % UP_STAT_COUNT;

	counter->label_value = upstream < daemon->conf->upstream_count
		? daemon->conf->upstreams[upstream].name
		: "none";
	counter->help = up_stat_help(stat);
	counter->unit = up_stat_unit(stat);
	counter->is_gauge = up_stat_is_gauge(stat);
	counter->value = upstreams_stat(daemon, upstream, stat);
	return up_stat_name(stat);
}

// Servers of upstreams: server_stats.def, the requests under way, and the histogram of latencies,
// whose buckets include those below, as Prometheus has it. A server that was asked nothing is left
// out; before there are loops all are there.

#define SERVER_ROWS (UP_SERVER_STAT_COUNT + 1 + UP_LATENCY_BUCKETS)

static size_t server_rows(const struct daemon *daemon)
{
	return daemon->conf->upstream_count * CONF_SERVERS_MAX * SERVER_ROWS;
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

static const char *server_read(const struct daemon *daemon, size_t row, struct counter *counter)
{
	size_t upstream = row / SERVER_ROWS / CONF_SERVERS_MAX;
	size_t server = row / SERVER_ROWS % CONF_SERVERS_MAX;
	struct up_server_view view;

	row %= SERVER_ROWS;
	if (server >= daemon->conf->upstreams[upstream].server_count)
		return NULL;
	upstreams_server(daemon, upstream, server, &view);
	if (daemon->loop[0] && !view.stats.stat[UP_SERVER_STAT_attempts])
		return NULL;
	counter->label_value = daemon->conf->upstreams[upstream].servers[server].name;
	if (row < UP_SERVER_STAT_COUNT) {
		counter->help = up_server_stat_help(row);
		counter->unit = up_server_stat_unit(row);
		counter->value = view.stats.stat[row];
		return up_server_stat_name(row);
	}
	if (row > UP_SERVER_STAT_COUNT)
		return latency_read(&view, (unsigned)row - UP_SERVER_STAT_COUNT - 1, counter);
	counter->help = "HTTP requests under way to the server now";
	counter->is_gauge = true;
	counter->value = view.in_flight;
	return "inflight";
}

// Ports: frames between a port and the kernel TAP beside it.

static const struct {
	const char *name, *help;
	size_t offset;
} of_port[] = {
	{"to_kernel_failed", "frames that the kernel did not take, its TAP is down perhaps",
		offsetof(struct daemon_port, to_kernel_failed)},
	{"from_kernel_full", "frames of the kernel for which the worker had no room",
		offsetof(struct daemon_port, from_kernel_full)},
};

static size_t port_rows(const struct daemon *daemon)
{
	return daemon->port_count * ROWS(of_port);
}

static const char *port_read(const struct daemon *daemon, size_t row, struct counter *counter)
{
	const struct daemon_port *port = &daemon->port[row / ROWS(of_port)];

	row %= ROWS(of_port);
	if (port->tap_fd < 0)
		return NULL;
	counter->label_value = port->conf->name;
	counter->help = of_port[row].help;
	counter->value = *(const uint64_t *)((const char *)port + of_port[row].offset);
	return of_port[row].name;
}

// The control socket.

static const struct {
	const char *name, *help;
	bool is_gauge;
	size_t offset;
} of_control[] = {
	{"clients", "connections to the control socket", true,
		offsetof(struct ctl_server_stats, clients)},
	{"subscribers", "connections that get events", true,
		offsetof(struct ctl_server_stats, subscribers)},
	{"requests_open", "requests to the control socket without their last answer", true,
		offsetof(struct ctl_server_stats, requests_open)},
	{"accepted", "connections accepted on the control socket", false,
		offsetof(struct ctl_server_stats, accepted)},
	{"refused", "connections refused because there were too many", false,
		offsetof(struct ctl_server_stats, refused)},
	{"slow", "clients cut off because they did not read their answers", false,
		offsetof(struct ctl_server_stats, slow)},
	{"idle", "clients cut off because they were silent for long", false,
		offsetof(struct ctl_server_stats, idle)},
	{"requests", "requests handled on the control socket", false,
		offsetof(struct ctl_server_stats, requests)},
	{"rejected", "messages that were malformed, unknown or not allowed", false,
		offsetof(struct ctl_server_stats, rejected)},
};

static size_t control_rows(const struct daemon *daemon)
{
	return ROWS(of_control);
}

static const char *control_read(const struct daemon *daemon, size_t row, struct counter *counter)
{
	struct ctl_server_stats stats;

	ctl_server_get_stats(daemon->ctl, &stats);
	counter->help = of_control[row].help;
	counter->is_gauge = of_control[row].is_gauge;
	counter->value = *(const uint64_t *)((const char *)&stats + of_control[row].offset);
	return of_control[row].name;
}

// What has a function of its own each.

struct own_row {
	const char *name, *help;
	enum unit unit;
	bool is_gauge;
	uint64_t (*read)(const struct daemon *daemon);
	uint64_t (*read_worker)(const struct daemon *daemon, unsigned worker); // NULL: none
};

static const char *own_read(
	const struct own_row *row, const struct daemon *daemon, struct counter *counter)
{
	counter->help = row->help;
	counter->unit = row->unit;
	counter->is_gauge = row->is_gauge;
	counter->value = row->read(daemon);
	if (row->read_worker)
		counter->worker_count = dp_worker_count(daemon->dp);
	for (unsigned i = 0; i < counter->worker_count; i++)
		counter->workers[i] = row->read_worker(daemon, i);
	return row->name;
}

static uint64_t lines_written(const struct daemon *daemon)
{
	return log_written();
}

static uint64_t lines_lost(const struct daemon *daemon)
{
	return log_lost();
}

static uint64_t access_written(const struct daemon *daemon)
{
	return daemon->access ? up_access_log_written(daemon->access) : 0;
}

static uint64_t access_dropped(const struct daemon *daemon)
{
	return daemon->access ? up_access_log_dropped(daemon->access) : 0;
}

static uint64_t access_failed(const struct daemon *daemon)
{
	return daemon->access ? up_access_log_failed(daemon->access) : 0;
}

static const struct own_row of_logs[] = {
	{"log_written", "lines of the log", UNIT_COUNT, false, lines_written, NULL},
	{"log_lost", "lines of the log that nobody took in time", UNIT_COUNT, false, lines_lost,
		NULL},
	{"access_log_written", "lines of the access log", UNIT_COUNT, false, access_written, NULL},
	{"access_log_dropped", "lines above the rate, or without room", UNIT_COUNT, false,
		access_dropped, NULL},
	{"access_log_failed", "lines that the file did not take", UNIT_COUNT, false, access_failed,
		NULL},
};

static size_t log_rows(const struct daemon *daemon)
{
	return ROWS(of_logs);
}

static const char *log_read(const struct daemon *daemon, size_t row, struct counter *counter)
{
	return own_read(&of_logs[row], daemon, counter);
}

static uint64_t devices(const struct daemon *daemon)
{
	return dp_contexts(daemon->dp)->count;
}

static uint64_t devices_retiring(const struct daemon *daemon)
{
	return dp_devices_retiring(daemon->dp);
}

static uint64_t exchanges(const struct daemon *daemon)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++)
		sum += workers_in_flight(daemon->dp, i);
	return sum;
}

static uint64_t exchanges_unacked(const struct daemon *daemon)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++)
		sum += dp_worker_unacked(daemon->dp, i);
	return sum;
}

static uint64_t mbufs(const struct daemon *daemon)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++)
		sum += dp_worker_mbufs(daemon->dp, i);
	return sum;
}

static uint64_t overload_of(const struct daemon *daemon, unsigned worker)
{
	return dp_worker_rung(daemon->dp, worker);
}

// The highest rung that a worker stands on.
static uint64_t overload(const struct daemon *daemon)
{
	uint64_t most = 0;

	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++)
		most = RTE_MAX(most, overload_of(daemon, i));
	return most;
}

// Of the workers that have answers, the least.
static uint64_t answers_oldest(const struct daemon *daemon)
{
	uint64_t oldest = 0;

	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++) {
		uint64_t age = dp_worker_answers_oldest_ms(daemon->dp, i);

		if (!oldest || (age && age < oldest))
			oldest = age;
	}
	return oldest;
}

static uint64_t answers_kept_of(const struct daemon *daemon, unsigned worker)
{
	return daemon->answers.kept_ms[worker];
}

// The least of all workers.
static uint64_t answers_kept(const struct daemon *daemon)
{
	uint64_t least = ANSWERS_KEPT_MAX_MS;

	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++)
		least = RTE_MIN(least, answers_kept_of(daemon, i));
	return least;
}

static const struct own_row of_states[] = {
	{"devices", "security contexts in the table", UNIT_COUNT, true, devices, NULL},
	{"devices_retiring", "removed devices whose memory is not free yet", UNIT_COUNT, true,
		devices_retiring, NULL},
	{"exchanges", "requests in flight", UNIT_COUNT, true, exchanges, NULL},
	{"exchanges_unacked", "separate answers that wait for their ACK", UNIT_COUNT, true,
		exchanges_unacked, NULL},
	{"mbufs", "packet buffers in use, receive queues among them", UNIT_COUNT, true, mbufs,
		NULL},
	{"overload", "rung of the overload ladder: 1 refuses low priority, 2 NON, 3 all",
		UNIT_COUNT, true, overload, overload_of},
	{"answers_oldest", "age of the oldest answer that a retransmission would still get",
		UNIT_MS, true, answers_oldest, NULL},
	{"answers_kept",
		"how long an answer is kept for copies at the present rate, 262143 at most",
		UNIT_MS, true, answers_kept, answers_kept_of},
};

static size_t state_rows(const struct daemon *daemon)
{
	return ROWS(of_states);
}

static const char *state_read(const struct daemon *daemon, size_t row, struct counter *counter)
{
	return own_read(&of_states[row], daemon, counter);
}

// All sources in the order in which they are listed. `read` fills help, unit, kind, values and the
// label's value, and returns the name behind the prefix; NULL leaves this row out.
static const struct source {
	const char *prefix; // "": none
	const char *label;  // NULL: none
	char separator;     // of prefix, label's value and name as they are listed
	size_t (*rows)(const struct daemon *daemon);
	const char *(*read)(const struct daemon *daemon, size_t row, struct counter *counter);
} sources[] = {
	{"ctl", NULL, '.', control_rows, control_read},
	{"", NULL, 0, stat_rows, stat_read},
	{"upstream", "upstream", '.', upstream_rows, upstream_read},
	{"server", "server", '.', server_rows, server_read},
	{"port", "port", '.', port_rows, port_read},
	{"", NULL, 0, log_rows, log_read},
	{"stage", "stage", '_', stage_rows, stage_read},
	{"", NULL, 0, state_rows, state_read},
};

static void names_make(struct counter *counter, const struct source *source, const char *name)
{
	const size_t room = COUNTER_NAME_MAX;

	snprintf(counter->name, room, "%s%s%s", source->prefix, source->prefix[0] ? "_" : "", name);
	if (!source->prefix[0])
		snprintf(counter->listed, room, "%s", name);
	else if (!source->label)
		snprintf(counter->listed, room, "%s%c%s", source->prefix, source->separator, name);
	else
		snprintf(counter->listed, room, "%s%c%s%c%s", source->prefix, source->separator,
			counter->label_value, source->separator, name);
}

bool counters_next(struct counters *at, struct counter *counter)
{
	for (; at->source < ROWS(sources); at->source++, at->row = 0) {
		const struct source *source = &sources[at->source];

		while (at->row < source->rows(at->daemon)) {
			*counter = (struct counter){.label = source->label};
			const char *name = source->read(at->daemon, at->row++, counter);

			if (!name)
				continue;
			names_make(counter, source, name);
			return true;
		}
	}
	return false;
}
