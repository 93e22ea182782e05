// SPDX-License-Identifier: BSD-3-Clause
// The daemon: what start-up makes, the main thread's loop turns, and the clean stop ends.

#ifndef POSTERN_GW_DAEMON_DAEMON_H
#define POSTERN_GW_DAEMON_DAEMON_H

#include "dataplane/dp.h"
#include "gw/conf/conf.h"
#include "gw/ctl/events.h"
#include "gw/ctl/server.h"
#include "gw/ctl/verbs.h"
#include "gw/daemon/registry.h"
#include "gw/daemon/routes.h"
#include "gw/store/thread.h"
#include "gw/upstream/loop.h"

#include <signal.h>

#define DAEMON_ALARMS_MAX 16

// A port and the kernel TAP beside it.
struct daemon_port {
	const struct conf_port *conf;
	uint16_t port_id;
	int tap_fd;                // -1: none
	bool link_down;            // as it was told last
	uint64_t to_kernel_failed; // frames that the kernel refused
	uint64_t from_kernel_full; // frames of the kernel for which no worker had room
};

// Contexts counted for the status, see gw/daemon/status.c.
struct daemon_counts {
	uint64_t by_state[CTL_DEVICE_STATE_COUNT];
	uint64_t by_worker[DP_WORKERS_MAX]; // that owns them
	uint64_t good_until_tsc;
};

// See gw/daemon/disk.c.
struct daemon_disk {
	bool failing, busy;
	uint64_t recoveries; // times that it took writes again after a failure
	uint64_t probe_ms;   // when to try next
	struct store_probe_job probe;
};

// All of main's thread.
struct daemon {
	struct conf *conf;
	struct kek *kek;
	struct store *store; // until the store thread has it
	struct store_thread *store_thread;
	struct routes routes;
	struct dp *dp;
	struct registry registry;
	struct up_access_log *access;         // NULL: none
	uint64_t *servers_down;               // what the loops tell each other
	struct up_loop *loop[CONF_LOOPS_MAX]; // that speak HTTP, as many as the configuration says
	struct ctl_server *ctl;
	struct ctl_ops ops;
	struct daemon_port port[CONF_PORTS_MAX];
	size_t port_count;
	uint8_t *frame; // one frame of the kernel, frame_max bytes
	size_t frame_max;
	int signal_fd;
	int epoll_fd;
	uint64_t started_ms; // CLOCK_MONOTONIC
	uint64_t started_tsc;
	bool eal_started;
	bool stopping;
	bool importing; // one import at a time

	struct reserve *reserve;
	uint64_t link_look_ms;  // CLOCK_MONOTONIC: when to look at the links again
	uint64_t overloaded_ms; // CLOCK_MONOTONIC: when a worker was seen on a rung last
	struct daemon_disk disk;
	uint64_t resync_waiting; // devices that recover by a floor and wait for a resync
	size_t *servers_up;      // of each upstream, as told last
	const char *alarm[DAEMON_ALARMS_MAX]; // sentences for `posternctl status`
	size_t alarm_count;
	struct daemon_counts counts;
};

#endif
