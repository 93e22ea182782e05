// SPDX-License-Identifier: BSD-3-Clause
// Start-up: from the configuration file to workers that take packets.

#include "base/clock.h"
#include "dataplane/port/pci.h"
#include "gw/ctl/socket.h"
#include "gw/daemon/daemon.h"
#include "gw/daemon/descriptors.h"
#include "gw/os/eal.h"
#include "gw/os/kernel_tap.h"
#include "gw/os/log.h"
#include "gw/os/netlink.h"
#include "gw/os/notify.h"
#include "gw/os/process.h"

#include <rte_cycles.h>

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define ERR_MAX       512    // bytes of a sentence about what failed
#define LOAD_PROGRESS 100000 // devices between two lines of progress
#define LOAD_LOOK     1024   // devices between two looks whether to stop
#define MB            (1024 * 1024)
#define HUGE_PAGE_MB  2 // the smallest huge page

static int open_store(struct daemon *daemon)
{
	const struct conf *conf = daemon->conf;
	struct store_error error = {0};
	int rc = kek_load(conf->devices.kek, &daemon->kek, &error);

	if (rc) {
		log_error("%s", error.text);
		return rc;
	}
	const struct store_config config = {
		.directory = conf->devices.store,
		.runtime = conf->runtime,
		.kek = daemon->kek,
		.max_devices = conf->devices.max,
	};

	rc = store_open(&config, &daemon->store, &error);
	if (rc)
		log_error("%s", error.text);
	return rc;
}

static bool use_huge_pages(const struct conf *conf, size_t memory_mb)
{
	switch (conf->workers.huge_pages) {
	case CONF_HUGE_YES:
		return true;
	case CONF_HUGE_NO:
		return false;
	case CONF_HUGE_AUTO:
		break;
	}
	return eal_huge_pages_mb() >= memory_mb;
}

// What mempools, rings and the hash table take of EAL's memory.
static size_t eal_pool_bytes(const struct conf *conf, uint16_t mtu)
{
	return dp_eal_bytes(conf->workers.core_count, conf->workers.loops, conf->workers.exchanges,
		conf->devices.max, mtu, conf->port_count);
}

// What can be told before DPDK starts, which then only says that it cannot.
static int check_memory_and_nics(const struct conf *conf, const struct eal_conf *eal)
{
	char err[ERR_MAX];
	int rc = 0;

	if (eal->huge_pages)
		rc = eal_huge_pages_check(eal->memory_mb, eal_huge_pages_mb(),
			eal_huge_pages_count(), err, sizeof(err));
	for (size_t i = 0; !rc && i < conf->port_count; i++) {
		const struct dp_pci_conf pci = {
			.name = conf->ports[i].name,
			.address = conf->ports[i].device,
			.root = "",
			.huge_pages = eal->huge_pages,
			.memory_mb = eal->memory_mb,
		};

		if (conf->ports[i].kind == CONF_PORT_PCI)
			rc = dp_pci_check(&pci, err, sizeof(err));
	}
	if (rc)
		log_error("%s", err);
	return rc;
}

// The limit holds for all that comes later, or the start is refused.
static int raise_descriptors(const struct conf *conf, uint16_t mtu)
{
	size_t memory_mb = eal_memory_mb(eal_pool_bytes(conf, mtu));
	size_t pages = use_huge_pages(conf, memory_mb) ? memory_mb / HUGE_PAGE_MB : 0;
	char err[ERR_MAX];
	int rc = descriptors_raise(descriptors_needed(conf, pages), err, sizeof(err));

	if (rc)
		log_error("%s", err);
	return rc;
}

