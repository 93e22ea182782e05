// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/stop.h"

#include "base/clock.h"
#include "gw/daemon/access.h"
#include "gw/daemon/cache_verbs.h"
#include "gw/daemon/capture.h"
#include "gw/daemon/doubts.h"
#include "gw/daemon/drain.h"
#include "gw/daemon/handshakes.h"
#include "gw/daemon/identity.h"
#include "gw/daemon/metrics.h"
#include "gw/daemon/observe_verbs.h"
#include "gw/daemon/push.h"
#include "gw/daemon/registry.h"
#include "gw/daemon/reload.h"
#include "gw/daemon/reserve.h"
#include "gw/daemon/trace.h"
#include "gw/daemon/watchdog.h"
#include "gw/os/eal.h"
#include "gw/os/log.h"
#include "gw/os/notify.h"
#include "gw/os/process.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define STOP_GRACE_MS  2000 // for requests that are under way at backends
#define DRAIN_GRACE_MS 500  // the same after a drain, which has given them their time
#define ANSWERS_MS     500  // for workers to take the last answers

bool stop_requested(struct daemon *daemon)
{
	enum process_signal signal;

	__atomic_store_n(&daemon->turns, daemon->turns + 1, __ATOMIC_RELAXED);
	while ((signal = process_signal_take(daemon->signal_fd)) != PROCESS_SIGNAL_NONE)
		if (signal == PROCESS_SIGNAL_STOP)
			daemon->stopping = true;
		else if (signal == PROCESS_SIGNAL_RELOAD)
			daemon->reload_wanted = true;
	return daemon->stopping;
}

bool stop_window(void *arg, struct store_window *window)
{
	struct stop_windows *windows = arg;
	const struct registry *registry = windows->registry;
	const struct dp_context_table *table = dp_contexts(registry->dp);
	uint32_t i;

	// Of the devices' contexts alone: one that drains has the id of the device, too, and its
	// window is that of other keys.
	while ((i = registry_next(registry, windows->next)) < registry->max) {
		const struct dp_context *ctx = &table->context[i];

		windows->next = i + 1;
		if (dp_context_live(ctx) != registry->entry[i].generation ||
			(ctx->state != DP_CONTEXT_ACTIVE &&
				ctx->state != DP_CONTEXT_REPLAY_LOCKED) ||
			ctx->flags & DP_CONTEXT_OWN_PIV_CLOCK ||
			registry->entry[i].id & REGISTRY_SESSION)
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
	struct stop_windows windows = {.registry = &daemon->registry};
	struct store_stop_job stop = {.job.done = stop_done,
		.next = stop_window,
		.arg = &windows,
		.clock_used = daemon->dp ? dp_clock_used(daemon->dp) : 0};

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

static void stop_loops(struct daemon *daemon)
{
	const uint32_t grace_ms = daemon->drain.begun ? DRAIN_GRACE_MS : STOP_GRACE_MS;

	push_stop(daemon);
	for (unsigned i = 0; i < CONF_LOOPS_MAX; i++)
		if (daemon->loop[i])
			up_loop_stop_begin(daemon->loop[i], grace_ms);
	for (unsigned i = 0; i < CONF_LOOPS_MAX; i++)
		if (daemon->loop[i])
			up_loop_stop(daemon->loop[i], grace_ms);
}

// Waits until the workers have taken the last answers of the loops, or ANSWERS_MS have passed.
static void answers_leave(struct daemon *daemon)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	uint64_t until = clock_ms() + ANSWERS_MS;
	bool pending = true;

	while (pending && clock_ms() < until) {
		pending = false;
		for (unsigned i = 0; i < dp_loop_count(daemon->dp); i++)
			pending |= dp_loop_answers_pending(dp_loop(daemon->dp, i));
		if (pending)
			nanosleep(&moment, NULL);
	}
}

// Answers requests to the control socket that are under way.
static void requests_stop(struct daemon *daemon)
{
	capture_stop(daemon);
	reload_stop(daemon);
	trace_stop(daemon);
	observe_stop(daemon);
	cache_stop(daemon);
}

int daemon_stop(struct daemon *daemon)
{
	int rc = 0;

	notify_systemd("STOPPING=1");
	watchdog_stop(daemon->watchdog);
	metrics_drain(daemon, true);
	drain_end(daemon);
	handshakes_stop(daemon->handshakes);
	// Workers still run, so that the last answers reach their devices.
	stop_loops(daemon);
	if (daemon->dp && dp_running(daemon->dp))
		answers_leave(daemon);
	metrics_close(daemon);
	if (daemon->dp)
		dp_stop(daemon->dp);
	// What comes next may wait for a slow disk.
	__atomic_store_n(&daemon->turns, daemon->turns + 1, __ATOMIC_RELAXED);
	if (daemon->store_thread)
		rc = stop_store(daemon);
	else
		store_close(daemon->store);
	push_close(daemon);
	watchdog_free(daemon->watchdog);
	reserve_free(daemon->reserve);
	doubts_free(daemon);
	handshakes_free(daemon->handshakes);
	daemon->handshakes = NULL;
	credentials_free(daemon->credentials);
	identity_free(daemon->identity);
	reload_free(daemon);
	requests_stop(daemon);
	ctl_server_free(daemon->ctl);
	daemon->ctl = NULL;
	for (size_t i = 0; i < daemon->port_count; i++)
		if (daemon->port[i].tap_fd >= 0)
			close(daemon->port[i].tap_fd);
	for (unsigned i = 0; i < CONF_LOOPS_MAX; i++)
		up_loop_free(daemon->loop[i]);
	access_turn(daemon);
	up_access_log_free(daemon->access);
	dp_free(daemon->dp);
	registry_fini(&daemon->registry);
	vault_free(daemon->registry.vault);
	if (daemon->eal_started)
		eal_stop();
	route_slots_free(&daemon->route_slots);
	kek_free(daemon->kek);
	free(daemon->frame);
	if (daemon->epoll_fd >= 0)
		close(daemon->epoll_fd);
	if (daemon->signal_fd >= 0)
		close(daemon->signal_fd);
	if (!rc && (daemon->started_ms || daemon->stopping))
		log_notice(daemon->started_ms ? "stopped" : "stopped before it was ready");
	if (daemon->snapshot && daemon->snapshot->conf == daemon->conf)
		daemon->snapshot->conf = NULL;
	if (daemon->reload.before && daemon->reload.before->conf == daemon->conf)
		daemon->reload.before->conf = NULL;
	device_reserved_free(daemon->reserved);
	snapshot_free(daemon->snapshot);
	snapshot_free(daemon->reload.next);
	snapshot_free(daemon->reload.before);
	up_slots_free(daemon->slots);
	conf_free(daemon->conf);
	log_stop();
	return rc;
}
