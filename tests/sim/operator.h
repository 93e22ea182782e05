// SPDX-License-Identifier: BSD-3-Clause
// An operator: calls the verbs of the daemon, one at a time, and gives devices what came of it.

#ifndef POSTERN_TESTS_SIM_OPERATOR_H
#define POSTERN_TESTS_SIM_OPERATOR_H

#include <stdbool.h>

void operator_begin(void);
// After each event, and when a process is `over`: what of removed devices is gone.
void operator_turn(bool over);
// Something about some device, or the whole, unless a verb is under way.
void operator_event(void);
// Whether a verb is under way.
bool operator_waits(void);
// Looks what became of verbs that failed, once the gateway knows.
void operator_settles(void);
// A process began, or has ended: a verb that was under way has no answer.
void operator_looks(void);
void operator_lost(void);
// Adds a device that is not there. false: it is there, or a verb is under way.
bool operator_restores(unsigned device);

// Adds a device with the keys that it has, which were never used.
void operator_adds(unsigned device);

#endif
