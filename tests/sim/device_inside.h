// SPDX-License-Identifier: BSD-3-Clause
// What a simulated device is made of.

#ifndef POSTERN_TESTS_SIM_DEVICE_INSIDE_H
#define POSTERN_TESTS_SIM_DEVICE_INSIDE_H

#include "tests/sim/device.h"

#define DEVICE_PORT 40000
#define DEVICE_KEYS 8 // that a device is ever offered, at most; then it keeps what it has

// A run of appendix B.2.
enum run {
	RUN_NONE,
	RUN_WANTED,   // it has lost its context
	RUN_ASKED,    // it sends request #1
	RUN_ANSWERED, // it has an R2: its next request, or the one under way, is request #2
};

struct device {
	const char *name;
	enum device_recovery recovery;
	enum device_own_piv own_piv;
	const char *context; // ID Context, at first
	bool rederives;
	uint8_t kid;
	// As the schedule goes.
	bool there;                         // an operator told it that it is taken
	unsigned client;                    // keys in use
	unsigned generation;                // of the secret that they are of
	struct client offered[DEVICE_KEYS]; // by device_spec(): any of them may be stored
	unsigned offered_count;
	uint64_t next_ssn;
	unsigned queue;
	uint16_t port;
	unsigned successes;
	enum run run;
	uint8_t r2[CLIENT_R2];
	uint8_t id1[CLIENT_ID2]; // that the R2 was given for
	uint8_t id1_len;
	unsigned served; // the last keys under which it was served since an operator changed it
	uint32_t changed_behind; // the last request of before that
	enum client_says says;   // what requests say of its ID Context between runs
	// Own Partial IVs of the gateway: above the highest seen, the same as own_client began, and
	// the keys under which the last one was.
	uint64_t own_next, own_before;
	unsigned own_client;
	// The request under way.
	bool asking, acked;
	uint32_t number;
	unsigned sent;
	uint64_t again_ms, timeout_ms, give_up_ms;
	uint64_t rest_ms; // it was told to come back later: then
	uint8_t echo[40];
	size_t echo_len;
	uint64_t echo_sent_ms; // by the gateway
	bool observes;         // it has a registration, as far as it knows: that of this request
	uint32_t registered;
	bool fresh_again; // it is for a request whose route wants one
};

extern struct device devices[DEVICES];

// device_run.c. Before each request of a device that derives contexts: takes the keys that are due.
void run_step(struct device *d);
// What its next request says of its ID Context.
enum client_says run_says(const struct device *d);
// A response #1. false: it is spoiled.
bool run_answered(struct device *d, const struct ask *ask, const struct coap_seen *seen,
	const uint8_t r2[CLIENT_R2]);
// The gateway is in the context that it derived last.
void run_over(struct device *d);
void run_gave_up(struct device *d);
// Faults have stopped.
void run_begins_anew(struct device *d);

#endif
