// SPDX-License-Identifier: BSD-3-Clause
// Notifications (RFC 7641 section 4.2): what the loops have changed goes to its observers, a slice
// in each turn. Each is sealed under an own Partial IV, and nothing but its observation is kept of
// it: one that is not acknowledged is not sent again, but what is stored then, under other numbers.

#ifndef POSTERN_DATAPLANE_WORKER_NOTIFY_H
#define POSTERN_DATAPLANE_WORKER_NOTIFY_H

#include "dataplane/worker/worker.h"

// Once a turn, while no answer waits to be sealed. Returns how much it did.
unsigned dp_notify_turn(struct dp_worker *w);

#endif
