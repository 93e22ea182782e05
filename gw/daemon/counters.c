// SPDX-License-Identifier: BSD-3-Clause
// A source is a table of counters that are written in one place; the table of sources is at the
// end.

#include "gw/daemon/counters.h"

#include "gw/daemon/census.h"
#include "gw/daemon/counters_handshake.h"
#include "gw/daemon/counters_route.h"
#include "gw/daemon/counters_upstream.h"
#include "gw/daemon/push.h"
#include "gw/daemon/workers.h"
#include "gw/http/resolve.h"
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

static size_t stat_rows(const struct counters *at)
{
	return DP_STAT_COUNT;
}

static const char *stat_read(const struct counters *at, size_t row, struct counter *counter)
{
	counter->help = dp_stat_infos[row].help;
	counter->unit = dp_stat_infos[row].unit;
	read_workers(
		at->daemon, offsetof(struct dp_stats, count) + row * sizeof(uint64_t), counter);
	return dp_stat_infos[row].name;
}

static size_t stage_rows(const struct counters *at)
{
	return 2 * DP_STAGE_COUNT;
}

static const char *stage_read(const struct counters *at, size_t row, struct counter *counter)
{
	const struct dp_stat_info *stage = &dp_stage_infos[row / 2];
	const bool is_cycles = row % 2 == 0;
	const size_t array =
		is_cycles ? offsetof(struct dp_stats, cycles) : offsetof(struct dp_stats, packets);

	counter->label_value = stage->name;
	counter->help = stage->help;
	if (at->grouped)
		counter->help =
			is_cycles ? "cycles spent in the stage" : "packets that came to the stage";
	counter->unit = is_cycles ? UNIT_CYCLES : UNIT_COUNT;
	read_workers(at->daemon, array + row / 2 * sizeof(uint64_t), counter);
	return is_cycles ? "cycles" : "packets";
}

// Ports: what their drivers count, and frames between them and the kernel TAP beside them.

static const struct {
	const char *name, *help;
	size_t offset;
} of_port[] = {
	{"rx_missed", "frames that the NIC dropped since the workers took none: they are too slow",
		offsetof(struct daemon_port, driver_missed)},
	{"rx_errors", "frames that the NIC or driver refused as damaged",
		offsetof(struct daemon_port, driver_errors)},
	{"rx_no_mbuf", "frames for which the driver found no packet buffer",
		offsetof(struct daemon_port, driver_no_mbuf)},
	{"tx_errors", "frames that the NIC or driver could not send",
		offsetof(struct daemon_port, driver_tx_errors)},
	{"to_kernel_failed", "frames that the kernel did not take, its TAP is down perhaps",
		offsetof(struct daemon_port, to_kernel_failed)},
	{"from_kernel_full", "frames of the kernel for which the worker had no room",
		offsetof(struct daemon_port, from_kernel_full)},
};

#define KERNEL_ROWS 4 // where those of the kernel TAP begin
#define PORT_ROWS   (ROWS(of_port) + 2)

static size_t port_rows(const struct counters *at)
{
	return at->daemon->port_count * PORT_ROWS;
}

