// SPDX-License-Identifier: BSD-3-Clause
// Start-up, main's loop, and the clean stop.

#include "gw/daemon.h"

#include "gw/eal.h"
#include "gw/kernel_tap.h"
#include "gw/log.h"
#include "gw/notify.h"

#include <rte_cycles.h>

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define ERR_MAX        512    // bytes of a sentence about what failed
#define KERNEL_BURST   64     // frames of one TAP or worker in one turn
#define TURN_MS        1000   // longest sleep of main
#define RETIRING_MS    5      // longest sleep while the memory of a removed device is not free
#define GRANT_RETRY_MS 60000  // after a grant that was refused for now
#define LOAD_PROGRESS  100000 // devices between two lines of progress
#define EPOLL_EVENTS   16

uint64_t daemon_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * UINT64_C(1000) + now.tv_nsec / 1000000;
}

void daemon_alarm(struct daemon *daemon, const char *sentence)
{
	for (size_t i = 0; i < daemon->alarm_count; i++)
		if (daemon->alarm[i] == sentence)
			return;
	if (daemon->alarm_count < DAEMON_ALARMS_MAX)
		daemon->alarm[daemon->alarm_count++] = sentence;
	log_error("%s", sentence);
}

// --- start ---------------------------------------------------------------------------------------

// Signals that end the daemon come by a descriptor. Before any thread runs, so that all inherit the
// mask; real-time signals are left to gw/eal.c.
static int signals_init(struct daemon *daemon)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	daemon->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return daemon->signal_fd < 0 ? -errno : 0;
}

// Keys are in this process's memory: no core dump, no ptrace by the same user.
static void memory_guard(void)
{
	const struct rlimit none = {0, 0};

	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
}

static int start_store(struct daemon *daemon)
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
	if (!rc)
		rc = store_start(daemon->store, &error);
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
	return dp_eal_bytes(conf->workers.core_count, conf->workers.exchanges, conf->devices.max,
		mtu, conf->port_count);
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
	int rc = eal_start(&eal, err, sizeof(err));

	if (rc) {
		log_error("%s", err);
		return rc;
	}
	daemon->eal_started = true;
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
		lcores[i] = i + 1; // gw/eal.h
	for (size_t i = 0; i < conf->port_count; i++)
		software &= dp_port_is_software(port_kind(conf->ports[i].kind));
	const struct dp_conf dp_conf = {
		.lcores = lcores,
		.worker_count = conf->workers.core_count,
		.max_devices = conf->devices.max,
		.exchanges = conf->workers.exchanges,
		.answers_bytes = conf->workers.answers,
		.port_count = conf->port_count,
		.mtu = mtu,
		.isa = conf->workers.isa,
		// A NIC's queue overflows while a worker naps; the kernel's does not.
		.nap_when_idle = conf->workers.mode == CONF_MODE_ADAPTIVE && software,
		.config = &daemon->routes.config,
	};

	daemon->dp = dp_create(&dp_conf, err, sizeof(err));
	if (!daemon->dp) {
		log_error("%s", err);
		return -errno;
	}
	int rc = registry_init(&daemon->registry, daemon->dp, conf->devices.max);

	if (rc)
		log_error("no memory for the names of %u devices", conf->devices.max);
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
	};
	struct dp_port_addresses addresses = {.coap_port = htons(conf->coap)};
	char err[ERR_MAX];

	for (size_t i = 0; i < conf->address_count; i++) {
		addresses.address[i].family = conf->addresses[i].family == AF_INET ? 4 : 6;
		memcpy(addresses.address[i].addr, conf->addresses[i].addr, 16);
	}
	addresses.count = conf->address_count;
	int rc = dp_port_add(daemon->dp, &dp_conf, &addresses, err, sizeof(err));

	if (rc < 0) {
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

	if (!conf->kernel) // AF_XDP: the addresses are on the netdev below
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
};

static int load_device(void *arg, const struct store_device *device)
{
	struct load_state *state = arg;
	int rc = registry_add(&state->daemon->registry, device);

	if (rc) {
		log_error("device %s: %s", device->name, strerror(-rc));
		return rc;
	}
	if (++state->loaded % LOAD_PROGRESS == 0)
		log_info("%lu devices loaded", state->loaded);
	return 0;
}

