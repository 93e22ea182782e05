// SPDX-License-Identifier: BSD-3-Clause
// What the verbs of the control socket do. All of it runs on main; what needs the disk is a job of
// the store thread, and the request is answered when the job is done.

#include "gw/daemon.h"
#include "gw/log.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>

#include <arpa/inet.h>
#include <errno.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

// --- devices -------------------------------------------------------------------------------------

static enum ctl_device_state ctl_state(uint8_t state)
{
	switch ((enum dp_context_state)state) {
	case DP_CONTEXT_WINDOW_UNKNOWN:
		return CTL_DEVICE_WINDOW_UNKNOWN;
	case DP_CONTEXT_ECHO_PENDING:
		return CTL_DEVICE_ECHO_PENDING;
	case DP_CONTEXT_REPLAY_LOCKED:
		return CTL_DEVICE_REPLAY_LOCKED;
	case DP_CONTEXT_ACTIVE:
	case DP_CONTEXT_STATE_COUNT:
		break;
	}
	return CTL_DEVICE_ACTIVE;
}

// The owner's line is read while its owner writes it: each value is right by itself.
static void device_info(
	const struct daemon *daemon, const struct store_info *stored, struct ctl_device_info *info)
{
	uint32_t index;
	const struct dp_context *ctx = registry_find(&daemon->registry, stored, &index);

	*info = (struct ctl_device_info){.stored = stored, .live = ctx != NULL, .worker = -1};
	if (!ctx)
		return;
	uint64_t now_s = daemon_now_ms() / 1000;
	uint64_t seen_s = __atomic_load_n(&ctx->last_seen_s, __ATOMIC_RELAXED);
	uint8_t owner = __atomic_load_n(&ctx->owner, __ATOMIC_RELAXED);

	info->state = ctl_state(ctx->state);
	info->has_highest_piv = ctx->window.next != 0;
	info->highest_piv = ctx->window.next - 1;
	info->seen = seen_s != 0;
	info->last_seen_ms = seen_s < now_s ? (now_s - seen_s) * 1000 : 0;
	info->requests = ctx->accepted;
	if (owner < dp_worker_count(daemon->dp))
		info->worker = owner;
	uint32_t run;

	if (ctx->own_counter && dp_run(daemon->dp, &run)) {
		info->has_own_piv = true;
		info->own_piv =
			((uint64_t)(run + ctx->run_base) << DP_COUNTER_BITS) + ctx->own_counter - 1;
	}
}

struct add_operation {
	struct store_add_job add;
	struct daemon *daemon;
	struct ctl_request *req;
};

static void add_done(struct store_job *job)
{
	struct add_operation *op = CONTAINER_OF(job, struct add_operation, add.job);
	int rc = job->result;

	if (!rc && op->add.outcome != STORE_UNCHANGED)
		rc = registry_add(&op->daemon->registry, &op->add.device);
	if (job->result)
		ctl_reply_failed(op->req, rc, &job->error);
	else if (rc)
		ctl_request_error(op->req, CTL_INTERNAL,
			"%s is stored, but the data plane did not take it: %s", op->add.device.name,
			strerror(-rc));
	else
		ctl_reply_added(op->req, op->add.outcome, op->add.device.name);
	sodium_memzero(op, sizeof(*op));
	free(op);
}

static void operation_add(
	void *arg, struct ctl_request *req, const struct store_spec *spec, bool replace)
{
	struct daemon *daemon = arg;
	struct add_operation *op = calloc(1, sizeof(*op));

	if (!op) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	op->daemon = daemon;
	op->req = req;
	op->add.spec = *spec;
	op->add.replace = replace;
	op->add.job.done = add_done;
	store_add_job_init(&op->add);
	store_thread_submit(daemon->store_thread, &op->add.job);
}

struct import_operation {
	struct store_import_job *import;
	struct daemon *daemon;
	struct ctl_request *req;
	uint64_t refused; // rows that are stored but not in the data plane
};

// Of the one import that runs: its job has no room for a pointer of ours.
static struct import_operation *import_running;

static void import_note(struct store_job *job)
{
	struct store_import_job *import = CONTAINER_OF(job, struct store_import_job, job);

	ctl_import_progress(import_running->req, &import->progress);
}

static void import_done(struct store_job *job)
{
	struct import_operation *op = import_running;
	struct store_import_job *import = op->import;

	if (!job->result && import->count) {
		for (size_t i = 0; i < import->count; i++) {
			int rc = registry_add(&op->daemon->registry, &import->devices[i]);

			if (rc && !op->refused++)
				log_error("%s is stored, but the data plane did not take it: %s",
					import->devices[i].name, strerror(-rc));
		}
		store_thread_submit(op->daemon->store_thread, job);
		return;
	}
	if (job->result && job->result != -EBADMSG)
		ctl_reply_failed(op->req, job->result, &job->error);
	else if (job->result && !import->report.bad)
		ctl_reply_failed(op->req, job->result, &job->error);
	else
		ctl_reply_imported(op->req, &import->report);
	if (!job->result)
		log_notice("import: %lu rows, %lu added, %lu replaced, %lu unchanged",
			import->report.rows, import->report.added, import->report.replaced,
			import->report.unchanged);
	store_import_job_free(import);
	free(op);
	import_running = NULL;
}