static const char *port_read(const struct counters *at, size_t row, struct counter *counter)
{
	const struct daemon_port *port = &at->daemon->port[row / PORT_ROWS];

	row %= PORT_ROWS;
	counter->label_value = port->conf->name;
	if (row == ROWS(of_port)) {
		counter->help = "1 if the link is up";
		counter->is_gauge = true;
		counter->value = !port->link_down;
		return "link_up";
	}
	if (row == ROWS(of_port) + 1) {
		counter->help = "1 if its network device, or the kernel TAP beside it, was removed";
		counter->is_gauge = true;
		counter->value = port->device_gone || port->kernel_gone;
		return "device_gone";
	}
	if (port->tap_fd < 0 && row >= KERNEL_ROWS)
		return NULL;
	counter->help = of_port[row].help;
	counter->value = __atomic_load_n(
		(const uint64_t *)((const char *)port + of_port[row].offset), __ATOMIC_RELAXED);
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

static size_t control_rows(const struct counters *at)
{
	return ROWS(of_control);
}

static const char *control_read(const struct counters *at, size_t row, struct counter *counter)
{
	struct ctl_server_stats stats;

	ctl_server_get_stats(at->daemon->ctl, &stats);
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

static uint64_t lines_kept_back(const struct daemon *daemon)
{
	return log_kept_back();
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

static struct web_stats web_stats(const struct daemon *daemon)
{
	struct web_stats stats = {0};

	if (daemon->web)
		web_get_stats(daemon->web, &stats);
	return stats;
}

static uint64_t web_requests(const struct daemon *daemon)
{
	return web_stats(daemon).requests;
}

static uint64_t web_refused(const struct daemon *daemon)
{
	return web_stats(daemon).refused;
}

static uint64_t web_cut(const struct daemon *daemon)
{
	return web_stats(daemon).cut;
}

static uint64_t web_clients(const struct daemon *daemon)
{
	return web_stats(daemon).clients;
}

static uint64_t name_lookups(const struct daemon *daemon)
{
	return http_resolve_done();
}

static uint64_t name_lookups_unanswered(const struct daemon *daemon)
{
	return http_resolve_unanswered();
}

static const struct own_row of_logs[] = {
	{"log_written", "lines of the log", UNIT_COUNT, false, lines_written, NULL},
	{"log_lost", "lines of the log that nobody took in time", UNIT_COUNT, false, lines_lost,
		NULL},
	{"log_kept_back", "lines of the log that were not written: repeated, or too many of a kind",
		UNIT_COUNT, false, lines_kept_back, NULL},
	{"access_log_written", "lines of the access log", UNIT_COUNT, false, access_written, NULL},
	{"access_log_dropped", "lines above the rate, or without room", UNIT_COUNT, false,
		access_dropped, NULL},
	{"access_log_failed", "lines that the file did not take", UNIT_COUNT, false, access_failed,
		NULL},
	{"web_requests", "HTTP requests to the listener of metrics", UNIT_COUNT, false,
		web_requests, NULL},
	{"web_refused", "of these, refused: 400 and above", UNIT_COUNT, false, web_refused, NULL},
	{"web_cut",
		"connections closed since nothing was answered on them for 30 s, or for newer ones",
		UNIT_COUNT, false, web_cut, NULL},
	{"web_clients", "connections to that listener", UNIT_COUNT, true, web_clients, NULL},
	{"pushes", "values that services pushed or took away", UNIT_COUNT, false, push_taken, NULL},
	{"pushes_refused", "pushes that were refused", UNIT_COUNT, false, push_refused, NULL},
	{"name_lookups", "look-ups of servers' names", UNIT_COUNT, false, name_lookups, NULL},
	{"name_lookups_unanswered", "of these, those that no name server answered", UNIT_COUNT,
		false, name_lookups_unanswered, NULL},
};

static size_t log_rows(const struct counters *at)
{
	return ROWS(of_logs);
}

static const char *log_read(const struct counters *at, size_t row, struct counter *counter)
{
	return own_read(&of_logs[row], at->daemon, counter);
}

static uint64_t devices(const struct daemon *daemon)
{
	return dp_contexts(daemon->dp)->count;
}

static uint64_t devices_retiring(const struct daemon *daemon)
{
	return dp_devices_retiring(daemon->dp);
}

static uint64_t contexts_draining(const struct daemon *daemon)
{
	return dp_contexts_draining(daemon->dp);
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

static uint64_t observations_of(const struct daemon *daemon, unsigned worker)
{
	return dp_worker_observations(daemon->dp, worker);
}

static uint64_t observations(const struct daemon *daemon)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++)
		sum += observations_of(daemon, i);
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

static uint64_t alarms(const struct daemon *daemon)
{
	return daemon->alarm_count;
}

static uint64_t store_failing(const struct daemon *daemon)
{
	return daemon->disk.failing;
}

static uint64_t clock_steps(const struct daemon *daemon)
{
	return daemon->trouble.clock_steps;
}

static uint64_t busy(const struct daemon *daemon)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++)
		sum += workers_busy_us(daemon, i);
	return sum;
}

static const struct own_row of_states[] = {
	{"devices", "security contexts in the table", UNIT_COUNT, true, devices, NULL},
	{"devices_retiring", "removed devices whose memory is not free yet", UNIT_COUNT, true,
		devices_retiring, NULL},
	{"contexts_draining", "contexts that devices had before, with answers under way",
		UNIT_COUNT, true, contexts_draining, NULL},
	{"exchanges", "requests in flight", UNIT_COUNT, true, exchanges, NULL},
	{"exchanges_unacked", "separate answers that wait for their ACK", UNIT_COUNT, true,
		exchanges_unacked, NULL},
	{"observations", "registrations of observers that are there", UNIT_COUNT, true,
		observations, observations_of},
	{"mbufs", "packet buffers in use, receive queues among them", UNIT_COUNT, true, mbufs,
		NULL},
	{"overload", "rung of the overload ladder: 1 refuses low priority, 2 NON, 3 all",
		UNIT_COUNT, true, overload, overload_of},
	{"answers_oldest", "age of the oldest answer that a retransmission would still get",
		UNIT_MS, true, answers_oldest, NULL},
	{"answers_kept",
		"how long an answer is kept for copies at the present rate, 262143 at most",
		UNIT_MS, true, answers_kept, answers_kept_of},
	{"store_failing", "1 while the store cannot be written", UNIT_COUNT, true, store_failing,
		NULL},
	{"clock_steps", "times that the clock was set by a second or more", UNIT_COUNT, false,
		clock_steps, NULL},
	{"alarms", "alarms that `posternctl status` shows", UNIT_COUNT, true, alarms, NULL},
	{"busy", "microseconds that workers spent on packets, in all", UNIT_US, false, busy,
		workers_busy_us},
};

static size_t state_rows(const struct counters *at)
{
	return ROWS(of_states);
}

static const char *state_read(const struct counters *at, size_t row, struct counter *counter)
{
	return own_read(&of_states[row], at->daemon, counter);
}

// Devices by their states, as census.c counted them last.

static size_t census_rows(const struct counters *at)
{
	return CTL_DEVICE_STATE_COUNT;
}

static const char *census_read(const struct counters *at, size_t row, struct counter *counter)
{
	counter->label_value = ctl_device_state_name(row);
	counter->help = "devices in this state";
	counter->is_gauge = true;
	counter->value = at->daemon->counts.by_state[row];
	return "in_state";
}

// All sources in the order in which they are listed. `read` fills help, unit, kind, values and the
// label's value, and returns the name behind the prefix; NULL leaves this row out.
static const struct source {
	const char *prefix; // "": none
	const char *label;  // NULL: none
	char separator;     // of prefix, label's value and name as they are listed
	bool of_main;       // only main's thread may read it
	size_t period;      // rows of one value of the label, if there are several
	size_t (*rows)(const struct counters *at);
	const char *(*read)(const struct counters *at, size_t row, struct counter *counter);
} sources[] = {
	{"ctl", NULL, '.', true, 0, control_rows, control_read},
	{"", NULL, 0, false, 0, stat_rows, stat_read},
	{"route", "route", '.', false, COUNTERS_ROUTE_ROWS, counters_route_rows,
		counters_route_read},
	{"upstream", "upstream", '.', false, COUNTERS_UPSTREAM_ROWS, counters_upstream_rows,
		counters_upstream_read},
	{"server", "server", '.', false, COUNTERS_SERVER_ROWS, counters_server_rows,
		counters_server_read},
	{"port", "port", '.', true, PORT_ROWS, port_rows, port_read},
	{"handshakes", NULL, '.', false, 0, counters_handshake_rows, counters_handshake_read},
	{"", NULL, 0, false, 0, log_rows, log_read},
	{"stage", "stage", '_', false, 2, stage_rows, stage_read},
	{"", NULL, 0, true, 0, state_rows, state_read},
	{"devices", "state", '.', true, 1, census_rows, census_read},
};

static void part_add(char **to, const char *end, const char *part)
{
	while (*part && *to < end)
		*(*to)++ = *part++;
	**to = 0;
}

static void name_make(struct counter *counter, const struct source *source, const char *name)
{
	char *to = counter->name;
	const char *end = to + sizeof(counter->name) - 1;

	part_add(&to, end, source->prefix);
	if (source->prefix[0])
		part_add(&to, end, "_");
	part_add(&to, end, name);
}

static void listed_make(struct counter *counter, const struct source *source, const char *name)
{
	const size_t room = sizeof(counter->listed);

	if (!source->prefix[0])
		snprintf(counter->listed, room, "%s", name);
	else if (!source->label)
		snprintf(counter->listed, room, "%s%c%s", source->prefix, source->separator, name);
	else
		snprintf(counter->listed, room, "%s%c%s%c%s", source->prefix, source->separator,
			counter->label_value, source->separator, name);
}

// The row that comes at this place if those of one name are together.
static size_t row_grouped(const struct source *source, size_t place, size_t rows)
{
	size_t values = source->period ? rows / source->period : 0;

	return values ? place % values * source->period + place / values : place;
}

static bool row_next(struct counters *at, const struct source *source, struct counter *counter)
{
	const size_t rows = source->rows(at);

	while (at->row < rows) {
		size_t place = at->row++;
		const char *name;

		*counter = (struct counter){.label = source->label};
		name = source->read(
			at, at->grouped ? row_grouped(source, place, rows) : place, counter);
		if (!name)
			continue;
		name_make(counter, source, name);
		if (!at->grouped)
			listed_make(counter, source, name);
		return true;
	}
	return false;
}

static bool copy_next(struct counters *at, struct counter *counter)
{
	if (at->copied == at->copy->count || at->copy->source[at->copied] != at->source)
		return false;
	*counter = at->copy->counter[at->copied++];
	return true;
}

bool counters_next(struct counters *at, struct counter *counter)
{
	if (!at->begun)
		counters_upstream_begin(at);
	for (; at->source < ROWS(sources); at->source++, at->row = 0) {
		const struct source *source = &sources[at->source];

		if (at->copy && source->of_main ? copy_next(at, counter)
						: row_next(at, source, counter))
			return true;
	}
	return false;
}

void counters_copy_make(struct daemon *daemon, struct counters_copy *copy)
{
	struct counters at = {.daemon = daemon, .grouped = true};

	census_take(daemon);
	copy->count = 0;
	for (; at.source < ROWS(sources); at.source++, at.row = 0) {
		if (!sources[at.source].of_main)
			continue;
		while (copy->count < COUNTERS_OF_MAIN_MAX &&
			row_next(&at, &sources[at.source], &copy->counter[copy->count]))
			copy->source[copy->count++] = at.source;
	}
}
