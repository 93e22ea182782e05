// SPDX-License-Identifier: BSD-3-Clause
// The verbs status and stats: nothing here asks a worker, all is read where it is written.

#include "gw/daemon.h"
#include "gw/log.h"

#include <rte_cycles.h>

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_SHARE 100

static const char *port_kind_name(enum conf_port_kind kind)
{
	switch (kind) {
	case CONF_PORT_PCI:
		return "pci";
	case CONF_PORT_TAP:
		return "tap";
	case CONF_PORT_AF_PACKET:
		return "af_packet";
	case CONF_PORT_AF_XDP:
		return "af_xdp";
	case CONF_PORT_MEMIF:
		return "memif";
	}
	return "?";
}

#define PREFIX_TEXT_MAX (INET6_ADDRSTRLEN + 4) // with "/128"

static void prefix_text(const struct conf_prefix *prefix, char text[PREFIX_TEXT_MAX])
{
	char addr[INET6_ADDRSTRLEN] = "?";

	inet_ntop(prefix->family, prefix->addr, addr, sizeof(addr));
	snprintf(text, PREFIX_TEXT_MAX, "%s/%u", addr, prefix->len);
}

struct port_texts {
	char text[CONF_ADDRESSES_MAX][PREFIX_TEXT_MAX];
	const char *list[CONF_ADDRESSES_MAX];
};

static void port_status(
	const struct daemon_port *port, struct ctl_port_status *status, struct port_texts *texts)
{
	for (size_t i = 0; i < port->conf->address_count; i++) {
		prefix_text(&port->conf->addresses[i], texts->text[i]);
		texts->list[i] = texts->text[i];
	}
	*status = (struct ctl_port_status){
		.name = port->conf->name,
		.kind = port_kind_name(port->conf->kind),
		.device = port->conf->device,
		.link_up = link_is_up(port),
		.addresses = texts->list,
		.address_count = port->conf->address_count,
		.coap = port->conf->coap,
	};
}

// One pass over the devices: 1 000 000 take about 20 ms and the caches of the CPU, which workers
// share. So that whoever asks all the time costs little, the counts are used again for COUNT_SHARE
// times as long as they took.
static void count_contexts(struct daemon *daemon)
{
	const struct dp_context_table *table = dp_contexts(daemon->dp);
	struct daemon_counts *counts = &daemon->counts;
	uint64_t begin = rte_rdtsc();

	if (begin < counts->good_until_tsc)
		return;
	*counts = (struct daemon_counts){0};
	for (uint32_t i = 0; (i = registry_next(&daemon->registry, i)) < daemon->registry.max;
		i++) {
		const struct dp_context *ctx = &table->context[i];

		if (!dp_context_live(ctx))
			continue;
		counts->by_state[operations_state(table, i)]++;
		if (ctx->owner < DP_WORKERS_MAX)
			counts->by_worker[ctx->owner]++;
	}
	uint64_t end = rte_rdtsc();

	counts->good_until_tsc = end + COUNT_SHARE * (end - begin);
}

static unsigned busy_permille(const struct daemon *daemon, const struct dp_stats *stats)
{
	uint64_t cycles = 0;
	uint64_t all = rte_rdtsc() - daemon->started_tsc;

	for (unsigned i = 0; i < DP_STAGE_COUNT; i++)
		cycles += stats->cycles[i];
	return all ? cycles * 1000 / all : 0;
}

// A statistic of an upstream, of all loops together.
static uint64_t upstream_stat(const struct daemon *daemon, size_t index, enum up_stat stat)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < daemon->conf->workers.loops; i++)
		sum += up_loop_stat(daemon->loop[i], index, stat);
	return sum;
}

// Each loop finds out for itself: the least that one of them has.
size_t status_servers_up(const struct daemon *daemon, size_t index)
{
	size_t least = daemon->conf->upstreams[index].server_count;

	for (unsigned i = 0; i < daemon->conf->workers.loops; i++) {
		size_t up = up_loop_servers_up(daemon->loop[i], index);

		least = up < least ? up : least;
	}
	return least;
}

static uint32_t requests_in_flight(const struct dp *dp, unsigned worker)
{
	return dp_worker_exchanges(dp) - dp_worker_exchanges_free(dp, worker) -
		dp_worker_unacked(dp, worker);
}

static void upstream_status(
	const struct daemon *daemon, size_t index, struct ctl_upstream_status *status)
{
	const struct conf_upstream *conf = &daemon->conf->upstreams[index];

	*status = (struct ctl_upstream_status){
		.name = conf->name,
		.servers = conf->server_count,
		.servers_up = status_servers_up(daemon, index),
		.in_flight = upstream_stat(daemon, index, UP_STAT_inflight),
		.queued = upstream_stat(daemon, index, UP_STAT_waiting),
	};
}

