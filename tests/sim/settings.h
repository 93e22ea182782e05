// SPDX-License-Identifier: BSD-3-Clause
// The configuration file of the gateway: one of some that differ in what a reload may change, in
// what it may not, or have mistakes.

#ifndef POSTERN_TESTS_SIM_SETTINGS_H
#define POSTERN_TESTS_SIM_SETTINGS_H

struct conf;

// The file of before a schedule.
void settings_begin(void);
// Somebody writes another one. Returns what is to be said of it.
const char *settings_change(void);
// The file as a start reads it: it is a good one.
struct conf *settings_start(void);

#endif
