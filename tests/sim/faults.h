// SPDX-License-Identifier: BSD-3-Clause
// What goes wrong with the machine, the process and its rings.

#ifndef POSTERN_TESTS_SIM_FAULTS_H
#define POSTERN_TESTS_SIM_FAULTS_H

#include <stdbool.h>

void faults_begin(void);
// One of them begins, or ends.
void faults_event(void);
// The process ends, in order or not, now or soon.
void faults_end_of_life(void);
// None is there any more, and the clock is right.
void faults_end(void);
// So many were there.
unsigned faults_count(void);
// A clean stop is due.
bool faults_stop_wanted(void);
// A process just began: some contexts are as if they had sealed much already.
void faults_age(void);

#endif
