// SPDX-License-Identifier: BSD-3-Clause
// The verb stats: all counters, read where they are written; no worker is asked.

#include "gw/daemon/counters.h"

#include "gw/daemon/upstreams.h"
#include "gw/daemon/workers.h"
#include "gw/os/log.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

// A counter of the workers, `offset` bytes into their statistics.
static void list_worker_counter(const struct daemon *daemon, struct ctl_request *req,
	const char *name, const char *help, const char *unit, size_t offset)
{
	uint64_t values[DP_WORKERS_MAX];
	struct ctl_counter counter = {.name = name,
		.help = help,
		.unit = unit,
		.workers = values,
		.worker_count = dp_worker_count(daemon->dp)};

	for (unsigned i = 0; i < counter.worker_count; i++) {
		const char *stats = (const char *)dp_worker_stats(daemon->dp, i);

		values[i] = __atomic_load_n((const uint64_t *)(stats + offset), __ATOMIC_RELAXED);
		counter.total += values[i];
	}
	ctl_list_counter(req, &counter);
}

static void list_gauge(struct ctl_request *req, const char *name, const char *help,
	const char *unit, uint64_t value)
{
	const struct ctl_counter counter = {
		.name = name, .help = help, .unit = unit, .gauge = true, .total = value};

	ctl_list_counter(req, &counter);
}

// The last one is for requests that came to no upstream.
static void list_upstream(const struct daemon *daemon, struct ctl_request *req, size_t index)
{
	const char *upstream =
		index < daemon->conf->upstream_count ? daemon->conf->upstreams[index].name : "none";

	for (unsigned k = 0; k < UP_STAT_COUNT; k++) {
		char name[128];
		const struct ctl_counter counter = {
			.name = name,
			.help = up_stat_help(k),
			.unit = unit_name(up_stat_unit(k)),
			.gauge = up_stat_is_gauge(k),
			.total = upstreams_stat(daemon, index, k),
		};

		snprintf(name, sizeof(name), "upstream.%s.%s", upstream, up_stat_name(k));
		ctl_list_counter(req, &counter);
	}
}

static void list_access_log(const struct daemon *daemon, struct ctl_request *req, size_t index)
{
	const struct up_access_log *log = daemon->access;
	const struct ctl_counter counters[] = {
		{.name = "access_log_written", .help = "lines of the access log"},
		{.name = "access_log_dropped", .help = "lines above the rate, or without room"},
		{.name = "access_log_failed", .help = "lines that the file did not take"},
	};
	const uint64_t totals[] = {log ? up_access_log_written(log) : 0,
		log ? up_access_log_dropped(log) : 0, log ? up_access_log_failed(log) : 0};

	for (unsigned i = 0; i < 3; i++) {
		struct ctl_counter counter = counters[i];

		counter.total = totals[i];
		ctl_list_counter(req, &counter);
	}
}

// Frames between a port and the kernel TAP beside it.
static void list_port(const struct daemon *daemon, struct ctl_request *req, size_t index)
{
	const struct daemon_port *port = &daemon->port[index];
	char name[64];
	struct ctl_counter counter = {.name = name};

	if (port->tap_fd < 0)
		return;
	snprintf(name, sizeof(name), "port.%s.to_kernel_failed", port->conf->name);
	counter.help = "frames that the kernel did not take, its TAP is down perhaps";
	counter.total = port->to_kernel_failed;
	ctl_list_counter(req, &counter);
	snprintf(name, sizeof(name), "port.%s.from_kernel_full", port->conf->name);
	counter.help = "frames of the kernel for which the worker had no room";
	counter.total = port->from_kernel_full;
	ctl_list_counter(req, &counter);
}

static void list_log(const struct daemon *daemon, struct ctl_request *req, size_t index)
{
	const struct ctl_counter counters[] = {
		{.name = "log_written", .help = "lines of the log", .total = log_written()},
		{.name = "log_lost",
			.help = "lines of the log that nobody took in time",
			.total = log_lost()},
	};

	ctl_list_counter(req, &counters[0]);
	ctl_list_counter(req, &counters[1]);
}

