// SPDX-License-Identifier: BSD-3-Clause
// What the data plane is made of: what main asks for, and what the workers get from it when they
// are made.

#ifndef POSTERN_DATAPLANE_SHARED_SETUP_H
#define POSTERN_DATAPLANE_SHARED_SETUP_H

#include "dataplane/shared/context.h"
#include "dataplane/shared/doorbell.h"
#include "dataplane/shared/loop_port.h"
#include "dataplane/shared/policy.h"
#include "dataplane/shared/slow.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DP_ACK_TIMEOUT_MS 2000 // RFC 7252 section 4.8

struct dp_echo_key;
struct dp_look;
struct dp_reps;
struct rte_rcu_qsbr;

// For dp_create(), which reads it during the call only.
struct dp_conf {
	const unsigned *lcores; // DPDK lcore of each worker
	unsigned worker_count;  // 1 to DP_WORKERS_MAX
	unsigned loop_count;    // upstream loops, 1 to DP_LOOPS_MAX; 0: one
	uint32_t max_devices;
	uint32_t exchanges;       // a worker
	uint32_t representations; // slots of a loop's table of these; 0: there is none
	size_t answers_bytes;     // answer index of a worker
	uint32_t observations;    // of a worker, for observers of these; 0: nobody observes
	unsigned port_count;      // that will be added
	unsigned mbufs;           // tests: of a worker's pool; 0: as many as it can need
	unsigned queue_mbufs;     // that these hold at most, in one queue pair of each (port.h)
	bool has_nic;             // one of them is a NIC on the PCI bus
	uint16_t mtu;             // largest of all ports
	int64_t clock_least_s;    // Unix time: earlier processes used no own PIV of the clock from
				  // here on
	uint32_t ack_timeout_ms;  // of RFC 7252 section 4.8; 0: DP_ACK_TIMEOUT_MS
	unsigned access_percent;  // of the requests that workers answer: those with a record
				  // (access.h)
	const char *isa;          // for aead_engine_create(); NULL: the fastest
	unsigned slow_threads;    // of the slow path, at most DP_SLOW_THREADS_MAX; 0: there is none
	uint32_t slow_rate;       // messages a second that a worker gives them, of all sources ..
	uint32_t slow_prefix_rate; // .. and of one /24 or /56
	uint8_t slow_edhoc_len;    // bytes of connection identifiers of EDHOC; 0: it is not served
	bool affinity_kid;  // steers devices to workers by their kid, not by where they arrive
	bool nap_when_idle; // adaptive: an idle worker sleeps some microseconds
	bool share_cpus;    // workers may be on one CPU: they leave it to each other
	bool slow_paths;    // tests: packets of the usual shape are treated as all others
	const struct dp_policy *policy; // the first one, see dp_policy_swap()
};

// What all workers use and main owns. It all outlives the workers, but for what echo points to.
struct dp_tables {
	struct dp_context_table *contexts;
	struct dp_loop *const *loops; // [loop_count]; a worker makes its own ports of them
	unsigned loop_count;
	struct dp_slow *const *slow; // [slow_count]; a worker makes its own lanes of them
	unsigned slow_count;
	struct dp_doorbell *bell;              // main sleeps on it
	struct rte_rcu_qsbr *qsbr;             // workers register under their number
	const uint32_t *run;                   // of this start, or DP_RUN_NONE; main writes, atomic
	const struct dp_policy *const *policy; // main swaps it, atomic
	struct dp_look *const *looks;          // [DP_LOOK_COUNT]; main swaps each, atomic
	struct dp_reps *reps;                  // of the loops; NULL: nothing is stored
	const struct dp_echo_key *echo;        // is copied
};

#endif