static void operation_import(
	void *arg, struct ctl_request *req, int fd, const struct import_options *options)
{
	struct daemon *daemon = arg;
	struct import_operation *op = NULL;
	struct store_import_job *import = NULL;

	if (import_running) {
		close(fd);
		ctl_request_error(req, CTL_BUSY, "another import is running");
		return;
	}
	op = calloc(1, sizeof(*op));
	import = store_import_job_new();
	if (!op || !import) {
		close(fd);
		store_import_job_free(import);
		free(op);
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	*op = (struct import_operation){.import = import, .daemon = daemon, .req = req};
	import->fd = fd;
	import->options = *options;
	import->job.note = import_note;
	import->job.done = import_done;
	import_running = op;
	store_thread_submit(daemon->store_thread, &import->job);
}

struct list_operation {
	struct store_list_job list;
	struct daemon *daemon;
	struct ctl_request *req;
	struct store_info page[];
};

static void list_done(struct store_job *job)
{
	struct list_operation *op = CONTAINER_OF(job, struct list_operation, list.job);

	if (job->result) {
		ctl_reply_failed(op->req, job->result, &job->error);
	} else {
		for (size_t i = 0; i < op->list.count; i++) {
			struct ctl_device_info info;

			device_info(op->daemon, &op->page[i], &info);
			ctl_list_device(op->req, &info);
		}
		ctl_request_end(op->req);
	}
	free(op);
}

static void operation_list(void *arg, struct ctl_request *req, const char *after, unsigned limit)
{
	struct daemon *daemon = arg;
	struct list_operation *op = calloc(1, sizeof(*op) + limit * sizeof(op->page[0]));

	if (!op) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	op->daemon = daemon;
	op->req = req;
	snprintf(op->list.after, sizeof(op->list.after), "%s", after);
	op->list.page = op->page;
	op->list.room = limit;
	op->list.job.done = list_done;
	store_list_job_init(&op->list);
	store_thread_submit(daemon->store_thread, &op->list.job);
}

struct show_operation {
	struct store_show_job show;
	struct daemon *daemon;
	struct ctl_request *req;
};

static void show_done(struct store_job *job)
{
	struct show_operation *op = CONTAINER_OF(job, struct show_operation, show.job);
	struct ctl_device_info info;

	if (job->result) {
		ctl_reply_failed(op->req, job->result, &job->error);
	} else {
		device_info(op->daemon, &op->show.info, &info);
		ctl_reply_device(op->req, &info);
	}
	free(op);
}

static void operation_show(void *arg, struct ctl_request *req, const char *name)
{
	struct daemon *daemon = arg;
	struct show_operation *op = calloc(1, sizeof(*op));

	if (!op) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	op->daemon = daemon;
	op->req = req;
	snprintf(op->show.name, sizeof(op->show.name), "%s", name);
	op->show.job.done = show_done;
	store_show_job_init(&op->show);
	store_thread_submit(daemon->store_thread, &op->show.job);
}

struct remove_operation {
	struct store_remove_job remove;
	struct daemon *daemon;
	struct ctl_request *req;
};

static void remove_done(struct store_job *job)
{
	struct remove_operation *op = CONTAINER_OF(job, struct remove_operation, remove.job);

	if (job->result) {
		ctl_reply_failed(op->req, job->result, &job->error);
	} else {
		int rc = registry_remove(&op->daemon->registry, &op->remove.info);

		if (rc && rc != -ENOENT)
			ctl_request_error(op->req, CTL_INTERNAL,
				"%s is no longer stored, but the data plane keeps it until the "
				"next start: %s",
				op->remove.info.name, strerror(-rc));
		else
			ctl_request_end(op->req);
	}
	free(op);
}

static void operation_remove(void *arg, struct ctl_request *req, const char *name)
{
	struct daemon *daemon = arg;
	struct remove_operation *op = calloc(1, sizeof(*op));

	if (!op) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	op->daemon = daemon;
	op->req = req;
	snprintf(op->remove.name, sizeof(op->remove.name), "%s", name);
	op->remove.job.done = remove_done;
	store_remove_job_init(&op->remove);
	store_thread_submit(daemon->store_thread, &op->remove.job);
}

// --- status and stats ----------------------------------------------------------------------------

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
	struct rte_eth_link link = {0};

	for (size_t i = 0; i < port->conf->address_count; i++) {
		prefix_text(&port->conf->addresses[i], texts->text[i]);
		texts->list[i] = texts->text[i];
	}
	// A driver without link state counts as up.
	bool down = !rte_eth_link_get_nowait(port->port_id, &link) && !link.link_status;

	*status = (struct ctl_port_status){
		.name = port->conf->name,
		.kind = port_kind_name(port->conf->kind),
		.device = port->conf->device,
		.link_up = !down,
		.addresses = texts->list,
		.address_count = port->conf->address_count,
		.coap = port->conf->coap,
	};
}