static int start_eal(struct daemon *daemon, uint16_t mtu)
{
	const struct conf *conf = daemon->conf;
	unsigned cores[CONF_WORKERS_MAX];
	const char *pci[CONF_PORTS_MAX];
	struct eal_conf eal = {.cores = cores, .count = conf->workers.core_count, .pci = pci};
	char err[ERR_MAX];

	for (size_t i = 0; i < conf->workers.core_count; i++)
		cores[i] = conf->workers.cores[i];
	for (size_t i = 0; i < conf->port_count; i++)
		if (conf->ports[i].kind == CONF_PORT_PCI)
			pci[eal.pci_count++] = conf->ports[i].device;
	eal.memory_mb = eal_memory_mb(eal_pool_bytes(conf, mtu));
	eal.huge_pages = use_huge_pages(conf, eal.memory_mb);
	int rc = check_memory_and_nics(conf, &eal);

	if (rc)
		return rc;
	rc = eal_start(&eal, err, sizeof(err));
	if (rc) {
		log_error("%s", err);
		return rc;
	}
	daemon->eal_started = true;
	log_keep_to_my_cpus();
	log_info("%s, %zu MB for packets", eal.huge_pages ? "huge pages" : "no huge pages",
		eal.memory_mb);
	return 0;
}

static enum dp_port_kind port_kind(enum conf_port_kind kind)
{
	switch (kind) {
	case CONF_PORT_TAP:
		return DP_PORT_TAP;
	case CONF_PORT_AF_PACKET:
		return DP_PORT_AF_PACKET;
	case CONF_PORT_AF_XDP:
		return DP_PORT_AF_XDP;
	case CONF_PORT_MEMIF:
		return DP_PORT_MEMIF;
	case CONF_PORT_PCI:
		break;
	}
	return DP_PORT_PCI;
}

static int start_dp(struct daemon *daemon, uint16_t mtu)
{
	const struct conf *conf = daemon->conf;
	unsigned lcores[CONF_WORKERS_MAX];
	bool software = true;
	char err[ERR_MAX];

	for (size_t i = 0; i < conf->workers.core_count; i++)
		lcores[i] = i + 1; // gw/os/eal.h
	for (size_t i = 0; i < conf->port_count; i++)
		software &= dp_port_is_software(port_kind(conf->ports[i].kind));
	const struct dp_conf dp_conf = {
		.lcores = lcores,
		.worker_count = conf->workers.core_count,
		.loop_count = conf->workers.loops,
		.max_devices = conf->devices.max,
		.exchanges = conf->workers.exchanges,
		.answers_bytes = conf->workers.answers,
		.port_count = conf->port_count,
		.mtu = mtu,
		.clock_least_s = store_clock_least(daemon->store),
		.ack_timeout_ms = conf->devices.ack_timeout_ms,
		.access_percent = conf->log.access ? conf->log.sample : 0,
		.isa = conf->workers.isa,
		.affinity_kid = conf->workers.affinity == CONF_AFFINITY_KID,
		// A NIC's queue overflows while a worker naps; the kernel's does not.
		.nap_when_idle = conf->workers.share_cpus ||
			(conf->workers.mode == CONF_MODE_ADAPTIVE && software),
		.share_cpus = conf->workers.share_cpus,
		.policy = &daemon->routes.config,
	};

	daemon->dp = dp_create(&dp_conf, err, sizeof(err));
	if (!daemon->dp) {
		log_error("%s", err);
		return -errno;
	}
	const struct dp_context_table *table = dp_contexts(daemon->dp);

	if (!table->locked)
		log_warning("keys in memory may be swapped out: raise the limit of locked memory "
			    "(LimitMEMLOCK= of the unit, ulimit -l) by %zu MB",
			dp_context_key_bytes(table) / MB + 1);
	int rc = registry_init(&daemon->registry, daemon->dp, conf->devices.max);

	if (rc)
		log_error("no memory for the names of %u devices", conf->devices.max);
	return rc;
}

// AF_XDP: what is not CoAP stays in the kernel, whose netdev below gets the addresses.
static int netdev_addresses(const struct conf_port *conf)
{
	int rc = netlink_set_up(conf->device);

	for (size_t i = 0; !rc && i < conf->address_count; i++)
		rc = netlink_add_address(conf->device, &conf->addresses[i]);
	if (rc)
		log_error("port %s: %s does not take its addresses: %s", conf->name, conf->device,
			strerror(-rc));
	return rc;
}