void operation_status(void *arg, struct ctl_request *req)
{
	struct daemon *daemon = arg;
	struct ctl_port_status ports[CONF_PORTS_MAX];
	struct port_texts texts[CONF_PORTS_MAX];
	struct ctl_worker_status workers[DP_WORKERS_MAX] = {0};
	struct ctl_upstream_status *upstreams =
		calloc(daemon->conf->upstream_count + 1, sizeof(*upstreams));
	const struct daemon_counts *counts = &daemon->counts;
	struct ctl_device_count states[CTL_DEVICE_STATE_COUNT];
	size_t state_count = 0;
	unsigned worker_count = dp_worker_count(daemon->dp);

	if (!upstreams) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	for (size_t i = 0; i < daemon->port_count; i++)
		port_status(&daemon->port[i], &ports[i], &texts[i]);
	count_contexts(daemon);
	for (unsigned i = 0; i < CTL_DEVICE_STATE_COUNT; i++)
		if (counts->by_state[i])
			states[state_count++] = (struct ctl_device_count){i, counts->by_state[i]};
	for (unsigned i = 0; i < worker_count; i++) {
		workers[i].core = daemon->conf->workers.cores[i];
		workers[i].devices = counts->by_worker[i];
		workers[i].busy_permille = busy_permille(daemon, dp_worker_stats(daemon->dp, i));
		workers[i].exchanges = requests_in_flight(daemon->dp, i);
		workers[i].overload = dp_rung_name(dp_worker_rung(daemon->dp, i));
	}
	for (size_t i = 0; i < daemon->conf->upstream_count; i++)
		upstream_status(daemon, i, &upstreams[i]);

	const struct ctl_status status = {
		.state = daemon->stopping     ? "stopping"
			: daemon->alarm_count ? "degraded"
					      : "serving",
		.uptime_ms = daemon_now_ms() - daemon->started_ms,
		.devices = dp_contexts(daemon->dp)->count,
		.devices_max = dp_contexts(daemon->dp)->max,
		.device_states = states,
		.device_state_count = state_count,
		.ports = ports,
		.port_count = daemon->port_count,
		.workers = workers,
		.worker_count = worker_count,
		.upstreams = upstreams,
		.upstream_count = daemon->conf->upstream_count,
		.alarms = daemon->alarm,
		.alarm_count = daemon->alarm_count,
	};

	ctl_reply_status(req, &status);
	free(upstreams);
}

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

static void list_upstreams(const struct daemon *daemon, struct ctl_request *req)
{
	for (size_t i = 0; i <= daemon->conf->upstream_count; i++) {
		// The last row is for requests that came to none.
		const char *upstream =
			i < daemon->conf->upstream_count ? daemon->conf->upstreams[i].name : "none";

		for (unsigned k = 0; k < UP_STAT_COUNT; k++) {
			char name[128];
			const struct ctl_counter counter = {
				.name = name,
				.help = up_stat_help(k),
				.unit = k == UP_STAT_queued_ms ? "ms" : NULL,
				.gauge = up_stat_is_gauge(k),
				.total = upstream_stat(daemon, i, k),
			};

			snprintf(name, sizeof(name), "upstream.%s.%s", upstream, up_stat_name(k));
			ctl_list_counter(req, &counter);
		}
	}
}

static void list_access_log(const struct daemon *daemon, struct ctl_request *req)
{
	const struct access_log *log = daemon->access;
	const struct ctl_counter counters[] = {
		{.name = "access_log_written", .help = "lines of the access log"},
		{.name = "access_log_dropped", .help = "lines above the rate, or without room"},
		{.name = "access_log_failed", .help = "lines that the file did not take"},
	};
	const uint64_t totals[] = {log ? access_log_written(log) : 0,
		log ? access_log_dropped(log) : 0, log ? access_log_failed(log) : 0};

	for (unsigned i = 0; i < 3; i++) {
		struct ctl_counter counter = counters[i];

		counter.total = totals[i];
		ctl_list_counter(req, &counter);
	}
}

static void list_log(struct ctl_request *req)
{
	const struct ctl_counter counters[] = {
		{.name = "log_written", .help = "lines of the log", .total = log_written()},
		{.name = "log_lost",
			.help = "lines of the log that nobody read in time",
			.total = log_lost()},
	};

	ctl_list_counter(req, &counters[0]);
	ctl_list_counter(req, &counters[1]);
}

static void list_stages(const struct daemon *daemon, struct ctl_request *req)
{
	for (unsigned i = 0; i < DP_STAGE_COUNT; i++) {
		char name[64];

		snprintf(name, sizeof(name), "stage_%s_cycles", dp_stage_infos[i].name);
		list_worker_counter(daemon, req, name, dp_stage_infos[i].help, "cycles",
			offsetof(struct dp_stats, cycles) + i * sizeof(uint64_t));
		snprintf(name, sizeof(name), "stage_%s_packets", dp_stage_infos[i].name);
		list_worker_counter(daemon, req, name, dp_stage_infos[i].help, NULL,
			offsetof(struct dp_stats, packets) + i * sizeof(uint64_t));
	}
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

static void list_gauges(const struct daemon *daemon, struct ctl_request *req)
{
	uint64_t in_flight = 0;
	uint64_t unacked = 0;
	uint64_t mbufs = 0;
	uint64_t oldest = 0;

	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++) {
		uint64_t age = dp_worker_answers_oldest_ms(daemon->dp, i);

		in_flight += requests_in_flight(daemon->dp, i);
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

void operation_stats(void *arg, struct ctl_request *req)
{
	struct daemon *daemon = arg;

	for (unsigned i = 0; i < DP_STAT_COUNT; i++) {
		const char *name = dp_stat_infos[i].name;
		const char *unit = strstr(name, "_bytes") ? "bytes" : NULL;

		list_worker_counter(daemon, req, name, dp_stat_infos[i].help, unit,
			offsetof(struct dp_stats, count) + i * sizeof(uint64_t));
	}
	list_upstreams(daemon, req);
	list_log(req);
	list_access_log(daemon, req);
	list_stages(daemon, req);
	list_gauges(daemon, req);
	ctl_request_end(req);
}
