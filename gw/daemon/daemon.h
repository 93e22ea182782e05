// SPDX-License-Identifier: BSD-3-Clause
// The types of main's thread: start.c fills struct daemon, loop.c serves it in turns, and stop.c
// frees it. The functions of each file stand in a header of its own.

#ifndef POSTERN_GW_DAEMON_DAEMON_H
#define POSTERN_GW_DAEMON_DAEMON_H

#include "dataplane/dp.h"
#include "gw/conf/conf.h"
#include "gw/ctl/events.h"
#include "gw/ctl/server.h"
#include "gw/ctl/verbs.h"
#include "gw/daemon/answers.h"
#include "gw/daemon/registry.h"
#include "gw/daemon/route_slots.h"
#include "gw/daemon/snapshot.h"
#include "gw/daemon/trusted.h"
#include "gw/store/jobs.h"
#include "gw/upstream/loop.h"
#include "gw/web/server.h"

#include <signal.h>

#define DAEMON_ALARMS_MAX 24
#define DAEMON_TROUBLES   5

// A port and the kernel TAP beside it. ports.c fills it.
struct daemon_port {
	const struct conf_port *conf;
	uint16_t port_id;          // of DPDK
	int tap_fd;                // of the kernel TAP; -1: none
	int driver_fd;             // of a TAP port, its driver's; -1: none
	unsigned netdev;           // index of the network device of AF_PACKET, AF_XDP; 0: none
	bool device_gone;          // link.c: that, or the TAP or NIC, was removed
	bool kernel_gone;          // the same of the kernel TAP
	bool link_down;            // link.c: the state that was logged last
	int mac_error;             // link.c: why the kernel TAP did not take the MAC, logged last
	uint64_t to_kernel_failed; // kernel.c: frames that the kernel refused
	uint64_t from_kernel_full; // kernel.c: frames of the kernel for which no worker had room
	// link.c: what the driver counted when it was asked last.
	uint64_t driver_missed, driver_errors, driver_no_mbuf, driver_tx_errors;
};

// Live contexts, counted by census.c for all who ask before good_until_tsc.
struct daemon_counts {
	uint64_t by_state[CTL_DEVICE_STATE_COUNT];
	uint64_t by_worker[DP_WORKERS_MAX]; // the worker that owns them
	uint64_t good_until_tsc;
};

// Written by drain.c.
struct daemon_drain {
	bool begun;              // new requests are refused
	bool waiting;            // for what is under way, until ..
	uint64_t until_ms;       // CLOCK_MONOTONIC
	bool stop;               // the daemon stops then
	uint64_t under_way;      // when it began
	struct ctl_request *req; // gets the outcome; NULL: nobody asked
};

// The disk of the store, written by disk.c.
struct daemon_disk {
	bool failing;        // the last write failed
	bool busy;           // a probe is with the store thread
	uint64_t recoveries; // times that a write succeeded after one that failed
	uint64_t probe_ms;   // CLOCK_MONOTONIC: when to probe next
	struct store_probe_job probe;
	bool looking;     // a look is with the store thread
	uint64_t look_ms; // CLOCK_MONOTONIC: when to look next
	struct store_look_job look;
};

// Written by trouble.c. Times are CLOCK_MONOTONIC.
struct daemon_trouble {
	uint64_t look_ms;                  // when to look next
	uint64_t count[DAEMON_TROUBLES];   // of each kind, as seen last ...
	uint64_t rose_ms[DAEMON_TROUBLES]; // ... and when that last differed
	bool clock_known;
	int64_t clock_ahead_ms; // the time of day, of that since the machine's start
	uint64_t clock_steps;   // times that the clock was set
	int control_error;      // why the control socket cannot be made again, logged last; or 0
};

// reload.c: a configuration that is taking the place of another.
enum reload_phase {
	RELOAD_IDLE,
	RELOAD_READS,   // the list of edhoc.revoked is read
	RELOAD_LOOPS,   // the loops take the new one
	RELOAD_WORKERS, // the workers leave the old one
	RELOAD_SETTLE,  // requests of the old one end
};

