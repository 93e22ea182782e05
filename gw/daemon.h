// SPDX-License-Identifier: BSD-3-Clause
// The daemon: what start-up makes, the main thread's loop turns, and the clean stop ends.

#ifndef POSTERN_GW_DAEMON_H
#define POSTERN_GW_DAEMON_H

#include "dataplane/dp.h"
#include "gw/conf.h"
#include "gw/ctl/server.h"
#include "gw/ctl/verbs.h"
#include "gw/registry.h"
#include "gw/routes.h"
#include "gw/store/thread.h"
#include "gw/upstream/loop.h"

#include <signal.h>

#define DAEMON_ALARMS_MAX 8

// A port and the kernel TAP beside it.
struct daemon_port {
	const struct conf_port *conf;
	uint16_t port_id;
	int tap_fd;                // -1: none
	uint64_t to_kernel_failed; // frames that the kernel refused
	uint64_t from_kernel_full; // frames of the kernel for which no worker had room
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
	struct access_log *access;            // NULL: none
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

	// The run of this start (docs/nonces.md).
	struct store_grant_job grant;
	bool grant_wanted;
	bool grant_busy;
	uint64_t grant_retry_ms; // not before this

	const char *alarm[DAEMON_ALARMS_MAX]; // sentences for `posternctl status`
	size_t alarm_count;
};

// Reads the configuration, opens store, ports and sockets, loads the devices, starts all threads.
// Returns 0, or -errno after the reason was logged; daemon_stop() cleans up in both cases.
int daemon_start(struct daemon *daemon, const char *conf_path) __attribute__((warn_unused_result));
// Turns until a signal or `posternctl shutdown` ends it.
void daemon_run(struct daemon *daemon);
// The clean stop: workers first, so that the windows that are stored are exact and final. Returns
// 0 or -errno after the reason was logged.
int daemon_stop(struct daemon *daemon);

// Adds a sentence, which must be constant, to the alarms of the status; once.
void daemon_alarm(struct daemon *daemon, const char *sentence);
uint64_t daemon_now_ms(void);

// The operations behind the control socket (gw/operations.c, gw/status.c).
void operations_init(struct daemon *daemon);
void operation_status(void *daemon, struct ctl_request *req);
void operation_stats(void *daemon, struct ctl_request *req);
// State of a context (enum dp_context_state) as the control socket calls it.
enum ctl_device_state operations_state(uint8_t state);

#endif