static int start_port(struct daemon *daemon, const struct conf_port *conf)
{
	struct daemon_port *port = &daemon->port[daemon->port_count];
	const struct dp_port_conf dp_conf = {
		.name = conf->name,
		.dev = conf->device,
		.kind = port_kind(conf->kind),
		.memif_client = conf->memif_role == CONF_MEMIF_CLIENT,
		.mtu = conf->mtu,
		.queues = daemon->conf->workers.core_count,
		.any_queue = daemon->conf->workers.affinity == CONF_AFFINITY_KID,
	};
	struct dp_port_addresses addresses = {.coap_port = htons(conf->coap)};
	char err[ERR_MAX];

	for (size_t i = 0; i < conf->address_count; i++) {
		addresses.address[i].family = conf->addresses[i].family == AF_INET ? 4 : 6;
		memcpy(addresses.address[i].addr, conf->addresses[i].addr, 16);
	}
	addresses.count = conf->address_count;
	int rc = conf->kernel ? 0 : netdev_addresses(conf);

	if (rc)
		return rc;
	rc = dp_port_add(daemon->dp, &dp_conf, &addresses, err, sizeof(err));

	if (rc < 0) {
		eal_log_join(err, sizeof(err));
		log_error("%s", err);
		return rc;
	}
	*port = (struct daemon_port){.conf = conf, .port_id = rc, .tap_fd = -1};
	daemon->port_count++;
	const struct kernel_tap_conf tap = {
		.name = conf->kernel,
		.mac = addresses.mac,
		.mtu = conf->mtu,
		.addresses = conf->addresses,
		.address_count = conf->address_count,
	};

	if (!conf->kernel)
		return 0;
	port->tap_fd = kernel_tap_open(&tap, err, sizeof(err));
	if (port->tap_fd < 0) {
		log_error("%s", err);
		return port->tap_fd;
	}
	return 0;
}

struct load_state {
	struct daemon *daemon;
	uint64_t loaded;
	uint64_t waiting; // for a resync
	bool needs_run;   // the first request of some device needs an own Partial IV
};

static void load_progress(const struct load_state *state)
{
	char text[80];

	snprintf(text, sizeof(text), "STATUS=%lu of %lu devices loaded", state->loaded,
		store_count(state->daemon->store));
	log_info("%s", text + strlen("STATUS="));
	notify_systemd(text);
}

static int load_device(void *arg, const struct store_device *device)
{
	struct load_state *state = arg;
	int rc = registry_add(&state->daemon->registry, device);

	if (rc) {
		log_error("device %s: %s", device->name, strerror(-rc));
		return rc;
	}
	state->waiting += device->resync_needed;
	if (state->loaded % LOAD_LOOK == 0 && daemon_told_to_stop(state->daemon))
		return -ECANCELED;
	state->needs_run |= reserve_needs_run(device);
	if (++state->loaded % LOAD_PROGRESS == 0)
		load_progress(state);
	return 0;
}

// *needs_run: whether a run must be there before the first packet.
static int load_devices(struct daemon *daemon, bool *needs_run)
{
	struct load_state state = {.daemon = daemon};
	struct store_load_result result = {0};
	struct store_error error = {0};
	int rc = store_load(daemon->store, load_device, &state, &result, &error);

	if (rc == -ECANCELED)
		return rc;
	if (rc) {
		log_error("%s", error.text[0] ? error.text : "devices cannot be loaded");
		return rc;
	}
	if (result.unreadable) {
		log_error("%lu devices are damaged in the store and left out, one of them %s",
			result.unreadable, result.first_unreadable);
		daemon_alarm(daemon, "devices are damaged in the store and were left out");
	}
	daemon_resync_waits(daemon, state.waiting);
	*needs_run = state.needs_run;
	return 0;
}