static int load_devices(struct daemon *daemon)
{
	struct load_state state = {.daemon = daemon};
	struct store_load_result result = {0};
	struct store_error error = {0};
	int rc = store_load(daemon->store, load_device, &state, &result, &error);

	if (rc) {
		log_error("%s", error.text[0] ? error.text : "devices cannot be loaded");
		return rc;
	}
	if (result.unreadable) {
		log_error("%lu devices are damaged in the store and left out, one of them %s",
			result.unreadable, result.first_unreadable);
		daemon_alarm(daemon, "devices are damaged in the store and were left out");
	}
	return 0;
}

static int start_threads(struct daemon *daemon)
{
	char err[ERR_MAX];

	daemon->store_thread = store_thread_start(daemon->store);
	if (!daemon->store_thread) {
		log_error("the store thread cannot start: %s", strerror(errno));
		return -errno;
	}
	daemon->store = NULL;
	daemon->upstream = up_loop_start(daemon->conf, dp_upstream(daemon->dp), registry_name,
		&daemon->registry, err, sizeof(err));
	if (!daemon->upstream) {
		log_error("%s", err);
		return -errno;
	}
	return 0;
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
		log_error("control socket %s: %s", conf->socket,
			errno == EADDRINUSE       ? "another postern answers there"
				: errno == EEXIST ? "something is there that is no socket"
						  : strerror(errno));
		return -errno;
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

int daemon_start(struct daemon *daemon, const char *conf_path)
{
	uint16_t mtu = 0;

	*daemon = (struct daemon){.signal_fd = -1, .epoll_fd = -1};
	if (sodium_init() < 0) {
		log_error("libsodium cannot start");
		return -EIO;
	}
	memory_guard();
	int rc = conf_load(conf_path, &daemon->conf, stderr);

	if (rc)
		return rc;
	log_level_set(daemon->conf->log.level);
	for (size_t i = 0; i < daemon->conf->port_count; i++)
		if (daemon->conf->ports[i].mtu > mtu)
			mtu = daemon->conf->ports[i].mtu;
	daemon->frame_max = kernel_tap_frame_max(mtu);
	daemon->frame = malloc(daemon->frame_max);
	rc = daemon->frame ? routes_make(&daemon->routes, daemon->conf) : -ENOMEM;
	if (rc) {
		log_error("no memory");
		return rc;
	}
	rc = signals_init(daemon);
	if (!rc)
		rc = start_store(daemon);
	if (!rc)
		rc = start_eal(daemon, mtu);
	if (!rc)
		rc = start_dp(daemon, mtu);
	for (size_t i = 0; !rc && i < daemon->conf->port_count; i++)
		rc = start_port(daemon, &daemon->conf->ports[i]);
	if (!rc)
		rc = load_devices(daemon);
	if (!rc)
		rc = start_threads(daemon);
	if (!rc)
		rc = start_ctl(daemon);
	if (!rc)
		rc = start_loop(daemon);
	if (rc)
		return rc;
	daemon->started_ms = daemon_now_ms();
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

// --- the loop ------------------------------------------------------------------------------------

static void grant_submit(struct daemon *daemon);

static void grant_done(struct store_job *job)
{
	struct daemon *daemon = (struct daemon *)((char *)job - offsetof(struct daemon, grant.job));

	daemon->grant_busy = false;
	if (!job->result) {
		daemon->grant_wanted = false;
		log_info("run %u granted: own Partial IVs may leave", daemon->grant.run);
		dp_run_grant(daemon->dp, daemon->grant.run);
		return;
	}
	daemon_alarm(
		daemon, "no run is granted: devices that need an Echo challenge are not served");
	log_error("%s", job->error.text);
	daemon->grant_retry_ms = daemon_now_ms() + GRANT_RETRY_MS;
}

static void grant_submit(struct daemon *daemon)
{
	if (daemon->grant_busy || daemon_now_ms() < daemon->grant_retry_ms)
		return;
	daemon->grant_busy = true;
	daemon->grant = (struct store_grant_job){.job.done = grant_done};
	store_grant_job_init(&daemon->grant);
	store_thread_submit(daemon->store_thread, &daemon->grant.job);
}

// A context whose counter of own Partial IVs is nearly used up gets the next run.
struct base_raise {
	struct store_base_job base;
	struct daemon *daemon;
	uint32_t context;
	uint32_t generation;
};

static void base_done(struct store_job *job)
{
	struct base_raise *raise =
		(struct base_raise *)((char *)job - offsetof(struct base_raise, base.job));
	int rc = job->result;

	if (rc)
		log_error("%s", job->error.text);
	else
		rc = dp_run_base_raise(
			raise->daemon->dp, raise->context, raise->generation, raise->base.run_base);
	if (rc)
		daemon_alarm(raise->daemon, "own Partial IVs of a device are nearly used up");
	free(raise);
}

static void base_submit(struct daemon *daemon, const struct dp_event *event)
{
	const struct registry_entry *entry =
		registry_get(&daemon->registry, event->context, event->generation);
	struct base_raise *raise = entry ? calloc(1, sizeof(*raise)) : NULL;

	if (!raise)
		return;
	raise->daemon = daemon;
	raise->context = event->context;
	raise->generation = event->generation;
	raise->base.id = entry->id;
	raise->base.run_base = event->arg + 1;
	raise->base.job.done = base_done;
	store_base_job_init(&raise->base);
	store_thread_submit(daemon->store_thread, &raise->base.job);
}

static void on_event(void *arg, const struct dp_event *event)
{
	struct daemon *daemon = arg;

	switch ((enum dp_event_type)event->type) {
	case DP_EVENT_RUN_WANTED:
		daemon->grant_wanted = true;
		break;
	case DP_EVENT_STATE: {
		const struct registry_entry *entry =
			registry_get(&daemon->registry, event->context, event->generation);

		if (!entry)
			break;
		if (event->arg == DP_CONTEXT_REPLAY_LOCKED)
			log_warning("device %s is replay-locked: it uses sequence numbers again",
				entry->name);
		else
			log_debug(
				"device %s is %s", entry->name, dp_context_state_name(event->arg));
		break;
	}
	case DP_EVENT_RUN_BASE_WANTED:
		base_submit(daemon, event);
		break;
	case DP_EVENT_RETIRED:
		break;
	}
}

static struct daemon_port *port_of(struct daemon *daemon, uint16_t port_id)
{
	for (size_t i = 0; i < daemon->port_count; i++)
		if (daemon->port[i].port_id == port_id)
			return &daemon->port[i];
	return NULL;
}

static void to_kernel(struct daemon *daemon)
{
	for (unsigned w = 0; w < dp_worker_count(daemon->dp); w++) {
		struct dp_punt_ring *ring = dp_to_kernel(daemon->dp, w);
		const uint8_t *frame;
		uint16_t port_id;
		uint16_t len;

		for (unsigned n = 0; n < KERNEL_BURST; n++) {
			frame = dp_punt_peek(ring, &port_id, &len);
			if (!frame)
				break;
			struct daemon_port *port = port_of(daemon, port_id);

			if (port && port->tap_fd >= 0 && kernel_tap_write(port->tap_fd, frame, len))
				port->to_kernel_failed++;
			dp_punt_pop(ring);
		}
	}
}

static void from_kernel(struct daemon *daemon, struct daemon_port *port)
{
	for (unsigned n = 0; n < KERNEL_BURST; n++) {
		int len = kernel_tap_read(port->tap_fd, daemon->frame, daemon->frame_max);

		if (len <= 0)
			return;
		// Any worker can send; a full ring is a lost frame, as on any wire.
		unsigned worker = daemon->next_worker++ % dp_worker_count(daemon->dp);

		if (!dp_punt_push(
			    dp_from_kernel(daemon->dp, worker), port->port_id, daemon->frame, len))
			port->from_kernel_full++;
	}
}

static void on_signal(struct daemon *daemon)
{
	struct signalfd_siginfo info;

	while (read(daemon->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			log_notice("SIGHUP: the configuration is read at the next start only");
			continue;
		}
		log_notice("%s: stopping", info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
		daemon->stopping = true;
	}
}

static void on_ready(struct daemon *daemon, int fd)
{
	if (fd == daemon->signal_fd)
		on_signal(daemon);
	else if (fd == ctl_server_fd(daemon->ctl))
		ctl_server_poll(daemon->ctl);
	else if (fd == store_thread_fd(daemon->store_thread))
		store_thread_poll(daemon->store_thread);
	for (size_t i = 0; i < daemon->port_count; i++)
		if (fd == daemon->port[i].tap_fd)
			from_kernel(daemon, &daemon->port[i]);
}

void daemon_run(struct daemon *daemon)
{
	struct epoll_event events[EPOLL_EVENTS];

	while (!daemon->stopping) {
		int timeout = dp_devices_retiring(daemon->dp) ? RETIRING_MS : TURN_MS;

		dp_doorbell_arm(dp_bell(daemon->dp));
		if (dp_pending(daemon->dp))
			timeout = 0;
		int n = epoll_wait(daemon->epoll_fd, events, EPOLL_EVENTS, timeout);

		dp_doorbell_disarm(dp_bell(daemon->dp));
		for (int i = 0; i < n; i++)
			on_ready(daemon, events[i].data.fd);
		dp_poll(daemon->dp, on_event, daemon);
		to_kernel(daemon);
		if (daemon->grant_wanted)
			grant_submit(daemon);
	}
}

// --- stop ----------------------------------------------------------------------------------------

struct stop_state {
	const struct daemon *daemon;
	uint32_t next;
};

// On the store thread, while main waits and no worker runs.
static bool next_window(void *arg, struct store_window *window)
{
	struct stop_state *state = arg;
	const struct registry *registry = &state->daemon->registry;
	const struct dp_context_table *table = dp_contexts(state->daemon->dp);

	while (state->next < registry->max) {
		uint32_t i = state->next++;
		const struct dp_context *ctx = &table->context[i];

		if (!registry->entry[i].id ||
			dp_context_live(ctx) != registry->entry[i].generation ||
			(ctx->state != DP_CONTEXT_ACTIVE && ctx->state != DP_CONTEXT_REPLAY_LOCKED))
			continue;
		window->id = registry->entry[i].id;
		window->window = ctx->window;
		return true;
	}
	return false;
}

static void stop_done(struct store_job *job)
{
	// daemon_stop() reads the result.
}

static int stop_store(struct daemon *daemon)
{
	struct stop_state state = {.daemon = daemon};
	struct store_stop_job stop = {.job.done = stop_done, .next = next_window, .arg = &state};

	store_thread_cancel(daemon->store_thread);
	if (daemon->started_ms) {
		store_stop_job_init(&stop);
		store_thread_submit(daemon->store_thread, &stop.job);
	}
	store_thread_stop(daemon->store_thread);
	if (stop.job.result)
		log_error("windows are not kept, devices will be challenged: %s",
			stop.job.error.text);
	return stop.job.result;
}

int daemon_stop(struct daemon *daemon)
{
	int rc = 0;

	notify_systemd("STOPPING=1");
	if (daemon->dp)
		dp_stop(daemon->dp);
	if (daemon->upstream)
		up_loop_stop(daemon->upstream);
	if (daemon->store_thread)
		rc = stop_store(daemon);
	else
		store_close(daemon->store);
	ctl_server_free(daemon->ctl);
	for (size_t i = 0; i < daemon->port_count; i++)
		if (daemon->port[i].tap_fd >= 0)
			close(daemon->port[i].tap_fd);
	dp_free(daemon->dp);
	registry_fini(&daemon->registry);
	if (daemon->eal_started)
		eal_stop();
	routes_free(&daemon->routes);
	kek_free(daemon->kek);
	free(daemon->frame);
	if (daemon->epoll_fd >= 0)
		close(daemon->epoll_fd);
	if (daemon->signal_fd >= 0)
		close(daemon->signal_fd);
	if (daemon->started_ms && !rc)
		log_notice("stopped");
	conf_free(daemon->conf);
	return rc;
}
