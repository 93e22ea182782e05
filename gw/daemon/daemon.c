// SPDX-License-Identifier: BSD-3-Clause
// Main's loop, and the clean stop.

#include "gw/daemon/daemon.h"

#include "base/clock.h"
#include "gw/os/eal.h"
#include "gw/os/kernel_tap.h"
#include "gw/os/log.h"
#include "gw/os/notify.h"
#include "gw/os/process.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define KERNEL_BURST  64   // frames of one TAP or worker in one turn
#define TURN_MS       1000 // longest sleep of main
#define RETIRING_MS   5    // the same while a worker is waited for
#define EPOLL_EVENTS  16
#define STOP_GRACE_MS 2000 // for requests that are under way at backends
#define ANSWERS_MS    500  // for workers to take the last answers

#define OVERLOAD_CALM_MS 5000 // without overload before its alarm ends

void daemon_alarm(struct daemon *daemon, const char *sentence)
{
	for (size_t i = 0; i < daemon->alarm_count; i++)
		if (daemon->alarm[i] == sentence)
			return;
	if (daemon->alarm_count < DAEMON_ALARMS_MAX)
		daemon->alarm[daemon->alarm_count++] = sentence;
	log_error("%s", sentence);
	ctl_event_alarm(daemon->ctl, sentence, true);
}

void daemon_alarm_end(struct daemon *daemon, const char *sentence)
{
	for (size_t i = 0; i < daemon->alarm_count; i++) {
		if (daemon->alarm[i] != sentence)
			continue;
		memmove(&daemon->alarm[i], &daemon->alarm[i + 1],
			(--daemon->alarm_count - i) * sizeof(daemon->alarm[0]));
		log_notice("over: %s", sentence);
		ctl_event_alarm(daemon->ctl, sentence, false);
		return;
	}
}

static const char resync_waiting[] = "devices that recover by a floor wait for a resync";

void daemon_resync_waits(struct daemon *daemon, uint64_t devices)
{
	daemon->resync_waiting = devices;
	if (devices)
		daemon_alarm(daemon, resync_waiting);
}

void daemon_resynced(struct daemon *daemon)
{
	if (daemon->resync_waiting && !--daemon->resync_waiting)
		daemon_alarm_end(daemon, resync_waiting);
}

// A key's limits are no reason to stop serving: whoever can send packets could shut a device out.
static void on_limit(struct daemon *daemon, const struct dp_event *event)
{
	static const char *const texts[] = {
		[DP_LIMIT_USE_HALF] = "has used half of the messages that its keys are good for",
		[DP_LIMIT_USE] = "has used its keys for more messages than they are good for",
		[DP_LIMIT_FORGERY_HALF] = "is attacked: half of the forgeries its keys stand",
		[DP_LIMIT_FORGERY] = "is attacked: more forgeries than its keys stand",
	};
	static const char *const words[] = {
		[DP_LIMIT_USE_HALF] = "use-half",
		[DP_LIMIT_USE] = "use",
		[DP_LIMIT_FORGERY_HALF] = "forgery-half",
		[DP_LIMIT_FORGERY] = "forgery",
	};
	const struct registry_entry *entry =
		registry_get(&daemon->registry, event->context, event->generation);

	if (entry) {
		log_warning("device %s %s: give it new keys", entry->name, texts[event->arg]);
		ctl_event_limit(daemon->ctl, entry->name, words[event->arg]);
	}
	if (event->arg == DP_LIMIT_USE || event->arg == DP_LIMIT_FORGERY)
		daemon_alarm(daemon, "keys of devices are beyond their limits: see the log");
}

static void on_state(struct daemon *daemon, const struct dp_event *event)
{
	const struct registry_entry *entry =
		registry_get(&daemon->registry, event->context, event->generation);

	if (!entry)
		return;
	if (event->arg == DP_CONTEXT_REPLAY_LOCKED)
		log_warning("device %s is replay-locked: it has proved that it uses sequence "
			    "numbers again",
			entry->name);
	else
		log_debug("device %s is %s", entry->name, dp_context_state_name(event->arg));
	ctl_event_device_state(daemon->ctl, entry->name, dp_context_state_name(event->arg));
}

static void on_event(void *arg, const struct dp_event *event)
{
	struct daemon *daemon = arg;

	switch ((enum dp_event_type)event->type) {
	case DP_EVENT_STATE:
		on_state(daemon, event);
		break;
	case DP_EVENT_RUN_WANTED:
	case DP_EVENT_RUN_BASE_WANTED:
	case DP_EVENT_MARK_WANTED:
		reserve_event(daemon->reserve, event);
		break;
	case DP_EVENT_LIMIT:
		on_limit(daemon, event);
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
		struct dp_frame_ring *ring = dp_to_kernel(daemon->dp, w);
		const uint8_t *frame;
		uint16_t port_id;
		uint16_t len;

		for (unsigned n = 0; n < KERNEL_BURST; n++) {
			frame = dp_frame_ring_peek(ring, &port_id, &len);
			if (!frame)
				break;
			struct daemon_port *port = port_of(daemon, port_id);

			if (port && port->tap_fd >= 0 && kernel_tap_write(port->tap_fd, frame, len))
				port->to_kernel_failed++;
			dp_frame_ring_pop(ring);
		}
	}
}

static void from_kernel(struct daemon *daemon, struct daemon_port *port)
{
	for (unsigned n = 0; n < KERNEL_BURST; n++) {
		int len = kernel_tap_read(port->tap_fd, daemon->frame, daemon->frame_max);

		if (len <= 0)
			return;
		// By one worker, so that they stay in order. A full ring is a lost frame, as on any
		// wire.
		if (!dp_frame_ring_push(
			    dp_from_kernel(daemon->dp, 0), port->port_id, daemon->frame, len))
			port->from_kernel_full++;
	}
}