// All are made before the first one runs, since libcurl asks for that.
static int start_loops(struct daemon *daemon)
{
	struct up_loop_config config = {
		.conf = daemon->conf,
		.loops = daemon->conf->workers.loops,
		.name = registry_name,
		.name_arg = &daemon->registry,
	};
	char err[ERR_MAX];
	int rc = 0;

	daemon->servers_down =
		calloc(daemon->conf->upstream_count + 1, sizeof(daemon->servers_down[0]));
	if (!daemon->servers_down) {
		log_error("no memory");
		return -ENOMEM;
	}
	config.servers_down = daemon->servers_down;
	if (daemon->conf->log.access)
		rc = up_access_log_create(
			&daemon->conf->log, config.loops, &daemon->access, err, sizeof(err));
	if (rc) {
		log_error("%s", err);
		return rc;
	}
	config.access = daemon->access;
	randombytes_buf(config.etag_key, sizeof(config.etag_key));
	for (unsigned i = 0; i < config.loops; i++) {
		config.loop = i;
		config.upstream = dp_loop(daemon->dp, i);
		rc = up_loop_create(&config, &daemon->loop[i], err, sizeof(err));
		if (rc) {
			log_error("%s", err);
			return rc;
		}
	}
	for (unsigned i = 0; !rc && i < config.loops; i++)
		rc = up_loop_start(daemon->loop[i]);
	if (rc)
		log_error("an upstream loop cannot start: %s", strerror(-rc));
	return rc;
}

static int start_threads(struct daemon *daemon)
{
	daemon->store_thread = store_thread_start(daemon->store);
	if (!daemon->store_thread) {
		log_error("the store thread cannot start: %s", strerror(errno));
		return -errno;
	}
	daemon->store = NULL;
	daemon->reserve = reserve_new(daemon);
	if (!daemon->reserve) {
		log_error("no memory");
		return -ENOMEM;
	}
	return start_loops(daemon);
}

static int start_ctl(struct daemon *daemon)
{
	const struct conf_control *conf = &daemon->conf->control;
	gid_t gid = (gid_t)-1;

	if (conf->group) {
		const struct group *group = getgrnam(conf->group);

		if (!group) {
			log_error("%s:%u: there is no group %s", daemon->conf->path,
				conf_line(daemon->conf, &conf->group), conf->group);
			return -ENOENT;
		}
		gid = group->gr_gid;
	}
	operations_init(daemon);
	const struct ctl_server_conf server = {
		.path = conf->socket,
		.mode = conf->mode,
		.gid = gid,
		.owner = geteuid(),
		.others = CTL_VIEW,
		.verbs = ctl_verbs,
		.verb_count = ctl_verb_count,
		.arg = &daemon->ops,
	};

	daemon->ctl = ctl_server_create(&server);
	if (!daemon->ctl) {
		int rc = -errno;

		log_error("control socket %s: %s", conf->socket, ctl_socket_error(-rc));
		return rc;
	}
	return 0;
}

