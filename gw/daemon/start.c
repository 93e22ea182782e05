// SPDX-License-Identifier: BSD-3-Clause
// The steps of the start in their order; those of machine.c, ports.c, load.c and upstreams.c among
// them.

#include "gw/daemon/start.h"

#include "base/clock.h"
#include "gw/ctl/socket.h"
#include "gw/daemon/confine.h"
#include "gw/daemon/handshakes.h"
#include "gw/daemon/identity.h"
#include "gw/daemon/load.h"
#include "gw/daemon/loop.h"
#include "gw/daemon/machine.h"
#include "gw/daemon/metrics.h"
#include "gw/daemon/ports.h"
#include "gw/daemon/push.h"
#include "gw/daemon/registry.h"
#include "gw/daemon/reserve.h"
#include "gw/daemon/stop.h"
#include "gw/daemon/upstreams.h"
#include "gw/daemon/verbs.h"
#include "gw/daemon/watchdog.h"
#include "gw/os/eal.h"
#include "gw/os/kernel_tap.h"
#include "gw/os/log.h"
#include "gw/os/notify.h"
#include "gw/os/process.h"

#include <rte_cycles.h>

#include <errno.h>
#include <grp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MB (1024 * 1024)

static int open_store(struct daemon *daemon)
{
	const struct conf *conf = daemon->conf;
	struct error error = {0};
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
		.reserved = daemon->reserved,
	};

	rc = store_open(&config, &daemon->store, &error);
	if (rc)
		log_error("%s", error.text);
	return rc;
}

static int load_trusted(struct daemon *daemon)
{
	struct trusted trusted;
	struct error error = {0};
	const int rc = trusted_read(&daemon->conf->edhoc, &trusted, &error);

	if (rc)
		log_error("%s", error.text);
	else
		trusted_use(&trusted, daemon->credentials);
	return rc;
}

// What EDHOC needs, if it is to be served.
static int load_identity(struct daemon *daemon)
{
	const struct conf_edhoc *conf = &daemon->conf->edhoc;
	struct error error = {0};
	int rc = conf->identity_count ? identity_load(conf, &daemon->identity, &error) : 0;

	if (rc) {
		log_error("%s", error.text);
		return rc;
	}
	if (!daemon->identity)
		return 0;
	identity_offers(daemon->identity, &daemon->conf->edhoc);
	daemon->credentials = credentials_create();
	return daemon->credentials ? load_trusted(daemon) : -ENOMEM;
}

static int start_dp(struct daemon *daemon, uint16_t mtu)
{
	const struct conf *conf = daemon->conf;
	unsigned lcores[CONF_WORKERS_MAX];
	struct error error;

	for (size_t i = 0; i < conf->workers.core_count; i++)
		lcores[i] = i + 1; // gw/os/eal.h
	struct dp_conf dp_conf = machine_dp_sizes(conf, mtu);

	dp_conf.lcores = lcores;
	dp_conf.clock_least_s = store_clock_least(daemon->store);
	dp_conf.ack_timeout_ms = conf->devices.ack_timeout_ms;
	dp_conf.access_percent = conf->log.access ? 100 : 0;
	dp_conf.isa = conf->workers.isa;
	dp_conf.affinity_kid = conf->workers.affinity == CONF_AFFINITY_KID;
	// A NIC's queue overflows while a worker naps; the kernel's does not.
	dp_conf.nap_when_idle = conf->workers.share_cpus ||
		(conf->workers.mode == CONF_MODE_ADAPTIVE && !dp_conf.has_nic);
	dp_conf.share_cpus = conf->workers.share_cpus;
	dp_conf.policy = &daemon->snapshot->routes.policy;

	daemon->dp = dp_create(&dp_conf, &error);
	if (!daemon->dp) {
		log_error("%s", error.text);
		return -errno;
	}
	const struct dp_context_table *table = dp_contexts(daemon->dp);

	if (!table->locked)
		log_warning("keys in memory may be swapped out: raise the limit of locked memory "
			    "(LimitMEMLOCK= of the unit, ulimit -l) by %zu MB",
			dp_context_key_bytes(table) / MB + 1);
	int rc = registry_init(&daemon->registry, daemon->dp, conf->devices.max);

	daemon->registry.credentials = daemon->credentials;
	daemon->registry.vault = vault_create(daemon->store);
	if (!rc && !daemon->registry.vault)
		rc = -ENOMEM;
	if (rc)
		log_error("no memory for the names of %u devices", conf->devices.max);
	return rc;
}

// From here on the store is its thread's.
static int start_store_thread(struct daemon *daemon)
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
	return 0;
}

