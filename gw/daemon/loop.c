// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/loop.h"

#include "gw/daemon/access.h"
#include "gw/daemon/alarm.h"
#include "gw/daemon/cache_verbs.h"
#include "gw/daemon/capture.h"
#include "gw/daemon/disk.h"
#include "gw/daemon/doubts.h"
#include "gw/daemon/drain.h"
#include "gw/daemon/events.h"
#include "gw/daemon/handshakes.h"
#include "gw/daemon/kernel.h"
#include "gw/daemon/link.h"
#include "gw/daemon/metrics.h"
#include "gw/daemon/observe_verbs.h"
#include "gw/daemon/push.h"
#include "gw/daemon/registry.h"
#include "gw/daemon/reload.h"
#include "gw/daemon/reserve.h"
#include "gw/daemon/stop.h"
#include "gw/daemon/trace.h"
#include "gw/daemon/trouble.h"
#include "gw/daemon/upstreams.h"
#include "gw/daemon/workers.h"
#include "gw/os/log.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#define TURN_MS      1000 // longest sleep of main
#define RETIRING_MS  5    // the same while a worker is waited for
#define EPOLL_EVENTS 16

static int watch(struct daemon *daemon, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(daemon->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

int loop_open(struct daemon *daemon)
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
	if (!rc)
		rc = watch(daemon, handshakes_fd(daemon->handshakes));
	if (!rc)
		rc = watch(daemon, push_fd(daemon));
	for (size_t i = 0; !rc && i < daemon->port_count; i++)
		if (daemon->port[i].tap_fd >= 0)
			rc = watch(daemon, daemon->port[i].tap_fd);
	if (rc)
		log_error("epoll: %s", strerror(-rc));
	return rc;
}

static void take_signals(struct daemon *daemon)
{
	if (stop_requested(daemon))
		drain_to_stop(daemon);
	else if (daemon->reload_wanted)
		reload_begin(daemon, NULL, false);
	daemon->reload_wanted = false;
}

static void on_ready(struct daemon *daemon, int fd)
{
	if (fd == daemon->signal_fd)
		take_signals(daemon);
	if (fd == ctl_server_fd(daemon->ctl))
		ctl_server_poll(daemon->ctl);
	else if (fd == store_thread_fd(daemon->store_thread))
		store_thread_poll(daemon->store_thread);
	for (size_t i = 0; i < daemon->port_count; i++)
		if (fd == daemon->port[i].tap_fd)
			kernel_take_frames(daemon, &daemon->port[i]);
}

void daemon_run(struct daemon *daemon)
{
	struct epoll_event events[EPOLL_EVENTS];
	bool soon = false, reloading = false;

	while (!daemon->stopping) {
		int timeout = soon || reloading || dp_devices_retiring(daemon->dp) ? RETIRING_MS
										   : TURN_MS;

		dp_doorbell_arm(dp_bell(daemon->dp));
		if (dp_pending(daemon->dp))
			timeout = 0;
		int n = epoll_wait(daemon->epoll_fd, events, EPOLL_EVENTS, timeout);

		dp_doorbell_disarm(dp_bell(daemon->dp));
		for (int i = 0; i < n; i++)
			on_ready(daemon, events[i].data.fd);
		dp_poll(daemon->dp, events_take, daemon);
		registry_turn(&daemon->registry);
		kernel_put_frames(daemon);
		access_turn(daemon);
		push_turn(daemon);
		soon = reserve_turn(daemon->reserve);
		soon |= capture_turn(daemon);
		soon |= drain_turn(daemon);
		soon |= trace_turn(daemon);
		soon |= observe_turn(daemon);
		soon |= cache_turn(daemon);
		soon |= handshakes_turn(daemon->handshakes);
		disk_turn(daemon);
		doubts_turn(daemon);
		link_turn(daemon);
		trouble_turn(daemon);
		reloading = reload_turn(daemon);
		upstreams_turn(daemon);
		workers_turn(daemon);
		alarm_policies_turn(daemon);
		metrics_turn(daemon);
		__atomic_store_n(&daemon->turns, daemon->turns + 1, __ATOMIC_RELAXED);
	}
}