static int watch(struct daemon *daemon, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(daemon->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int start_loop(struct daemon *daemon)
{
	daemon->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (daemon->epoll_fd < 0)
		return -errno;
	int rc = watch(daemon, daemon->signal_fd);

	if (!rc)
		rc = watch(daemon, ctl_server_fd(daemon->ctl));
	if (!rc)
		rc = watch(daemon, store_thread_fd(daemon->store_thread));
	if (!rc)
		rc = watch(daemon, dp_bell(daemon->dp)->fd);
	for (size_t i = 0; !rc && i < daemon->port_count; i++)
		if (daemon->port[i].tap_fd >= 0)
			rc = watch(daemon, daemon->port[i].tap_fd);
	if (rc)
		log_error("epoll: %s", strerror(-rc));
	return rc;
}

struct store_starting {
	struct store_start_job job;
	bool over;
};

static void store_started(struct store_job *job)
{
	((struct store_starting *)job)->over = true;
}

// The last step that can fail for a reason outside of this process: what a clean stop left to the
// next start is used up by it.
static int start_store(struct daemon *daemon)
{
	struct store_starting starting = {.job.job.done = store_started};
	struct store_job *job = &starting.job.job;

	store_start_job_init(&starting.job);
	store_thread_submit(daemon->store_thread, job);
	while (!starting.over)
		store_thread_wait(daemon->store_thread);
	if (job->result)
		log_error("%s", job->error.text);
	return job->result;
}

// Mistakes are lines of the log.
static int load_conf(struct daemon *daemon, const char *path)
{
	FILE *lines = log_stream(NULL);
	int rc = lines ? conf_load(path, &daemon->conf, lines) : -ENOMEM;

	if (lines)
		fclose(lines);
	return rc;
}

// What needs nothing but the configuration.
static int prepare(struct daemon *daemon, const char *conf_path, uint16_t *mtu)
{
	int rc = load_conf(daemon, conf_path);

	if (rc)
		return rc;
	log_level_set(daemon->conf->log.level);
	for (size_t i = 0; i < daemon->conf->port_count; i++)
		if (daemon->conf->ports[i].mtu > *mtu)
			*mtu = daemon->conf->ports[i].mtu;
	daemon->frame_max = kernel_tap_frame_max(*mtu);
	daemon->frame = malloc(daemon->frame_max);
	daemon->servers_up = calloc(daemon->conf->upstream_count + 1, sizeof(size_t));
	rc = daemon->frame && daemon->servers_up ? routes_make(&daemon->routes, daemon->conf)
						 : -ENOMEM;
	if (rc) {
		log_error("no memory");
		return rc;
	}
	return raise_descriptors(daemon->conf, *mtu);
}

static int start_ports(struct daemon *daemon)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < daemon->conf->port_count; i++)
		rc = start_port(daemon, &daemon->conf->ports[i]);
	return rc;
}

static int start_all(struct daemon *daemon, uint16_t mtu)
{
	bool needs_run = false;
	int rc = open_store(daemon);

	if (!rc && daemon_told_to_stop(daemon))
		rc = -ECANCELED;
	if (!rc)
		rc = start_eal(daemon, mtu);
	if (!rc && daemon_told_to_stop(daemon))
		rc = -ECANCELED;
	if (!rc)
		rc = start_dp(daemon, mtu);
	if (!rc)
		rc = start_ports(daemon);
	if (!rc)
		eal_log_pass_on();
	if (!rc)
		rc = load_devices(daemon, &needs_run);
	if (!rc)
		rc = start_threads(daemon);
	if (!rc)
		rc = start_ctl(daemon);
	if (!rc)
		rc = start_loop(daemon);
	// From here on the stop is that of a daemon that ran.
	if (!rc && daemon_told_to_stop(daemon))
		rc = -ECANCELED;
	if (!rc)
		rc = start_store(daemon);
	if (!rc)
		reserve_start(daemon->reserve, needs_run);
	return rc;
}

int daemon_start(struct daemon *daemon, const char *conf_path)
{
	uint16_t mtu = 0;

	*daemon = (struct daemon){.signal_fd = -1, .epoll_fd = -1};
	daemon->signal_fd = process_signals();
	if (daemon->signal_fd < 0 || sodium_init() < 0) {
		log_error("signals or libsodium cannot be used");
		return -EIO;
	}
	process_guard();
	int rc = log_start();

	if (rc) {
		log_error("the log's thread cannot start: %s", strerror(-rc));
		return rc;
	}
	rc = prepare(daemon, conf_path, &mtu);
	if (!rc)
		rc = start_all(daemon, mtu);
	if (rc)
		return rc;
	daemon->started_ms = clock_ms();
	daemon->started_tsc = rte_rdtsc();
	rc = dp_start(daemon->dp);
	if (rc) {
		log_error("workers cannot start: %s", strerror(-rc));
		return rc;
	}
	log_notice("ready: %zu ports, %u workers, %u devices", daemon->port_count,
		dp_worker_count(daemon->dp), dp_contexts(daemon->dp)->count);
	notify_systemd("READY=1\nSTATUS=serving");
	return 0;
}