int start_threads(struct daemon *daemon)
{
	uint8_t shard_key[SHARD_KEY_LEN];

	_Static_assert(SHARD_KEY_LEN == STORE_SHARD_KEY_LEN, "the store has it");
	store_shard_key(daemon->store, shard_key);
	int rc = start_store_thread(daemon);

	if (!rc)
		rc = handshakes_start(daemon, shard_key);
	sodium_memzero(shard_key, sizeof(shard_key));
	return rc ? rc : upstreams_start(daemon);
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
	verbs_init(daemon);
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

struct store_starting {
	struct store_start_job job;
	bool over;
};

static void store_started(struct store_job *job)
{
	((struct store_starting *)job)->over = true;
}

// Whether devices may observe something, so that answers need own Partial IVs.
static bool is_observed(const struct conf *conf)
{
	for (size_t i = 0; i < conf->route_count; i++)
		if (conf->routes[i].observe.line)
			return true;
	return false;
}

int start_store(struct daemon *daemon, bool needs_run)
{
	struct store_starting starting = {.job.job.done = store_started};
	struct store_job *job = &starting.job.job;

	store_start_job_init(&starting.job);
	store_thread_submit(daemon->store_thread, job);
	while (!starting.over)
		store_thread_wait(daemon->store_thread);
	if (job->result)
		log_error("%s", job->error.text);
	else
		reserve_start(daemon->reserve, needs_run || is_observed(daemon->conf));
	return job->result;
}

// Mistakes in the file become lines of the log.
static int load_conf(struct daemon *daemon, const char *path)
{
	FILE *lines = log_stream(NULL);
	int rc = lines ? conf_load(path, &daemon->conf, lines) : -ENOMEM;

	if (lines)
		fclose(lines);
	return rc;
}

int start_configured(struct daemon *daemon)
{
	daemon->slots = up_slots_create(daemon->conf->workers.loops);
	daemon->reserved = device_reserved_new();
	int rc = daemon->slots && daemon->reserved
		? snapshot_make(&(struct snapshot_slots){daemon->slots, &daemon->route_slots,
					&daemon->registry.policies},
			  daemon->conf, 1, &daemon->snapshot)
		: -ENOMEM;

	if (!rc)
		rc = passes_reserve(daemon->reserved, daemon->conf);
	if (rc)
		log_error("no memory");
	else
		policies_configured(&daemon->registry.policies, daemon->conf);
	return rc;
}

// The steps that need nothing but the configuration.
static int prepare(struct daemon *daemon, const char *conf_path, uint16_t *mtu)
{
	int rc = load_conf(daemon, conf_path);

	if (rc)
		return rc;
	log_level_set(daemon->conf->log.level);
	log_json_set(daemon->conf->log.format == CONF_LOG_JSON);
	for (size_t i = 0; i < daemon->conf->port_count; i++)
		if (daemon->conf->ports[i].mtu > *mtu)
			*mtu = daemon->conf->ports[i].mtu;
	daemon->frame_max = kernel_tap_frame_max(*mtu);
	daemon->frame = malloc(daemon->frame_max);
	if (!daemon->frame) {
		log_error("no memory");
		return -ENOMEM;
	}
	rc = start_configured(daemon);
	if (rc)
		return rc;
	return machine_raise_descriptors(daemon->conf, *mtu);
}

static int start_all(struct daemon *daemon, uint16_t mtu)
{
	bool needs_run = false;
	int rc = load_identity(daemon);

	if (!rc)
		rc = open_store(daemon);

	if (!rc && stop_requested(daemon))
		rc = -ECANCELED;
	if (!rc)
		rc = machine_start_eal(daemon, mtu);
	if (!rc && stop_requested(daemon))
		rc = -ECANCELED;
	if (!rc)
		rc = start_dp(daemon, mtu);
	if (!rc)
		rc = ports_start(daemon);
	if (!rc)
		eal_log_pass_on();
	if (!rc)
		rc = load_devices(daemon, &needs_run);
	if (!rc)
		rc = start_threads(daemon);
	if (!rc)
		rc = start_ctl(daemon);
	if (!rc)
		rc = metrics_open(daemon);
	if (!rc)
		rc = push_open(daemon);
	if (!rc)
		rc = loop_open(daemon);
	// From here on the stop is that of a daemon that ran.
	if (!rc && stop_requested(daemon))
		rc = -ECANCELED;
	if (!rc)
		rc = start_store(daemon, needs_run);
	return rc;
}

// Devices with keys, and those whose credential is known.
static uint32_t devices_count(const struct daemon *daemon)
{
	return dp_contexts(daemon->dp)->count +
		(daemon->credentials ? credentials_count(daemon->credentials) : 0);
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
	log_thin_set(true);

	if (rc) {
		log_error("the log's thread cannot start: %s", strerror(-rc));
		return rc;
	}
	rc = watchdog_start(daemon);
	if (rc) {
		log_error("the watchdog's thread cannot start: %s", strerror(-rc));
		return rc;
	}
	rc = prepare(daemon, conf_path, &mtu);
	if (!rc)
		rc = start_all(daemon, mtu);
	if (rc)
		return rc;
	daemon->started_ms = clock_ms();
	daemon->started_tsc = rte_rdtsc();
	rc = metrics_start(daemon);
	if (!rc)
		rc = push_start(daemon);
	if (!rc)
		rc = confine(daemon);
	if (rc)
		return rc;
	rc = dp_start(daemon->dp);
	if (rc) {
		log_error("workers cannot start: %s", strerror(-rc));
		return rc;
	}
	watchdog_run(daemon->watchdog);
	log_notice("ready: %zu ports, %u workers, %u devices", daemon->port_count,
		dp_worker_count(daemon->dp), devices_count(daemon));
	notify_systemd("READY=1\nSTATUS=serving");
	return 0;
}
