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
	uint64_t probe_ms; // when to try next
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

// Reads the configuration, opens store, ports and sockets, loads the devices, starts all threads.
// Returns 0, -ECANCELED if it was told to stop meanwhile, or -errno after the reason was logged;
// daemon_stop() cleans up in all cases.
int daemon_start(struct daemon *daemon, const char *conf_path) __attribute__((warn_unused_result));
// Turns until a signal or `posternctl shutdown` ends it.
void daemon_run(struct daemon *daemon);
// The clean stop: workers first, so that the windows that are stored are exact and final. Returns
// 0 or -errno after the reason was logged.
int daemon_stop(struct daemon *daemon);

// Takes the signals that came. Returns whether the daemon is to stop: what waits or works for long
// while it starts asks this now and then.
bool daemon_told_to_stop(struct daemon *daemon);

// Adds a sentence, which must be constant, to the alarms of the status; once.
void daemon_alarm(struct daemon *daemon, const char *sentence);
// Takes one back, if it is there.
void daemon_alarm_end(struct daemon *daemon, const char *sentence);
// What a job that writes to the store returned: an alarm while the disk takes nothing
// (gw/daemon/disk.c).
void daemon_store_result(struct daemon *daemon, int result);
// In each turn of main.
void disk_turn(struct daemon *daemon);
// Whether a port's link is up, as far as its driver knows (gw/daemon/link.c).
bool link_is_up(const struct daemon_port *port);
// In each turn of main: logs changes of the links and carries them to the kernel TAPs.
void link_turn(struct daemon *daemon);
// Writes the lines of what workers answered by themselves; see gw/daemon/access.c.
void access_turn(struct daemon *daemon);

// Devices wait for a resync: an alarm.
void daemon_resync_waits(struct daemon *daemon, uint64_t devices);
// A device that waited for a resync does so no more.
void daemon_resynced(struct daemon *daemon);

// Seconds of the clock that are durable ahead of their use. As many may be lost by a crash.
#define RESERVE_CLOCK_S 10

// What the workers go on with only when it is on the disk: runs, run bases, marks and seconds of
// the clock (gw/daemon/reserve.c). NULL without memory.
struct reserve *reserve_new(struct daemon *daemon);
// After the store thread stopped. NULL is allowed.
void reserve_free(struct reserve *reserve);
// Takes up DP_EVENT_RUN_WANTED, DP_EVENT_RUN_BASE_WANTED or DP_EVENT_MARK_WANTED.
void reserve_event(struct reserve *reserve, const struct dp_event *event);
// The disk is sound again: what the store refused for now is asked for at once.
void reserve_retry(struct reserve *reserve);
// Whether the first request of a device needs the run of this start: to challenge it, or to answer.
bool reserve_needs_run(const struct store_device *device);
// Asks for the run if a device that was added or lost its window needs it, so that it is there
// before the first request.
void reserve_device(struct reserve *reserve, const struct store_device *device);
// Before the workers run: asks for the run, if it is needed, and for seconds of the clock, and
// waits until each is granted or refused. A refusal is an alarm, and it is asked for again later.
void reserve_start(struct reserve *reserve, bool needs_run);
// In each turn of main. Returns whether it waits for room at a worker and must come again soon.
bool reserve_turn(struct reserve *reserve);

// A statistic of an upstream, of all loops together; and a worker's requests in flight, without
// answers that wait for their ACK (gw/daemon/counters.c).
uint64_t counters_upstream(const struct daemon *daemon, size_t upstream, enum up_stat stat);
uint32_t counters_in_flight(const struct dp *dp, unsigned worker);

// The operations behind the control socket (gw/daemon/device_verbs.c, gw/daemon/status.c,
// gw/daemon/counters.c).
void operations_init(struct daemon *daemon);
void operation_status(void *daemon, struct ctl_request *req);
void operation_stats(void *daemon, struct ctl_request *req);
// Servers of an upstream that are up for all loops.
size_t status_servers_up(const struct daemon *daemon, size_t upstream);
// Those that change what the store knows of a device or of itself (gw/daemon/store_verbs.c).
void operation_resync(
	void *daemon, struct ctl_request *req, const char *name, bool has_from, uint64_t from);
void operation_rotate(
	void *daemon, struct ctl_request *req, const char *name, const struct store_spec *spec);
void operation_store_check(void *daemon, struct ctl_request *req);
void operation_store_backup(void *daemon, struct ctl_request *req, const char *path);
// State of a context as the control socket calls it.
enum ctl_device_state operations_state(const struct dp_context_table *table, uint32_t index);

#endif
