// SPDX-License-Identifier: BSD-3-Clause
// What verbs, starts and stops of the life of a store have in common.

#ifndef POSTERN_TESTS_MODEL_STORE_VERBS_H
#define POSTERN_TESTS_MODEL_STORE_VERBS_H

#include "gw/daemon/daemon.h"
#include "tests/model/store_life.h"

// The process: made by life_wake(), ended by life_sleep().
extern struct daemon life_gateway;

// Submits a job and runs main's loop until it is done. Returns its result.
int life_run_job(struct store_job *job);

#endif
