// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/upstreams.h"

#include "base/error.h"
#include "gw/daemon/alarm.h"
#include "gw/daemon/handshakes.h"
#include "gw/daemon/registry.h"
#include "gw/os/log.h"
#include "gw/upstream/access_line.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

static void on_device_gone(void *arg, uint32_t context, uint32_t generation)
{
	struct daemon *daemon = arg;

	// Any loop may be the home of what is stored for it.
	for (unsigned i = 0; i < daemon->conf->workers.loops; i++)
		up_loop_device_gone(daemon->loop[i], context, generation);
	handshakes_context_gone(daemon->handshakes, context, generation);
}

_Static_assert(REGISTRY_CREDENTIAL == UP_CREDENTIAL_LEN, "one form of it");

int upstreams_start(struct daemon *daemon)
{
	struct up_loop_config config = {
		.conf = daemon->conf,
		.snapshot = daemon->snapshot->number,
		.slots = daemon->slots,
		.loops = daemon->conf->workers.loops,
		.reps = dp_reps(daemon->dp),
		.name = registry_name,
		.credential = registry_credential,
		.name_arg = &daemon->registry,
	};
	struct error error;
	int rc = 0;

	up_slots_current(daemon->slots, daemon->conf);
	if (daemon->conf->log.access)
		rc = up_access_log_create(
			&daemon->conf->log, config.loops, &daemon->access, &error);
	if (rc) {
		log_error("%s", error.text);
		return rc;
	}
	if (daemon->access)
		dp_access_percent(daemon->dp, daemon->conf->log.sample);
	config.access = daemon->access;
	randombytes_buf(config.etag_key, sizeof(config.etag_key));
	for (unsigned i = 0; i < config.loops; i++) {
		config.loop = i;
		config.upstream = dp_loop(daemon->dp, i);
		rc = up_loop_create(&config, &daemon->loop[i], &error);
		if (rc) {
			log_error("%s", error.text);
			return rc;
		}
	}
	for (unsigned i = 0; !rc && i < config.loops; i++)
		rc = up_loop_start(daemon->loop[i]);
	if (rc)
		log_error("an upstream loop cannot start: %s", strerror(-rc));
	daemon->registry.gone = on_device_gone;
	daemon->registry.gone_arg = daemon;
	return rc;
}

static bool has_batches(const struct conf *conf)
{
	for (size_t i = 0; i < conf->route_count; i++)
		if (conf->routes[i].batch.line)
			return true;
	return false;
}

static void refusals_tell(struct daemon *daemon)
{
	static const char sentence[] = "a service refuses batches as a whole; the log says which";
	const struct snapshot *snapshot = daemon->snapshot;
	uint64_t refusing = 0;

	for (size_t i = 0; i < snapshot->conf->upstream_count; i++)
		refusing += up_slot_stat(snapshot->slot[i], UP_STAT_batch_refusing);
	if (refusing)
		alarm_raise(daemon, sentence);
	else
		alarm_end(daemon, sentence);
}

enum ctl_server_order upstreams_ordered(const struct up_server_slot *server)
{
	if (__atomic_load_n(&server->maint, __ATOMIC_RELAXED))
		return CTL_SERVER_MAINT;
	return __atomic_load_n(&server->drain, __ATOMIC_RELAXED) ? CTL_SERVER_DRAIN
								 : CTL_SERVER_READY;
}

void upstreams_order(
	struct daemon *daemon, struct up_server_slot *server, enum ctl_server_order order, uid_t by)
{
	if (order == upstreams_ordered(server))
		return;
	__atomic_store_n(&server->drain, order == CTL_SERVER_DRAIN, __ATOMIC_RELAXED);
	__atomic_store_n(&server->maint, order == CTL_SERVER_MAINT, __ATOMIC_RELAXED);
	up_slot_touch(server->slot);
	for (unsigned i = 0; i < daemon->conf->workers.loops; i++)
		up_loop_wake(daemon->loop[i]);
	log_notice("upstream %s: server %s: %s, ordered by uid %ju", server->upstream, server->url,
		ctl_server_order_name(order), (uintmax_t)by);
	ctl_event_server_order(
		daemon->ctl, server->upstream, server->url, ctl_server_order_name(order));
}

void upstreams_turn(struct daemon *daemon)
{
	const struct snapshot *snapshot = daemon->snapshot;

	for (size_t i = 0; i < snapshot->conf->upstream_count; i++) {
		struct up_slot *slot = snapshot->slot[i];
		size_t up = up_slot_servers_up(slot);

		if (up == slot->told_up)
			continue;
		slot->told_up = up;
		ctl_event_upstream_state(daemon->ctl, slot->name, slot->server_count, up);
	}
	if (has_batches(snapshot->conf))
		refusals_tell(daemon);
}