struct reload {
	enum reload_phase phase;
	struct conf *conf;         // RELOAD_READS
	struct revoked_file *file; // the same
	unsigned changes;          // the same: keys that differ
	bool dry_run;              // the same
	struct snapshot *next;     // RELOAD_LOOPS
	struct trusted trusted;    // the same
	struct identity *identity; // the same; then that of before, until no thread uses it
	struct edhoc_identities *of_thread[DP_SLOW_THREADS_MAX]; // RELOAD_LOOPS
	struct snapshot *before; // from then on, until it is settled
	bool sifting;            // what is in use is looked at
	struct ctl_request *req; // that is answered when the workers have it, and what is in use
				 // was looked at; or NULL
	bool again;              // SIGHUP came meanwhile: begins anew when all is settled
	uint64_t count;          // configurations that took effect since the start
};

// All that main owns. Other threads get what they need by pointers of their own. start.c writes the
// first part once.
struct daemon {
	struct conf *conf; // of the start; of what a reload changes, see snapshot
	struct kek *kek;
	struct store *store; // NULL from when the store thread has it
	struct store_thread *store_thread;
	struct device_reserved *reserved; // names of what is passed through
	struct route_slots route_slots;   // start.c adds names; outlives the data plane
	struct dp *dp;
	struct registry registry;
	struct up_access_log *access;         // NULL: none
	struct up_slots *slots;               // shared with the loops
	struct up_loop *loop[CONF_LOOPS_MAX]; // HTTP loops: conf->workers.loops of them
	struct ctl_server *ctl;
	struct ctl_ops ops;
	struct daemon_port port[CONF_PORTS_MAX];
	size_t port_count;
	uint8_t *frame; // room for one frame of the kernel, frame_max bytes
	size_t frame_max;
	int signal_fd;
	int epoll_fd;
	uint64_t started_ms;  // CLOCK_MONOTONIC; 0: the start is not complete
	uint64_t started_tsc; // the same in cycles of the time-stamp counter
	bool eal_started;
	struct reserve *reserve;
	struct identity *identity;       // for EDHOC; NULL: it is not served
	struct credentials *credentials; // of devices, for EDHOC; NULL: the same
	struct handshakes *handshakes;
	struct metrics *metrics; // NULL: off
	struct web *web;         // NULL: off
	struct pushes *pushes;   // push.c
	struct watchdog *watchdog;

	struct capture *capture;       // capture.c; NULL: none
	struct trace *trace;           // trace.c; NULL: none
	struct observe *observe;       // observe_verbs.c; NULL: none
	struct cache_look *cache_look; // cache_verbs.c; NULL: none
	struct snapshot *snapshot;     // in use; the first one has conf, which stays to the end
	struct reload reload;
	bool reload_wanted; // stop.c: SIGHUP came
	uint64_t turns;  // loop.c, and stop.c in a long start; atomic: read by health.c, watchdog.c
	bool stopping;   // stop.c, and the verb shutdown
	bool importing;  // import_verb.c: one import at a time
	unsigned taking; // device_verbs.c, import_verb.c: operations whose devices may have been
			 // checked and are not live yet
	uint64_t link_look_ms;  // link.c; CLOCK_MONOTONIC: when to look at the links again
	uint64_t overloaded_ms; // workers.c; CLOCK_MONOTONIC: when a worker was overloaded last
	struct answers_watch answers; // workers.c
	struct daemon_disk disk;
	struct doubt *doubts; // doubts.c: the first one is with the store, if ..
	bool doubts_busy;
	struct daemon_trouble trouble;
	struct daemon_drain drain;
	uint64_t resync_waiting; // alarm.c: devices that recover by a floor and wait for a resync
	const char *alarm[DAEMON_ALARMS_MAX]; // alarm.c: sentences for `posternctl status`
	size_t alarm_count;
	struct daemon_counts counts;
};

#endif
