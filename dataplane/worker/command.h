// SPDX-License-Identifier: BSD-3-Clause
// What main asks of a worker, through its ring of commands.

#ifndef POSTERN_DATAPLANE_WORKER_COMMAND_H
#define POSTERN_DATAPLANE_WORKER_COMMAND_H

#include "dataplane/worker/worker.h"

// Acts on commands of main: how many there were.
unsigned dp_commands(struct dp_worker *w);

#endif
