// SPDX-License-Identifier: BSD-3-Clause
// The gateway: one life after the other of what a process of postern is, but for its sockets. Its
// parts are those of the product; what it is made of here stands in README.md.

#ifndef POSTERN_TESTS_SIM_GATEWAY_H
#define POSTERN_TESTS_SIM_GATEWAY_H

#include "gw/daemon/daemon.h"
#include "tests/sim/sim.h"

#define GATEWAY_EXCHANGES 12
#define GATEWAY_DEVICES   14

struct gateway {
	struct daemon daemon;
	struct dp_worker *worker[SIM_WORKERS];
	bool up;      // a process is there
	bool serving; // and its start is complete
	bool dead;    // it crashed, and is still to be cleared away
	bool power;   // .. by the power, not alone
	uint64_t lives;
};

extern struct gateway gateway;

// Once in a process: EAL, the port.
void gateway_init(void);
// Starts a process. false: it ended at once, as the disk fails.
bool gateway_start(void);
// The process, or the machine, is gone from this moment on: nothing that its code still does is
// seen. gateway_clear() takes away what is left.
void gateway_crash(bool power);
void gateway_clear(void);
// Whether it is about to stop by itself: after a drain.
bool gateway_stops(void);
// The clean stop, with all that it waits for.
void gateway_stop(void);
// A turn of a worker. Returns how much it found to do.
unsigned gateway_worker_turn(unsigned worker);
// What is to be so at every moment.
void gateway_check(void);
// What is to be so when nothing is under way any more.
bool gateway_is_idle(void);
void gateway_check_idle(void);

// What it counted, for who looks for the reason of a failure.
void gateway_tell(void);

#endif