// One pass over the table: 1 000 000 contexts take about 20 ms.
static void count_contexts(
	const struct daemon *daemon, uint64_t *by_state, struct ctl_worker_status *workers)
{
	const struct dp_context_table *table = dp_contexts(daemon->dp);

	for (uint32_t i = 0; i < table->entries; i++) {
		const struct dp_context *ctx = &table->context[i];

		if (!dp_context_live(ctx))
			continue;
		by_state[ctl_state(ctx->state)]++;
		if (ctx->owner < dp_worker_count(daemon->dp))
			workers[ctx->owner].devices++;
	}
}

static unsigned busy_permille(const struct daemon *daemon, const struct dp_stats *stats)
{
	uint64_t cycles = 0;
	uint64_t all = rte_rdtsc() - daemon->started_tsc;

	for (unsigned i = 0; i < DP_STAGE_COUNT; i++)
		cycles += stats->cycles[i];
	return all ? cycles * 1000 / all : 0;
}

static void operation_status(void *arg, struct ctl_request *req)
{
	struct daemon *daemon = arg;
	struct ctl_port_status ports[CONF_PORTS_MAX];
	struct port_texts texts[CONF_PORTS_MAX];
	struct ctl_worker_status workers[DP_WORKERS_MAX] = {0};
	struct ctl_upstream_status *upstreams =
		calloc(daemon->conf->upstream_count + 1, sizeof(*upstreams));
	uint64_t by_state[CTL_DEVICE_STATE_COUNT] = {0};
	struct ctl_device_count states[CTL_DEVICE_STATE_COUNT];
	size_t state_count = 0;
	unsigned worker_count = dp_worker_count(daemon->dp);

	if (!upstreams) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	for (size_t i = 0; i < daemon->port_count; i++)
		port_status(&daemon->port[i], &ports[i], &texts[i]);
	count_contexts(daemon, by_state, workers);
	for (unsigned i = 0; i < CTL_DEVICE_STATE_COUNT; i++)
		if (by_state[i])
			states[state_count++] = (struct ctl_device_count){i, by_state[i]};
	for (unsigned i = 0; i < worker_count; i++) {
		workers[i].core = daemon->conf->workers.cores[i];
		workers[i].busy_permille = busy_permille(daemon, dp_worker_stats(daemon->dp, i));
		workers[i].exchanges =
			dp_worker_exchanges(daemon->dp) - dp_worker_exchanges_free(daemon->dp, i);
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

static void list_gauges(const struct daemon *daemon, struct ctl_request *req)
{
	uint64_t in_use = 0;
	uint64_t oldest = 0;

	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++) {
		uint64_t age = dp_worker_answers_oldest_ms(daemon->dp, i);

		in_use += dp_worker_exchanges(daemon->dp) - dp_worker_exchanges_free(daemon->dp, i);
		if (!oldest || (age && age < oldest))
			oldest = age;
	}
	list_gauge(req, "devices", "security contexts in the table", NULL,
		dp_contexts(daemon->dp)->count);
	list_gauge(req, "devices_retiring", "removed devices whose memory is not free yet", NULL,
		dp_devices_retiring(daemon->dp));
	list_gauge(req, "exchanges", "requests in flight", NULL, in_use);
	list_gauge(req, "answers_oldest",
		"age of the oldest answer that a retransmission would still get", "ms", oldest);
}

static void operation_stats(void *arg, struct ctl_request *req)
{
	struct daemon *daemon = arg;

	for (unsigned i = 0; i < DP_STAT_COUNT; i++) {
		const char *name = dp_stat_infos[i].name;
		const char *unit = strstr(name, "_bytes") ? "bytes" : NULL;

		list_worker_counter(daemon, req, name, dp_stat_infos[i].help, unit,
			offsetof(struct dp_stats, count) + i * sizeof(uint64_t));
	}
	upstream_stats(daemon, req);
	list_stages(daemon, req);
	list_gauges(daemon, req);
	ctl_request_end(req);
}

static void operation_shutdown(void *arg, struct ctl_request *req)
{
	struct daemon *daemon = arg;

	ctl_request_end(req);
	log_notice("shutdown asked for at the control socket");
	daemon->stopping = true;
}

void operations_init(struct daemon *daemon)
{
	daemon->ops = (struct ctl_ops){
		.status = operation_status,
		.stats = operation_stats,
		.device_add = operation_add,
		.device_import = operation_import,
		.device_list = operation_list,
		.device_show = operation_show,
		.device_remove = operation_remove,
		.shutdown = operation_shutdown,
		.arg = daemon,
	};
}
