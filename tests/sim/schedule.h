// SPDX-License-Identifier: BSD-3-Clause
// A schedule: what happens in which order, all of it by chance, and then a time without faults in
// which every device must be served again.

#ifndef POSTERN_TESTS_SIM_SCHEDULE_H
#define POSTERN_TESTS_SIM_SCHEDULE_H

#include <stdint.h>

// Makes the disks that schedules begin with.
void schedule_prepare(void);
// Runs one. Returns when all that must hold has held.
void schedule_run(uint64_t seed);

struct schedule_totals {
	uint64_t schedules, events, crashes, power_cuts, stops, lives, asks, successes, with_fault;
};
extern struct schedule_totals schedule_totals;

#endif
