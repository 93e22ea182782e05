// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/upstreams.h"

#include "base/error.h"
#include "gw/daemon/alarm.h"
#include "gw/daemon/registry.h"
#include "gw/os/log.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static void on_device_gone(void *arg, uint32_t context, uint32_t generation)
{
	struct daemon *daemon = arg;

	up_loop_device_gone(daemon->loop[dp_loop_of(context, daemon->conf->workers.loops)], context,
		generation);
}

int upstreams_start(struct daemon *daemon)
{
	struct up_loop_config config = {
		.conf = daemon->conf,
		.loops = daemon->conf->workers.loops,
		.name = registry_name,
		.name_arg = &daemon->registry,
	};
	struct error error;
	int rc = 0;

	daemon->servers = calloc(daemon->conf->upstream_count + 1, sizeof(daemon->servers[0]));
	if (!daemon->servers) {
		log_error("no memory");
		return -ENOMEM;
	}
	config.servers = daemon->servers;
	if (daemon->conf->log.access)
		rc = up_access_log_create(
			&daemon->conf->log, config.loops, &daemon->access, &error);
	if (rc) {
		log_error("%s", error.text);
		return rc;
	}
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

uint64_t upstreams_stat(const struct daemon *daemon, size_t upstream, enum up_stat stat)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < daemon->conf->workers.loops; i++)
		sum += up_loop_stat(daemon->loop[i], upstream, stat);
	return sum;
}

size_t upstreams_servers_up(const struct daemon *daemon, size_t index)
{
	size_t least = daemon->conf->upstreams[index].server_count;

	for (unsigned i = 0; i < daemon->conf->workers.loops; i++) {
		size_t up = up_loop_servers_up(daemon->loop[i], index);

		least = up < least ? up : least;
	}
	return least;
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
	uint64_t refusing = 0;

	for (size_t i = 0; i < daemon->conf->upstream_count; i++)
		refusing += upstreams_stat(daemon, i, UP_STAT_batch_refusing);
	if (refusing)
		alarm_raise(daemon, sentence);
	else
		alarm_end(daemon, sentence);
}

void upstreams_server(
	const struct daemon *daemon, size_t upstream, size_t server, struct up_server_view *view)
{
	*view = (struct up_server_view){.down = false};
	for (unsigned i = 0; i < daemon->conf->workers.loops; i++)
		up_loop_server_add(daemon->loop[i], upstream, server, view);
}

enum ctl_server_order upstreams_ordered(const struct daemon *daemon, size_t upstream, size_t server)
{
	const struct up_servers_shared *servers = &daemon->servers[upstream];

	if (__atomic_load_n(&servers->maint, __ATOMIC_RELAXED) >> server & 1)
		return CTL_SERVER_MAINT;
	return __atomic_load_n(&servers->drain, __ATOMIC_RELAXED) >> server & 1 ? CTL_SERVER_DRAIN
										: CTL_SERVER_READY;
}

static void bit_set(uint64_t *word, size_t bit, bool value)
{
	uint64_t set = UINT64_C(1) << bit;

	__atomic_store_n(word, value ? *word | set : *word & ~set, __ATOMIC_RELAXED);
}

void upstreams_order(
	struct daemon *daemon, size_t upstream, size_t server, enum ctl_server_order order)
{
	const struct conf_upstream *conf = &daemon->conf->upstreams[upstream];
	struct up_servers_shared *servers = &daemon->servers[upstream];

	if (order == upstreams_ordered(daemon, upstream, server))
		return;
	bit_set(&servers->drain, server, order == CTL_SERVER_DRAIN);
	bit_set(&servers->maint, server, order == CTL_SERVER_MAINT);
	for (unsigned i = 0; i < daemon->conf->workers.loops; i++)
		up_loop_wake(daemon->loop[i]);
	log_notice("upstream %s: server %s: %s, ordered at the control socket", conf->name,
		conf->servers[server].text, ctl_server_order_name(order));
	ctl_event_server_order(
		daemon->ctl, conf->name, conf->servers[server].text, ctl_server_order_name(order));
}

void upstreams_turn(struct daemon *daemon)
{
	const struct conf *conf = daemon->conf;

	for (size_t i = 0; i < conf->upstream_count; i++) {
		size_t up = upstreams_servers_up(daemon, i);

		if (up == daemon->servers_up[i])
			continue;
		daemon->servers_up[i] = up;
		ctl_event_upstream_state(
			daemon->ctl, conf->upstreams[i].name, conf->upstreams[i].server_count, up);
	}
	if (has_batches(conf))
		refusals_tell(daemon);
}