static void list_stage(const struct daemon *daemon, struct ctl_request *req, size_t index)
{
	const struct dp_stat_info *stage = &dp_stage_infos[index];
	char name[64];

	snprintf(name, sizeof(name), "stage_%s_cycles", stage->name);
	list_worker_counter(daemon, req, name, stage->help, "cycles",
		offsetof(struct dp_stats, cycles) + index * sizeof(uint64_t));
	snprintf(name, sizeof(name), "stage_%s_packets", stage->name);
	list_worker_counter(daemon, req, name, stage->help, NULL,
		offsetof(struct dp_stats, packets) + index * sizeof(uint64_t));
}

// The rung of the overload ladder that each worker stands on, and the highest of them.
static void list_overload(const struct daemon *daemon, struct ctl_request *req)
{
	uint64_t values[DP_WORKERS_MAX];
	struct ctl_counter counter = {.name = "overload",
		.help = "rung of the overload ladder: 1 refuses low priority, 2 NON, 3 all",
		.gauge = true,
		.workers = values,
		.worker_count = dp_worker_count(daemon->dp)};

	for (unsigned i = 0; i < counter.worker_count; i++) {
		values[i] = dp_worker_rung(daemon->dp, i);
		counter.total = values[i] > counter.total ? values[i] : counter.total;
	}
	ctl_list_counter(req, &counter);
}

static void list_gauges(const struct daemon *daemon, struct ctl_request *req, size_t index)
{
	uint64_t in_flight = 0;
	uint64_t unacked = 0;
	uint64_t mbufs = 0;
	uint64_t oldest = 0;

	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++) {
		uint64_t age = dp_worker_answers_oldest_ms(daemon->dp, i);

		in_flight += workers_in_flight(daemon->dp, i);
		mbufs += dp_worker_mbufs(daemon->dp, i);
		unacked += dp_worker_unacked(daemon->dp, i);
		if (!oldest || (age && age < oldest))
			oldest = age;
	}
	list_gauge(req, "devices", "security contexts in the table", NULL,
		dp_contexts(daemon->dp)->count);
	list_gauge(req, "devices_retiring", "removed devices whose memory is not free yet", NULL,
		dp_devices_retiring(daemon->dp));
	list_gauge(req, "exchanges", "requests in flight", NULL, in_flight);
	list_gauge(req, "exchanges_unacked", "separate answers that wait for their ACK", NULL,
		unacked);
	list_gauge(req, "mbufs", "packet buffers in use, receive queues among them", NULL, mbufs);
	list_overload(daemon, req);
	list_gauge(req, "answers_oldest",
		"age of the oldest answer that a retransmission would still get", "ms", oldest);
}

static void list_stat(const struct daemon *daemon, struct ctl_request *req, size_t index)
{
	const struct dp_stat_info *info = &dp_stat_infos[index];

	list_worker_counter(daemon, req, info->name, info->help, unit_name(info->unit),
		offsetof(struct dp_stats, count) + index * sizeof(uint64_t));
}

static size_t stats(const struct daemon *daemon)
{
	return DP_STAT_COUNT;
}

static size_t upstreams(const struct daemon *daemon)
{
	return daemon->conf->upstream_count + 1;
}

static size_t ports(const struct daemon *daemon)
{
	return daemon->port_count;
}

static size_t stages(const struct daemon *daemon)
{
	return DP_STAGE_COUNT;
}

static size_t one(const struct daemon *daemon)
{
	return 1;
}

// All counters, in the order in which they are listed: a section has so many rows, and a row is a
// few counters.
static const struct {
	size_t (*rows)(const struct daemon *daemon);
	void (*list)(const struct daemon *daemon, struct ctl_request *req, size_t row);
} sections[] = {
	{stats, list_stat},
	{upstreams, list_upstream},
	{ports, list_port},
	{one, list_log},
	{one, list_access_log},
	{stages, list_stage},
	{one, list_gauges},
};

#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

struct walk {
	const struct daemon *daemon;
	size_t section, row;
};

static bool walk_next(void *arg, struct ctl_request *req)
{
	struct walk *walk = arg;

	while (walk->section < SECTIONS &&
		walk->row >= sections[walk->section].rows(walk->daemon)) {
		walk->section++;
		walk->row = 0;
	}
	if (walk->section == SECTIONS)
		return false;
	sections[walk->section].list(walk->daemon, req, walk->row++);
	return true;
}

void verb_stats(void *arg, struct ctl_request *req)
{
	static const struct ctl_stream stream = {.next = walk_next, .done = free};
	struct walk *walk = calloc(1, sizeof(*walk));

	if (!walk) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	walk->daemon = arg;
	ctl_request_stream(req, &stream, walk);
}