bool daemon_told_to_stop(struct daemon *daemon)
{
	enum process_told told;

	while ((told = process_signal_take(daemon->signal_fd)) != PROCESS_TOLD_NOTHING)
		if (told == PROCESS_TOLD_STOP)
			daemon->stopping = true;
	return daemon->stopping;
}

static void on_ready(struct daemon *daemon, int fd)
{
	if (fd == daemon->signal_fd)
		(void)daemon_told_to_stop(daemon);
	else if (fd == ctl_server_fd(daemon->ctl))
		ctl_server_poll(daemon->ctl);
	else if (fd == store_thread_fd(daemon->store_thread))
		store_thread_poll(daemon->store_thread);
	for (size_t i = 0; i < daemon->port_count; i++)
		if (fd == daemon->port[i].tap_fd)
			from_kernel(daemon, &daemon->port[i]);
}

static void upstreams_watch(struct daemon *daemon)
{
	const struct conf *conf = daemon->conf;

	for (size_t i = 0; i < conf->upstream_count; i++) {
		size_t up = status_servers_up(daemon, i);

		if (up == daemon->servers_up[i])
			continue;
		daemon->servers_up[i] = up;
		ctl_event_upstream_state(
			daemon->ctl, conf->upstreams[i].name, conf->upstreams[i].server_count, up);
	}
}

// An alarm as long as a worker refuses anything, and some seconds more: it comes and goes quickly.
static void overload_watch(struct daemon *daemon)
{
	static const char sentence[] = "workers are overloaded: requests are refused or dropped";
	uint64_t now_ms = clock_ms();

	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++)
		if (dp_worker_rung(daemon->dp, i) != DP_RUNG_NONE)
			daemon->overloaded_ms = now_ms;
	if (daemon->overloaded_ms == now_ms)
		daemon_alarm(daemon, sentence);
	else if (now_ms - daemon->overloaded_ms >= OVERLOAD_CALM_MS)
		daemon_alarm_end(daemon, sentence);
}

void daemon_run(struct daemon *daemon)
{
	struct epoll_event events[EPOLL_EVENTS];
	bool soon = false;

	while (!daemon->stopping) {
		int timeout = soon || dp_devices_retiring(daemon->dp) ? RETIRING_MS : TURN_MS;

		dp_doorbell_arm(dp_bell(daemon->dp));
		if (dp_pending(daemon->dp))
			timeout = 0;
		int n = epoll_wait(daemon->epoll_fd, events, EPOLL_EVENTS, timeout);

		dp_doorbell_disarm(dp_bell(daemon->dp));
		for (int i = 0; i < n; i++)
			on_ready(daemon, events[i].data.fd);
		dp_poll(daemon->dp, on_event, daemon);
		registry_turn(&daemon->registry);
		to_kernel(daemon);
		access_turn(daemon);
		soon = reserve_turn(daemon->reserve);
		disk_turn(daemon);
		link_turn(daemon);
		upstreams_watch(daemon);
		overload_watch(daemon);
	}
}

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
			(ctx->state != DP_CONTEXT_ACTIVE &&
				ctx->state != DP_CONTEXT_REPLAY_LOCKED) ||
			ctx->flags & DP_CONTEXT_OWN_PIV_CLOCK)
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
	struct store_stop_job stop = {.job.done = stop_done,
		.next = next_window,
		.arg = &state,
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
	for (unsigned i = 0; i < CONF_LOOPS_MAX; i++)
		if (daemon->loop[i])
			up_loop_tell(daemon->loop[i], STOP_GRACE_MS);
	for (unsigned i = 0; i < CONF_LOOPS_MAX; i++)
		if (daemon->loop[i])
			up_loop_stop(daemon->loop[i], STOP_GRACE_MS);
}

// Waits until the workers have taken what the loops answered at their end.
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

int daemon_stop(struct daemon *daemon)
{
	int rc = 0;

	notify_systemd("STOPPING=1");
	// Workers still run, so that the last answers reach their devices.
	stop_loops(daemon);
	if (daemon->dp && dp_running(daemon->dp))
		answers_leave(daemon);
	if (daemon->dp)
		dp_stop(daemon->dp);
	if (daemon->store_thread)
		rc = stop_store(daemon);
	else
		store_close(daemon->store);
	reserve_free(daemon->reserve);
	ctl_server_free(daemon->ctl);
	daemon->ctl = NULL;
	for (size_t i = 0; i < daemon->port_count; i++)
		if (daemon->port[i].tap_fd >= 0)
			close(daemon->port[i].tap_fd);
	for (unsigned i = 0; i < CONF_LOOPS_MAX; i++)
		up_loop_free(daemon->loop[i]);
	free(daemon->servers_down);
	access_turn(daemon);
	up_access_log_free(daemon->access);
	dp_free(daemon->dp);
	registry_fini(&daemon->registry);
	if (daemon->eal_started)
		eal_stop();
	routes_free(&daemon->routes);
	kek_free(daemon->kek);
	free(daemon->frame);
	free(daemon->servers_up);
	if (daemon->epoll_fd >= 0)
		close(daemon->epoll_fd);
	if (daemon->signal_fd >= 0)
		close(daemon->signal_fd);
	if (!rc && (daemon->started_ms || daemon->stopping))
		log_notice(daemon->started_ms ? "stopped" : "stopped before it was ready");
	conf_free(daemon->conf);
	log_stop();
	return rc;
}
