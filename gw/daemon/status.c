// SPDX-License-Identifier: BSD-3-Clause
// All figures are read where workers and loops write them; none of them is asked.

#include "gw/daemon/status.h"

#include "base/clock.h"
#include "gw/daemon/census.h"
#include "gw/daemon/link.h"
#include "gw/daemon/workers.h"

#include <rte_cycles.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

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

static unsigned busy_permille(const struct daemon *daemon, const struct dp_stats *stats)
{
	uint64_t cycles = 0;
	uint64_t all = rte_rdtsc() - daemon->started_tsc;

	for (unsigned i = 0; i < DP_STAGE_COUNT; i++)
		cycles += __atomic_load_n(&stats->cycles[i], __ATOMIC_RELAXED);
	return all ? cycles * 1000 / all : 0;
}

static void upstream_status(
	const struct daemon *daemon, size_t index, struct ctl_upstream_status *status)
{
	const struct conf_upstream *conf = &daemon->snapshot->conf->upstreams[index];
	const struct up_slot *slot = daemon->snapshot->slot[index];

	*status = (struct ctl_upstream_status){
		.name = conf->name,
		.servers = conf->server_count,
		.servers_up = up_slot_servers_up(slot),
		.in_flight = up_slot_stat(slot, UP_STAT_inflight),
		.queued = up_slot_stat(slot, UP_STAT_waiting),
	};
}

static void bodies_status(
	const struct daemon *daemon, unsigned loop, struct ctl_bodies_status *status)
{
	const struct conf *conf = daemon->conf;
	const uint64_t *stat = daemon->slots->none->loop[loop].stat;

	*status = (struct ctl_bodies_status){
		.bodies = __atomic_load_n(&stat[UP_STAT_body_bodies], __ATOMIC_RELAXED),
		.bytes = __atomic_load_n(&stat[UP_STAT_body_bytes], __ATOMIC_RELAXED),
		.memory = conf->bodies.memory / conf->workers.loops,
	};
}

void verb_status(void *arg, struct ctl_request *req)
{
	struct daemon *daemon = arg;
	struct ctl_port_status ports[CONF_PORTS_MAX];
	struct port_texts texts[CONF_PORTS_MAX];
	struct ctl_worker_status workers[DP_WORKERS_MAX] = {0};
	struct ctl_bodies_status bodies[CONF_LOOPS_MAX];
	struct ctl_upstream_status *upstreams =
		calloc(daemon->snapshot->conf->upstream_count + 1, sizeof(*upstreams));
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
	census_take(daemon);
	for (unsigned i = 0; i < CTL_DEVICE_STATE_COUNT; i++)
		if (counts->by_state[i])
			states[state_count++] = (struct ctl_device_count){i, counts->by_state[i]};
	for (unsigned i = 0; i < worker_count; i++) {
		workers[i].core = daemon->conf->workers.cores[i];
		workers[i].devices = counts->by_worker[i];
		workers[i].busy_permille = busy_permille(daemon, dp_worker_stats(daemon->dp, i));
		workers[i].exchanges = workers_in_flight(daemon->dp, i);
		workers[i].overload = dp_rung_name(dp_worker_rung(daemon->dp, i));
		workers[i].answers_kept_ms = daemon->answers.kept_ms[i];
	}
	for (size_t i = 0; i < daemon->snapshot->conf->upstream_count; i++)
		upstream_status(daemon, i, &upstreams[i]);

	for (unsigned i = 0; i < daemon->conf->workers.loops; i++)
		bodies_status(daemon, i, &bodies[i]);

	const struct ctl_status status = {
		.state = daemon->stopping     ? "stopping"
			: daemon->alarm_count ? "degraded"
					      : "serving",
		.uptime_ms = clock_ms() - daemon->started_ms,
		.devices = dp_contexts(daemon->dp)->count,
		.devices_max = dp_contexts(daemon->dp)->max,
		.device_states = states,
		.device_state_count = state_count,
		.ports = ports,
		.port_count = daemon->port_count,
		.workers = workers,
		.worker_count = worker_count,
		.bodies = bodies,
		.bodies_count = daemon->conf->workers.loops,
		.upstreams = upstreams,
		.upstream_count = daemon->snapshot->conf->upstream_count,
		.alarms = daemon->alarm,
		.alarm_count = daemon->alarm_count,
	};

	ctl_reply_status(req, &status);
	free(upstreams);
}
